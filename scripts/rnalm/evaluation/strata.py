"""Scores of a test by how close each item's nearest relative is, in the corpus and in the training part of its split.

A score that falls from stratum to stratum was in part remembered. Strata are identities of the nearest relative
(`rnalm.corpus.leakage`), which has a border where the search itself has one (`rnalm.corpus.search`):

- `none`      no relative covers enough of the item
- `below 0.7` too far for the search to find all: what is here, and not in `none`, is so by chance
- `0.7-0.9`   found nearly always from 100 nt on, in short RNAs often missed
- `0.9-1`     few letters differ
- `1`         the part that is covered is equal
- `all`       all items of the test

Strands stand apart, as a reverse complement is another molecule.
"""

import numpy as np
import polars as pl

from rnalm.errors import InputError
from rnalm.evaluation.bootstrap import intervals, mean_of

BORDERS = {"below 0.7": 0.7, "0.7-0.9": 0.9, "0.9-1": 1.0}  # each is below its border
STRATA = ("none", *BORDERS, "1", "all")
LEAST = 2  # items of a stratum that is scored
SCHEMA = {
    **dict.fromkeys(("task", "split", "model", "init", "target", "strand", "stratum"), pl.String),
    "n": pl.Int64,
    "metric": pl.String,
    **dict.fromkeys(("value", "ci_low", "ci_high"), pl.Float64),
}


def stratified(predictions: pl.DataFrame, nearest: pl.DataFrame, cell: dict, scores, seed: int) -> pl.DataFrame:
    """A row per target, strand, stratum and metric: SCHEMA. A stratum of fewer than LEAST items has its n, no values.

    predictions: items of one cell's test, as `scores` reads them, with `id` and `seed`, that of the training
    nearest:     nearest.parquet of the leakage stage
    cell:        {task, split, model, init}
    scores:      a module of rnalm.tasks.scores
    seed:        of the bootstrap
    InputError for an item that was not searched.
    """
    own = nearest.filter(pl.col("split") == cell["split"], pl.col("part") == "test")
    metrics = list(scores.metrics(predictions.filter(pl.col("seed") == pl.col("seed").first())))
    rows = []
    for (target, strand), relatives in own.group_by("target", "strand", maintain_order=True):
        items = predictions.join(relatives.select("id", stratum=stratum()), on="id", how="left", maintain_order="left")
        missing = items.filter(pl.col("stratum").is_null())["id"]
        if len(missing):
            where = f"{cell['task']}, split {cell['split']}: {missing[0]}"
            raise InputError(where, f"was not searched for relatives in {target}", "run the leakage stage on this data")
        place = cell | {"target": target, "strand": strand}
        for name in STRATA:
            chosen = items if name == "all" else items.filter(pl.col("stratum") == name)
            rows += [place | {"stratum": name} | row for row in scored(chosen, scores, metrics, seed)]
    return pl.DataFrame(rows, schema=SCHEMA)


def stratum() -> pl.Expr:
    """The name of the stratum of a column `identity`, null where there is no relative."""
    found = pl.when(pl.col("identity").is_null()).then(pl.lit("none"))
    for name, border in BORDERS.items():
        found = found.when(pl.col("identity") < border).then(pl.lit(name))
    return found.otherwise(pl.lit("1"))


def scored(items: pl.DataFrame, scores, metrics: list[str], seed: int) -> list[dict]:
    """A row per metric: the mean over the training's seeds, its 95 % interval, and the number of items."""
    tables = items.sort("id", maintain_order=True).partition_by("seed")
    n = tables[0].height if tables else 0
    if n < LEAST:
        return [{"n": n, "metric": name} for name in metrics]
    values = [scores.metrics(table) for table in tables]
    bounds = intervals(mean_of([scores.weighted(table) for table in tables]), n, seed)
    rows = ({"metric": name, "value": float(np.mean([found[name] for found in values]))} for name in metrics)
    return [{"n": n, **row, **dict(zip(("ci_low", "ci_high"), bounds[row["metric"]], strict=True))} for row in rows]
