"""Tables of an evaluated structure model: one row per RNA, and the means with their intervals."""

from pathlib import Path

import polars as pl

from rnalm.evaluation.bootstrap import interval
from rnalm.files import atomic
from rnalm.structure import score
from rnalm.structure.notation import dot_bracket

METRICS = ("precision", "recall", "f1", "relaxed_precision", "relaxed_recall", "relaxed_f1")


def write_evaluation(
    predictions, task: str, split: str, model: str, init: str, seed: int, directory: Path
) -> list[Path]:
    """Write metrics.csv and predictions.parquet of one model on one split's test; returns their paths.

    predictions: list of (tasks.structure.Record, predicted pairs (i, j))
    """
    items = pl.DataFrame([scored(record, predicted) for record, predicted in predictions], infer_schema_length=None)
    cell = {"task": task, "split": split, "model": model, "init": init}
    paths = Path(directory) / "metrics.csv", Path(directory) / "predictions.parquet"
    with atomic(paths[0]) as temporary:
        pl.DataFrame([cell | aggregate(name, items[name], seed) for name in METRICS]).write_csv(temporary)
    with atomic(paths[1]) as temporary:
        items.write_parquet(temporary)
    return list(paths)


def scored(record, predicted) -> dict:
    """One RNA's row: what it is, both structures as dot-brackets, exact and relaxed scores."""
    exact = score(predicted, record.pairs, record.length)
    relaxed = score(predicted, record.pairs, record.length, relaxed=True)
    return {
        "id": record.id,
        "family": record.family,
        "length": record.length,
        "sequence": record.sequence,
        "predicted": dot_bracket(predicted, record.length),
        "true": dot_bracket(record.pairs, record.length),
        **dict(zip(METRICS, exact + relaxed, strict=True)),
    }


def aggregate(metric: str, values: pl.Series, seed: int) -> dict:
    """The mean over RNAs and its 95 % bootstrap interval."""
    mean, low, high = interval(values.to_numpy(), seed)
    return {"metric": metric, "value": mean, "ci_low": low, "ci_high": high, "n": len(values)}
