"""Tables of an evaluated model on one split's test: every item, scores with their intervals, and those of each seed.

`metrics.csv`         task, split, model, init, metric, value, ci_low, ci_high, n: the mean over seeds; the 95 %
                      bootstrap interval over test items, each resample scored for all seeds and averaged
`seeds.csv`           seed, metric, value
`predictions.parquet` a row per item and seed
"""

from pathlib import Path

import polars as pl

from rnalm.evaluation.bootstrap import intervals, mean_of
from rnalm.files import atomic
from rnalm.tasks import kinds
from rnalm.tasks.records import Record


def write_evaluation(
    records: list[Record], predictions: dict[int, list], head: dict, cell: dict, seed: int, directory: Path
) -> list[Path]:
    """Write the three tables; returns their paths.

    predictions: {seed of training: what was predicted of each record}
    head:        description of the head, for the kind of the task
    cell:        {task, split, model, init}
    seed:        of the bootstrap
    """
    kind = kinds.module(head)
    items = {number: kind.table(records, found, head) for number, found in predictions.items()}
    values = {number: kind.scores.metrics(table) for number, table in items.items()}
    rows = [
        {"seed": number, "metric": metric, "value": value}
        for number, found in values.items()
        for metric, value in found.items()
    ]
    each = pl.DataFrame(rows, schema={"seed": pl.Int64, "metric": pl.String, "value": pl.Float64})
    means = each.group_by("metric", maintain_order=True).agg(pl.col("value").mean())
    bounds = intervals(mean_of([kind.scores.weighted(table) for table in items.values()]), len(records), seed)
    metrics = [
        cell | {"metric": metric, "value": value} | bounded(bounds.get(metric)) | {"n": len(records)}
        for metric, value in means.iter_rows()
    ]
    schema = {"value": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64}
    tables = {
        "metrics.csv": pl.DataFrame(metrics, schema_overrides=schema),
        "seeds.csv": each,
        "predictions.parquet": pl.concat(table.with_columns(seed=pl.lit(number)) for number, table in items.items()),
    }
    return [write(table, Path(directory) / name) for name, table in tables.items()]


def bounded(interval: tuple[float, float] | None) -> dict:
    """Empty where a metric has no interval."""
    low, high = interval or (None, None)
    return {"ci_low": low, "ci_high": high}


def write(table: pl.DataFrame, path: Path) -> Path:
    with atomic(path) as temporary:
        table.write_csv(temporary) if path.suffix == ".csv" else table.write_parquet(temporary)
    return path
