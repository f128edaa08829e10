"""A run beside the published numbers of its tasks: what was compared, with colours and signs, and what was not run."""

from pathlib import Path

import polars as pl

from rnalm.evaluation import names
from rnalm.evaluation.comparison import read_published
from rnalm.evaluation.numbers import words

# A sign for each colour, so that nothing depends on colours.
SIGNS = {"green": "✓", "amber": "≈", "red": "✗", "grey": "–"}
TABLE = ["task", "source", "dataset", "convention"]


def sections(comparison: pl.DataFrame, published: list[Path]) -> dict:
    """comparison: SCHEMA of `rnalm.evaluation.comparison`, of all tasks; published: tables of resources/published."""
    met = comparison.filter(pl.col("outcome") != "grey")
    numbers = read_published(published).filter(pl.col("task").is_in(comparison["task"].unique().to_list()))
    return {
        "compared": [{**row, **labels(row)} for row in met.iter_rows(named=True)],
        "outcomes": {colour: met.filter(pl.col("outcome") == colour).height for colour in ("green", "amber", "red")},
        "signs": SIGNS,
        "not_run": not_run(comparison),
        "tables": tables(numbers, comparison),
    }


def labels(row: dict) -> dict:
    place = f"{words(row['task'])}, {row['dataset']}: {row['published_split']}"
    return {"sign": SIGNS[row["outcome"]], "ours": names.label(row["model"], row["init"]), "place": place}


def not_run(rows: pl.DataFrame) -> list[dict]:
    """task, dataset, splits, numbers: tests with published numbers that this run has no score of."""
    missing = rows.filter(pl.col("reason") == "not run")
    cells = missing.group_by("task", "dataset", maintain_order=True)
    return cells.agg(splits=pl.col("published_split").unique(maintain_order=True), numbers=pl.len()).to_dicts()


def tables(numbers: pl.DataFrame, comparison: pl.DataFrame) -> list[dict]:
    """A table per source, data set and scoring: models by (split, metric), as printed.

    A model's cell is its row of the CSV, whose value is None where it is not known; `here` is this run's value in
    each column, or None.
    """
    ours = comparison.filter(pl.col("init") == "pretrained", pl.col("model").str.contains("-", literal=True))
    keys = ["task", "dataset", "published_split", "metric"]
    ran = {tuple(row[:4]): row[4] for row in ours.select(*keys, "value").rows()}
    found = []
    for kind, rows in numbers.group_by(TABLE, maintain_order=True):
        columns = rows.select("split", "metric").unique(maintain_order=True).rows()
        models = [
            {
                "name": name,
                "note": part["note"][0] if part["note"].n_unique() == 1 else None,
                "cells": {(row["split"], row["metric"]): row for row in part.iter_rows(named=True)},
            }
            for (name,), part in rows.group_by("model", maintain_order=True)
        ]
        place = dict(zip(TABLE, kind, strict=True))
        here = [ran.get((place["task"], place["dataset"], *column)) for column in columns]
        found.append(place | {"columns": columns, "models": models, "here": here})
    return found
