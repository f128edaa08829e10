"""What every metric means, who reports it so, and what misleads in it: the cards of metrics.yaml.

`python -m rnalm.evaluation.cards` prints them as the page docs/metrics.md.
"""

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import yaml

CARDS = Path(__file__).with_name("metrics.yaml")
HEAD = """# Metrics

What stands in the tables, and how each paper scores. Numbers of different conventions cannot be compared, so each has a
name of its own. Made from `scripts/rnalm/evaluation/metrics.yaml` by `python -m rnalm.evaluation.cards`.

`ci_low` and `ci_high` are the 95 % percentile interval of 1,000 bootstrap resamples of the test items (RNAs, windows,
pairs of molecules), which are the same for all models of a test set. With several seeds, each resample is scored for
all and averaged, so the interval says what other test items would change, not what other seeds would. Resamples in
which a metric is not defined, such as a ranking of items of one class, are left out.
"""


@dataclass(frozen=True)
class Card:
    """One metric, or several of one kind. `range`: (lowest, highest) possible value, None where there is none.

    A name with a `*` is that of any other metric with something before it.
    """

    name: str
    group: str
    metrics: list[str]
    formula: str
    convention: str
    range: tuple[float | None, float | None]
    best: str
    reported_by: str
    code: str
    traps: list[str]


def load() -> list[Card]:
    """The cards, in the file's order."""
    entries = yaml.safe_load(CARDS.read_text(encoding="utf-8"))
    return [Card(name, **entry | {"range": tuple(entry["range"])}) for name, entry in entries.items()]


@cache
def by_name() -> dict[str, Card]:
    """{metric, as in a table: its card}."""
    cards = {metric: card for card in load() for metric in card.metrics}
    patterns = {metric: cards.pop(metric) for metric in list(cards) if "*" in metric}
    return cards | {pattern.replace("*", metric): card for pattern, card in patterns.items() for metric in cards}


def page() -> str:
    """The cards as Markdown."""
    groups = groupby(load(), key=lambda card: card.group)
    return "\n".join([HEAD, *("\n".join([f"## {group}\n", *map(section, cards)]) for group, cards in groups)])


def section(card: Card) -> str:
    low, high = ("open" if end is None else f"{end:g}" for end in card.range)
    lines = [
        f"### {card.name}\n",
        ", ".join(f"`{metric}`" for metric in card.metrics) + "\n",
        f"- Formula: {card.formula}",
        f"- Convention: {card.convention}",
        f"- Range: {low} to {high}; best: {card.best}",
        f"- Reported by: {card.reported_by}",
        f"- Code: {card.code}",
        *(f"- Trap: {trap}" for trap in card.traps),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
