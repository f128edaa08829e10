"""The tables of all evaluations of a run, in one each, and what can only be said of several of them together.

A cell is a model on a split: a folder with the tables of `evaluation.tables`. Folds of one split are averaged,
and tests are divided by their nearest relatives in corpus and training part.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import polars as pl

from rnalm import provenance
from rnalm.evaluation import strata
from rnalm.evaluation.folds import fold_table
from rnalm.tasks import kinds

CELL = ("task", "split", "model", "init")
NUMBERS = dict.fromkeys(("value", "ci_low", "ci_high"), pl.Float64)


@dataclass
class Cell:
    """One evaluation. scores: the module of rnalm.tasks.scores that its items are scored by."""

    manifest: Path
    scores: ModuleType

    @cached_property
    def metrics(self) -> pl.DataFrame:
        (path,) = provenance.outputs(self.manifest, "metrics.csv")
        return pl.read_csv(path, schema_overrides=NUMBERS)

    @cached_property
    def name(self) -> dict[str, str]:
        return {key: self.metrics[key][0] for key in CELL}

    @property
    def seeds(self) -> pl.DataFrame:
        (path,) = provenance.outputs(self.manifest, "seeds.csv")
        return pl.read_csv(path, schema_overrides=NUMBERS).select(
            *(pl.lit(value).alias(key) for key, value in self.name.items()), "seed", "metric", "value"
        )

    @property
    def predictions(self) -> pl.DataFrame:
        (path,) = provenance.outputs(self.manifest, "predictions.parquet")
        return pl.read_parquet(path)


def cells(manifests: list[Path], tasks: dict[str, dict]) -> list[Cell]:
    """The evaluations that these manifests are of; tasks: {task: its settings}."""
    found = []
    for manifest in manifests:
        task = provenance.load(manifest)["parameters"]["task"]
        found.append(Cell(Path(manifest), kinds.module(tasks[task]["head"]).scores))
    return found


def means_of_folds(cells: list[Cell], tasks: dict[str, dict], seed: int) -> list[pl.DataFrame]:
    """`folds.fold_table` of each model and split that was divided into folds, under the split's own name."""
    groups = defaultdict(list)
    for cell in cells:
        for split, rule in tasks[cell.name["task"]]["splits"].items():
            if "folds" in rule and cell.name["split"].rpartition("_")[0] == split:
                groups[tuple((cell.name | {"split": split}).items())].append(cell)
    return [
        fold_table([cell.predictions for cell in folds], dict(name), folds[0].scores, seed)
        for name, folds in groups.items()
    ]


def by_relatives(cells: list[Cell], leakage: dict[str, Path], seed: int) -> pl.DataFrame:
    """`strata.stratified` of every cell; leakage: {task: manifest of the search for relatives of its items}."""
    tables = [pl.DataFrame(schema=strata.SCHEMA)]
    for cell in cells:
        (path,) = provenance.outputs(leakage[cell.name["task"]], "nearest.parquet")
        tables.append(strata.stratified(cell.predictions, pl.read_parquet(path), cell.name, cell.scores, seed))
    return pl.concat(tables)
