"""Does pre-training help? Differences between models on the same items, with intervals."""

import polars as pl

from rnalm.evaluation import names
from rnalm.evaluation.bootstrap import interval
from rnalm.evaluation.cells import Cell, tests
from rnalm.evaluation.task_kinds import KINDS

SEED = 42


def comparisons(cells: list[Cell]) -> list[dict]:
    """A row per test and pair of models: the pre-trained encoder against every other, positive where it is ahead.

    Encoders of others stand against their own other starts. The folds of a cross-validation are one test.
    """
    found = []
    for (task, test), models in tests(cells):
        for (model, init), ours in models.items():
            if init != "pretrained":
                continue
            others = [key for key in models if key != (model, init) and (names.is_own(model) or key[0] == model)]
            rows = (compared(ours, models[key]) for key in others)
            found += [{"task": task, "test": test} | row for row in rows if row]
    return found


def compared(ours: list[Cell], theirs: list[Cell]) -> dict:
    """Empty where they share no item."""
    left, right = (items(cells) for cells in (ours, theirs))
    both = left.join(right, on=["split", "id"]).sort("split", "id")
    if both.is_empty():
        return {}
    mean, low, high = interval((both["score"] - both["score_right"]).to_numpy(), SEED)
    cell, other, kind = ours[0], theirs[0], KINDS[ours[0].kind]
    pair = {"name": cell.name, "own": cell.is_ours, "init": other.init, "model": other.model, "against": other.name}
    found = {"mean": mean, "low": low, "high": high, "n": len(both), "outcome": outcome(low, high)}
    return pair | found | {"item": kind.item, "items": kind.items}


def items(cells: list[Cell]) -> pl.DataFrame:
    return pl.concat(cell.items.with_columns(split=pl.lit(cell.split)) for cell in cells)


def outcome(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else "not clearly different"


def from_random(rows: list[dict]) -> list[dict]:
    """The rows that answer the question: a pre-trained encoder against the same one from a random start."""
    return [row for row in rows if row["init"] == "random" and (names.is_own(row["model"]) == row["own"])]
