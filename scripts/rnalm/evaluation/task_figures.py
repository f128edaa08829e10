"""What is drawn of one test of each kind of task: groups of charts or drawings, all of one model, and who it is."""

import numpy as np
import polars as pl

from rnalm.evaluation import gallery, task_charts, task_kinds
from rnalm.evaluation.cells import Cell, first_seed
from rnalm.evaluation.figures import Figures

MOST_CLASSES = 20
MOST_BINS = 150  # along a sequence


def drawn(models: dict[tuple[str, str], list[Cell]], figures: Figures) -> list[dict]:
    """Groups {title, text, charts, cards, pairs}; `pairs` says that base pairs are drawn, which need their key."""
    cells = next(iter(models.values()))
    return KINDS[cells[0].kind](models, first_seed(cells), cells[0].name, figures)


def group(title: str, text: str, charts=(), cards=(), pairs: bool = False) -> dict:
    return {"title": title, "text": text, "charts": list(charts), "cards": list(cards), "pairs": pairs}


def of_pairs(models, predictions: pl.DataFrame, name: str, figures: Figures) -> list[dict]:
    rows = pl.concat(
        cell.items.with_columns(name=pl.lit(cell.name), init=pl.lit(cell.init))
        for cells in models.values()
        for cell in cells
    )
    every = figures.add(task_charts.distributions(rows), "F1 of every RNA")
    text = (
        f"Each dot is one test RNA (at most {task_charts.MOST_RNAS} per model); the bar spans the middle half of them "
    )
    text += "and the upright tick is the median. A mean can hide two groups, one solved and one missed: here they show."
    found = gallery.gallery(predictions, figures)
    chosen = f"Model: {name}. RNAs are chosen by rank, not by hand: of the {found['n']} test RNAs up to "
    chosen += f"{gallery.LONGEST} nt ordered by F1, the first, the last, the median and the quartiles."
    layout = "The true structure is laid out, and the predicted pairs are drawn over it."
    maps = "Both axes are positions in the RNA; a mark is a base pair. True pairs lie above the diagonal and "
    maps += "predicted ones below, so a perfect prediction is its own mirror image, and a stem is a short line across."
    return [
        group("RNA by RNA", text, [every]),
        group("Predicted and true structures", f"{chosen} {layout}", cards=found["cards"], pairs=True),
        group("Contact maps", maps, found["contacts"], pairs=True),
    ]


def of_numbers(models, predictions: pl.DataFrame, name: str, figures: Figures) -> list[dict]:
    """Of the first model, and of a random start beside it."""
    both = {name: predictions}
    both |= {cells[0].name: first_seed(cells) for (_, init), cells in list(models.items())[1:] if init == "random"}
    charts = [figures.add(task_charts.scatter(rows.select("true", "predicted")), title) for title, rows in both.items()]
    text = f"A dot is an item of the test (at most {task_charts.MOST_POINTS}, evenly over the measured numbers); "
    text += "on the line the two are equal. First seed."
    return [group("Predicted against measured", text, charts)]


def of_classes(models, predictions: pl.DataFrame, name: str, figures: Figures) -> list[dict]:
    counts, classes = confusion(predictions.select("true", "predicted"), predictions["classes"][0].to_list())
    chart = figures.add(task_charts.confusion(counts, classes), name)
    known = len(predictions["classes"][0])
    text = "A row is a true class, shaded by the share of its items that were called each class. First seed."
    if known > MOST_CLASSES:
        text += f" Of {known} classes these {MOST_CLASSES} have the lowest F1; all others are one column."
    return [group("Confusion matrix", text, [chart])]


def confusion(rows: pl.DataFrame, classes: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """(true, predicted, items, share of the true class; the classes in order), those of the lowest F1 if many."""
    hits = dict(rows.filter(pl.col("true") == pl.col("predicted")).group_by("true").len().rows())
    sides = [dict(rows.group_by(side).len().rows()) for side in ("true", "predicted")]
    f1 = {one: 2 * hits.get(one, 0) / max(1, sum(side.get(one, 0) for side in sides)) for one in classes}
    worst = set(sorted(classes, key=lambda one: (f1[one], one))[:MOST_CLASSES])
    shown = [one for one in classes if one in worst]
    called = pl.when(pl.col("predicted").is_in(shown)).then("predicted").otherwise(pl.lit("any other"))
    counts = rows.filter(pl.col("true").is_in(shown)).with_columns(predicted=called)
    counts = counts.group_by("true", "predicted").agg(items=pl.len()).sort("true", "predicted")
    counts = counts.with_columns(share=(pl.col("items") / pl.col("items").sum().over("true")).round(4))
    return counts, shown if len(shown) == len(classes) else [*shown, "any other"]


def of_positions(models, predictions: pl.DataFrame, name: str, figures: Figures) -> list[dict]:
    """Along RNAs at fixed ranks of their accuracy."""
    scores = task_kinds.scored(predictions).join(predictions.select("id", "length"), on="id").sort("score", "id")
    places = {"worst": 0, "median": (len(scores) - 1) // 2, "best": len(scores) - 1}
    charts = []
    for place, number in places.items():
        row = predictions.row(by_predicate=pl.col("id") == scores["id"][number], named=True)
        title = f"{place}: {row['id']}, {row['length']} nt, accuracy {scores['score'][number]:.3f}"
        spec = task_charts.track(bins(row["probability"]), regions(row["true"]), f"Probability along {row['id']}")
        charts.append(figures.add(spec, title))
    text = f"Model: {name}. The probability along three RNAs of the test, by rank of their accuracy over nucleotides. "
    text += "Shaded is what is true; dashed is the border of a yes. Long RNAs are drawn as the means of at most "
    text += f"{MOST_BINS} equal stretches."
    return [group("Along sequences", text, charts)]


def bins(probability: list[float]) -> pl.DataFrame:
    """position (1-based, the middle), probability: means of at most MOST_BINS equal stretches."""
    row = pl.DataFrame({"position": range(1, len(probability) + 1), "probability": probability})
    stretch = -(-len(row) // MOST_BINS)
    means = row.group_by((pl.col("position") - 1).floordiv(stretch).alias("bin"), maintain_order=True).mean()
    return means.select(pl.col("position").round().cast(pl.Int64), pl.col("probability").round(3))


def regions(true: list[int]) -> pl.DataFrame:
    """start, end (1-based, inclusive) of every run of ones."""
    edges = np.diff(np.concatenate([[0], np.array(true) > 0, [0]]).astype(int))
    return pl.DataFrame(
        {"start": np.flatnonzero(edges == 1) + 1, "end": np.flatnonzero(edges == -1)},
        schema={"start": pl.Int64, "end": pl.Int64},
    )


KINDS = {
    "pairs": of_pairs,
    "number": of_numbers,
    "yes_no": of_classes,
    "classes": of_classes,
    "positions": of_positions,
}
