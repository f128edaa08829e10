"""A run's scores beside the published numbers of its tasks, with a colour for each.

- green: ours is as good or better, or the published value lies in our 95 % interval
- amber: ours is worse, by less than a margin: MARGIN of the metric's best value (0.02 of an F1, 2 points of a
  percentage), ERROR_MARGIN of the published value where less is better
- red: worse by more
- grey: nothing to compare, with the reason

A published number is met by the run's own counterpart: of a frozen encoder by `frozen`, of one-hot input by `onehot`,
of ViennaRNA by the baseline RNAfold, of any other model by `pretrained`. What is not the model that was published is
marked as such: a small model's red is no failed reproduction, and its green is no victory over the same model.
"""

from pathlib import Path

import polars as pl

from rnalm.evaluation.cards import by_name

MARGIN, ERROR_MARGIN = 0.02, 0.05
OTHER, UNSTATED = "other model or data", "convention not stated"
# What papers call the models of config/models and the baselines.
PAPERS = {
    "giga": ("RiNALMo", "RiNALMo 650M", "RiNALMo 650M frozen"),
    "mega": ("RiNALMo 148M",),
    "micro": ("RiNALMo 33M", "RiNALMo 33M (RoPE, SwiGLU)"),
    "ernie_rna": ("ERNIE-RNA",),
    "rnaret_1mer": ("RNAret", "RNAret 1-mer"),
    "rnaret_3mer": ("RNAret", "RNAret 3-mer"),
    "rnaret_5mer": ("RNAret", "RNAret 5-mer"),
    "onehot": ("one-hot",),
    "RNAfold": ("ViennaRNA",),
}
FAMILIES = ("5S", "SRP", "tRNA", "tmRNA", "RNase P", "group I", "16S", "telomerase", "23S")
# Of a data set, what is published as the mean of several of its test sets.
MEANS = {
    **{("Spliceator", f"mean_{one}"): (f"donor_{one}", f"acceptor_{one}") for one in ("fish", "fly", "plant", "worm")},
    ("ArchiveII", "mean of nine families"): tuple(f"leave {family} out" for family in FAMILIES),
    ("Rfam, 88 families", "average"): ("noiseless", "noisy"),
}
# Of these the test sets are the same RNAs: what is off in one is off in the others.
DEPENDENT = {"Rfam, 88 families"}
SCHEMA = {
    **dict.fromkeys(("task", "dataset", "published_split", "published_model", "metric", "convention"), pl.String),
    "published": pl.Float64,
    **dict.fromkeys(("our_task", "split", "model", "init"), pl.String),
    **dict.fromkeys(("value", "ci_low", "ci_high", "difference"), pl.Float64),
    **dict.fromkeys(("outcome", "reason", "caveat", "source", "note"), pl.String),
}
PLACE = {name: SCHEMA[name] for name in ("task", "dataset", "published_split")}
OURS = {name: SCHEMA[name] for name in ("our_task", "split", "model", "init", "metric", "value", "ci_low", "ci_high")}


def read_published(tables: list[Path]) -> pl.DataFrame:
    """Tables of resources/published, one below the other, as text."""
    return pl.concat([pl.read_csv(path, infer_schema=False) for path in tables])


def compare(metrics: pl.DataFrame, published: pl.DataFrame, tasks: dict[str, dict]) -> pl.DataFrame:
    """A row per published number and model of ours that meets it, one without ours where none does: SCHEMA.

    `difference` is ours less the published value; `caveat` is OTHER where the models have different names, and
    UNSTATED where the source does not say how it scored. Of what is published as a mean of test sets, ours is made
    where all of them were run.

    metrics:   rows of metrics.csv: task, split, model, init, metric, value, ci_low, ci_high
    published: of `read_published`; those of other tasks than ours are left out
    tasks:     {task in metrics: its settings}, of which `task` and `published` are read, where it has that
    """
    ours = pl.concat([pl.DataFrame(schema=PLACE | OURS), *(placed(metrics, *task) for task in tasks.items())])
    ours = pl.concat([ours, *(mean_over(ours, *mean) for mean in MEANS.items())])
    names = {settings["task"] for settings in tasks.values()}
    rows = []
    for cell in published.filter(pl.col("task").is_in(names)).iter_rows(named=True):
        place = {"task": cell["task"], "dataset": cell["dataset"], "published_split": cell["split"]}
        found = ours.filter(counterpart(cell), **place, metric=cell["metric"])
        rows += [compared(cell, row) for row in found.iter_rows(named=True)] or [compared(cell, {})]
    return pl.DataFrame(rows, schema=SCHEMA)


