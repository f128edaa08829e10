"""Scores by nearest relative, as the report shows them: the leading metric of the models that matter for memory."""

import polars as pl

from rnalm.evaluation import names, task_charts
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.strata import STRATA

TARGETS = {"corpus": "the corpus", "train": "the training part"}
STRANDS = {"forward": "the same strand", "reverse": "the reverse complement"}
SHOWN = ("pretrained", "random", "baseline")


def sections(strata: pl.DataFrame, task: str, split: str, metric: str, figures: Figures) -> list[dict]:
    """A table per target and strand, and a chart of relatives on the same strand; empty if the split has none.

    strata: SCHEMA of `rnalm.evaluation.strata`
    """
    own = strata.filter(pl.col("task") == task, pl.col("split") == split, pl.col("metric") == metric)
    rows = names.named(own.filter(pl.col("init").is_in(SHOWN)))
    made = []
    for (target, strand), part in rows.group_by("target", "strand", maintain_order=True):
        title = f"Nearest in {TARGETS.get(target, target)}, {STRANDS.get(strand, strand)}"
        drawn = strand == "forward" and part.filter(pl.col("stratum") != "all")["value"].count() > 0
        figure = figures.add(task_charts.strata(part, metric), title) if drawn else None
        made.append({"title": title, "figure": figure} | table(part))
    return made


def table(rows: pl.DataFrame) -> dict:
    """models: names; rows: [{stratum, n, cells: a row of strata.csv, or None, per model}], those with items."""
    models = rows["name"].unique(maintain_order=True).to_list()
    cells = {(row["stratum"], row["name"]): row for row in rows.iter_rows(named=True)}
    counts = dict(rows.select("stratum", "n").unique().rows())
    strata = [stratum for stratum in STRATA if counts.get(stratum)]
    found = [{"stratum": one, "n": counts[one], "cells": [cells.get((one, name)) for name in models]} for one in strata]
    return {"models": models, "rows": found}
