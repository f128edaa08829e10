"""Single RNAs of a test set, picked by rank: drawings and contact maps of predicted and true structures."""

import polars as pl

from rnalm.evaluation import charts
from rnalm.evaluation.figures import Figures
from rnalm.structure.drawing import draw
from rnalm.structure.notation import parse_dot_bracket

LONGEST = 500  # nt; longer drawings and contact maps cannot be read on a page
MAPPED = ("worst", "median", "best")


def gallery(predictions: pl.DataFrame, figures: Figures) -> dict:
    """One model's worst, quartile, median and best RNAs of a test: drawings, contact maps, and of how many RNAs."""
    rows = predictions.filter(pl.col("length") <= LONGEST)
    picked = pick(rows) if len(rows) else []
    cards = [row | {"place": place, "svg": drawing(row)} for place, row in picked]
    maps = [contact_map(row, place, figures) for place, row in picked if place in MAPPED]
    return {"cards": cards, "contacts": maps, "n": len(rows)}


def pick(rows: pl.DataFrame) -> list[tuple[str, dict]]:
    """(place, row) at fixed places of the RNAs ordered by F1, then length, then id; every RNA once."""
    ordered = rows.sort("f1", "length", "id").to_dicts()
    last = len(ordered) - 1
    places = {
        "worst": 0,
        "lower quartile": last // 4,
        "median": last // 2,
        "upper quartile": 3 * last // 4,
        "best": last,
    }
    chosen = {}
    for place in ("worst", "best", "median", "lower quartile", "upper quartile"):
        chosen.setdefault(places[place], place)
    return [(place, ordered[index]) for index, place in sorted(chosen.items())]


def drawing(row: dict) -> str:
    return draw(row["sequence"], parse_dot_bracket(row["predicted"]), parse_dot_bracket(row["true"]))


def contact_map(row: dict, place: str, figures: Figures) -> dict:
    """True pairs above the diagonal, predicted ones below it."""
    true, predicted = set(parse_dot_bracket(row["true"])), set(parse_dot_bracket(row["predicted"]))
    letters = row["sequence"]
    pairs = [
        {
            "i": i + 1,
            "j": j + 1,
            "bases": f"{letters[i]}-{letters[j]}",
            "kind": "shared" if (i, j) in predicted else "missed",
        }
        for i, j in sorted(true)
    ]
    pairs += [
        {"i": j + 1, "j": i + 1, "bases": f"{letters[i]}-{letters[j]}", "kind": "shared" if (i, j) in true else "wrong"}
        for i, j in sorted(predicted)
    ]
    schema = {"i": pl.Int64, "j": pl.Int64, "bases": pl.String, "kind": pl.String}
    description = f"Contact map of {row['id']}: true base pairs above, predicted ones below the diagonal"
    spec = charts.contacts(pl.DataFrame(pairs, schema=schema), row["length"], description)
    return figures.add(spec, f"{place}: {row['id']}, {row['length']} nt, F1 {row['f1']:.3f}")