def placed(metrics: pl.DataFrame, name: str, settings: dict) -> pl.DataFrame:
    """A task's rows of metrics that something is published beside, under the names that it is published by."""
    published = settings.get("published", {"dataset": None, "splits": {}})
    own = metrics.filter(pl.col("task") == name, pl.col("split").is_in(list(published["splits"])))
    own = own.rename({"task": "our_task"}).with_columns(
        task=pl.lit(settings["task"]),
        dataset=pl.lit(published["dataset"]),
        published_split=pl.col("split").replace_strict(published["splits"], return_dtype=pl.String),
    )
    return own.select(pl.col(column).cast(kind) for column, kind in (PLACE | OURS).items())


def mean_over(ours: pl.DataFrame, place: tuple[str, str], parts: tuple[str, ...]) -> pl.DataFrame:
    """Rows of what is published as the mean of several test sets, where all of them were run.

    Half the widths of their intervals add up as squares where the sets are independent, as they are where they are not.
    """
    dataset, name = place
    power = 1 if dataset in DEPENDENT else 2
    widths = {"ci_low": pl.col("value") - pl.col("ci_low"), "ci_high": pl.col("ci_high") - pl.col("value")}
    joined = {
        end: pl.when(width.is_not_null().all()).then((width**power).sum() ** (1 / power) / len(parts))
        for end, width in widths.items()
    }
    cells = ours.filter(pl.col("published_split").is_in(parts), dataset=dataset)
    means = cells.group_by("task", "dataset", "model", "init", "metric").agg(
        pl.col("our_task", "split").unique().sort().str.join(", "),
        pl.col("value").mean(),
        sets=pl.len(),
        different=pl.col("published_split").n_unique(),
        published_split=pl.lit(name),
        **joined,
    )
    means = means.filter(sets=len(parts), different=len(parts)).sort("task", "model", "init", "metric")
    ends = {"ci_low": pl.col("value") - pl.col("ci_low"), "ci_high": pl.col("value") + pl.col("ci_high")}
    return means.with_columns(**ends).select(ours.columns)


def counterpart(cell: dict) -> pl.Expr:
    """Which of our rows a published number is compared with."""
    init, model = pl.col("init"), cell["model"]
    if model in PAPERS["RNAfold"]:
        return (init == "baseline") & (pl.col("model") == "RNAfold")
    if model in PAPERS["onehot"]:
        return init == "onehot"
    return init == ("frozen" if "frozen" in f"{model} {cell['note']}" else "pretrained")


def compared(cell: dict, ours: dict) -> dict:
    """One row; ours: a row of OURS, empty where nothing of ours meets the number."""
    published = None if cell["value"] is None else float(cell["value"])
    known = published is not None and ours.get("value") is not None
    outcome, reason = judged(cell["metric"], published, ours)
    return {
        **{name: cell[name] for name in ("task", "dataset", "metric", "convention", "source", "note")},
        **{"published_split": cell["split"], "published_model": cell["model"], "published": published},
        **{name: ours.get(name) for name in OURS if name != "metric"},
        "difference": ours["value"] - published if known else None,
        "outcome": outcome,
        "reason": reason,
        "caveat": caveat(cell, ours) if ours else None,
    }


def caveat(cell: dict, ours: dict) -> str | None:
    """What makes the two numbers hard to compare, None if nothing is known to."""
    stated = "not stated" not in cell["convention"] and "not known" not in cell["convention"]
    found = [] if is_same(ours["model"], cell["model"]) else [OTHER]
    return "; ".join(found + ([] if stated else [UNSTATED])) or None


def is_same(model: str, published: str) -> bool:
    """Whether a model of ours, `rinalmo-giga`, is the one that a paper means, by name."""
    return published in PAPERS.get(model.rpartition("-")[2], ())


def judged(metric: str, published: float | None, ours: dict) -> tuple[str, str]:
    """(colour, reason); see the top of this file."""
    if published is None:
        return "grey", "published value unknown"
    if ours.get("value") is None or ours["value"] != ours["value"]:
        return "grey", "not run" if not ours else "not defined"
    card = by_name()[metric.removeprefix("fold_mean_")]
    if card.best not in ("high", "low"):
        return "grey", "neither is better"
    worse = (published - ours["value"]) * (1 if card.best == "high" else -1)
    if worse <= 0:
        return "green", "as good or better"
    low, high = ours.get("ci_low"), ours.get("ci_high")
    if low is not None and high is not None and low <= published <= high:
        return "green", "within our interval"
    margin = MARGIN * card.range[1] if card.best == "high" else ERROR_MARGIN * published
    return ("amber", f"worse by less than {margin:g}") if worse < margin else ("red", f"worse by {margin:g} or more")
