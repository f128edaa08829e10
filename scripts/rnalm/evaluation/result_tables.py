"""Results of a run as tables: of each task and split the models, their metrics, intervals and spread.

The spread is the standard deviation over a cell's seeds, of means over folds that over the folds.
"""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from rnalm.evaluation import names
from rnalm.evaluation.cells import Folds
from rnalm.evaluation.numbers import shown, tile, words
from rnalm.evaluation.task_kinds import KINDS

CELL = ["task", "split", "model", "init", "metric"]
TRAINED = ("pretrained", "frozen", "lora")


@dataclass(frozen=True)
class Table:
    """models: [{name, model, init, note, cells}]; `cells`, a metric's {value, ci_low, ci_high, sd}, is None if not run.

    runs: what the spread is over, "3 seeds" or "10 folds", empty for one; fold: whether this is one fold of several
    """

    task: str
    kind: str
    split: str
    title: str
    fold: bool
    items: str
    n: int
    runs: str
    leading: list[str]
    others: list[str]
    models: list[dict]
    rows: pl.DataFrame

    @property
    def missing(self) -> list[str]:
        return [model["name"] for model in self.models if model["cells"] is None]


def tables(metrics: pl.DataFrame, seeds: pl.DataFrame, kinds: dict[str, str], known: Folds) -> list[Table]:
    """One per task and split, means over folds before their folds.

    metrics: of metrics.csv; seeds: task, split, model, init, seed, metric, value; kinds: {task: kind}
    """
    rows = names.named(spread(metrics, seeds, known))
    made = []
    for task in metrics["task"].unique(maintain_order=True):
        own = rows.filter(pl.col("task") == task)
        every = list(dict.fromkeys(own.select("name", "model", "init").rows()))
        every += absent(every)
        splits = dict.fromkeys(metrics.filter(pl.col("task") == task)["split"])
        for split in sorted(splits, key=lambda split: (task, split) in known):
            made.append(table(own.filter(pl.col("split") == split), every, kinds[task], (task, split) in known))
    return made


def absent(models: list[tuple]) -> list[tuple]:
    """What every table has a row for, though the task was not given it: a random start and the trivial baseline."""
    inits, baselines = {init for _, _, init in models}, {model for _, model, init in models if init == "baseline"}
    random = [] if "random" in inits else [("Random start", "", "random")]
    return random + ([] if "trivial" in baselines else [("trivial", "trivial", "baseline")])


def spread(metrics: pl.DataFrame, seeds: pl.DataFrame, known: Folds) -> pl.DataFrame:
    """metrics.csv with `sd`, `runs` and `over`, of what it is; means over folds under the metric's own name."""
    sizes = Counter((task, base) for (task, _), base in known.items())
    counts = pl.DataFrame(
        [(*key, count) for key, count in sizes.items()],
        schema={"task": pl.String, "split": pl.String, "runs": pl.UInt32},
        orient="row",
    )
    means, deviations = (of_folds(metrics, prefix) for prefix in ("fold_mean_", "fold_sd_"))
    means = means.join(deviations.select(*CELL, sd="value"), on=CELL, how="left", maintain_order="left")
    means = means.join(counts, on=["task", "split"], how="left", maintain_order="left")
    over_seeds = seeds.group_by(CELL).agg(sd=pl.col("value").std(), runs=pl.len())
    plain = metrics.filter(~pl.col("metric").str.contains("^fold_(mean|sd)_"))
    plain = plain.join(over_seeds, on=CELL, how="left", maintain_order="left")
    return pl.concat([means.with_columns(over=pl.lit("folds")), plain.with_columns(over=pl.lit("seeds"))])


def of_folds(metrics: pl.DataFrame, prefix: str) -> pl.DataFrame:
    rows = metrics.filter(pl.col("metric").str.starts_with(prefix))
    return rows.with_columns(pl.col("metric").str.strip_prefix(prefix))


def table(rows: pl.DataFrame, every: list[tuple], kind: str, fold: bool) -> Table:
    metrics = rows["metric"].unique(maintain_order=True).to_list()
    leading = [metric for metric in KINDS[kind].leading if metric in metrics]
    values = {
        name: {row["metric"]: row for row in part.iter_rows(named=True)}
        for (name,), part in rows.group_by("name", maintain_order=True)
    }
    models = [
        {"name": name, "model": model, "init": init, "note": note(model, init, kind), "cells": values.get(name)}
        for name, model, init in sorted(every, key=lambda one: names.rank(one[1] or "-", one[2]))
    ]
    split, over, runs = rows["split"][0], rows["over"][0], rows["runs"].max() or 1
    return Table(
        task=rows["task"][0],
        kind=kind,
        split=split,
        title=title(split, over),
        fold=fold,
        items=KINDS[kind].items,
        n=rows["n"].max(),
        runs=f"{runs} {over}" if runs > 1 else "",
        leading=leading,
        others=[metric for metric in metrics if metric not in leading],
        models=models,
        rows=rows,
    )


def title(split: str, over: str) -> str:
    return f"{words(split)}, mean of folds" if over == "folds" else f"{words(split)} split"


def note(model: str, init: str, kind: str) -> str:
    return KINDS[kind].trivial if (model, init) == ("trivial", "baseline") else ""


def best(found: list[Table], kinds: dict[str, str]) -> list[dict]:
    """A tile of the run's own pre-trained encoder at its best, on base pairs where the run has them; at most one."""
    task = next((table.task for table in found if kinds[table.task] == "pairs"), found[0].task)
    metric = KINDS[kinds[task]].leading[0]
    rows = [
        (model["cells"][metric]["value"], model["name"], table)
        for table in found
        if table.task == task and not table.fold
        for model in table.models
        if model["init"] in TRAINED and names.is_own(model["model"]) and model["cells"] and metric in model["cells"]
    ]
    if not rows:
        return []
    value, name, table = max(rows, key=lambda row: row[0])
    others = [
        f"{model['name']} {shown(model['cells'][metric]['value'], metric)}"
        for model in table.models
        if model["cells"] and model["init"] in ("random", "baseline")
    ]
    label = "best mean F1" if kinds[task] == "pairs" else f"best {words(metric)}"
    return [tile(shown(value, metric), label, f"{name}, {words(task)}, {table.title}. {', '.join(others)}")]
