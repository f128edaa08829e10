"""The cells of a run's grid, as the report reads them: one evaluation each, with a score of every item."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl

from rnalm.evaluation import names, page, task_kinds

Folds = dict[tuple[str, str], str]  # (task, split of one fold) -> what the folds have in common


@dataclass(frozen=True)
class Cell:
    """test: the split, or what it has in common with the other folds; items: id, score (`task_kinds.scored`)."""

    task: str
    split: str
    test: str
    model: str
    init: str
    kind: str
    predictions: Path
    items: pl.DataFrame

    @property
    def name(self) -> str:
        return names.label(self.model, self.init)

    @property
    def is_ours(self) -> bool:
        """Whether this is the run's own encoder, pre-trained and fine-tuned."""
        return self.init == "pretrained" and names.is_own(self.model)


def folds(metrics: pl.DataFrame) -> Folds:
    """The splits that are folds: those of which metrics.csv has the means (`rnalm.evaluation.folds`)."""
    means = metrics.filter(pl.col("metric").str.starts_with("fold_mean_"))
    commons = set(means.select("task", "split").rows())
    splits = metrics.select("task", "split").unique(maintain_order=True).rows()
    cut = {(task, split): split.rpartition("_") for task, split in splits}
    return {key: base for key, (base, _, number) in cut.items() if (key[0], base) in commons and number.isdecimal()}


def read(evaluations: list[Path], known: Folds) -> list[Cell]:
    """The cells of these manifests, in their order."""
    found = []
    for manifest in evaluations:
        place = page.read_table(page.output(manifest, "metrics.csv")).row(0, named=True)
        key = {name: place[name] for name in ("task", "split", "model", "init")}
        path = page.output(manifest, "predictions.parquet")
        predictions = pl.read_parquet(path)
        test = known.get((key["task"], key["split"]), key["split"])
        kind = task_kinds.of(predictions)
        found.append(Cell(**key, test=test, kind=kind, predictions=path, items=task_kinds.scored(predictions)))
    return found


def tests(cells: list[Cell]) -> Iterator[tuple[tuple[str, str], dict[tuple[str, str], list[Cell]]]]:
    """((task, test), {(model, init): its cells, one per fold}), in the order of tables."""
    order = {key: number for number, key in enumerate(dict.fromkeys((cell.task, cell.test) for cell in cells))}
    ordered = sorted(cells, key=lambda cell: (order[cell.task, cell.test], names.rank(cell.model, cell.init)))
    for place, part in groupby(ordered, key=lambda cell: (cell.task, cell.test)):
        models: dict = {}
        for cell in part:
            models.setdefault((cell.model, cell.init), []).append(cell)
        yield place, models


def first_seed(cells: list[Cell]) -> pl.DataFrame:
    """The predictions of the first seed, of all folds."""
    tables = (pl.read_parquet(cell.predictions) for cell in cells)
    return pl.concat((table.filter(pl.col("seed") == pl.col("seed").first()) for table in tables), how="vertical")
