"""Scores of a cross-validation: a table of metrics over its folds, each a split of its own with its own models.

`fold_mean_` of a metric is the mean of the folds' values, as papers print it, with an interval from resampling the
items of every fold; `fold_sd_` is the standard deviation of those values.
"""

import polars as pl

from rnalm.evaluation.bootstrap import folds, mean_of


def fold_table(predictions: list[pl.DataFrame], cell: dict, scores, seed: int) -> pl.DataFrame:
    """Rows as those of metrics.csv: `fold_mean_` and `fold_sd_` of every metric; `n` is the items of all folds.

    predictions: of each fold, items as `scores` reads them, with `id` and `seed`, that of the training
    cell:        {task, split, model, init}; the split is what the folds have in common
    scores:      a module of rnalm.tasks.scores
    seed:        of the bootstrap
    """
    each = []
    for fold in predictions:
        tables = fold.sort("id", maintain_order=True).partition_by("seed")
        each.append((mean_of([scores.weighted(table) for table in tables]), tables[0].height))
    items = {"n": sum(number for _, number in each)}
    rows = []
    for name, (mean, spread, low, high) in folds(each, seed).items():
        rows.append(cell | {"metric": f"fold_mean_{name}", "value": mean, "ci_low": low, "ci_high": high} | items)
        rows.append(cell | {"metric": f"fold_sd_{name}", "value": spread, "ci_low": None, "ci_high": None} | items)
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("ci_low", "ci_high"), pl.Float64))
