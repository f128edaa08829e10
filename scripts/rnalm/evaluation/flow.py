"""The ledger as a flow: sources on the left, what became of their records on the right.

Only geometry is made here, in pixels from the top; the page stretches the ribbons to its width and
sets the labels as text, so they stay legible on a phone.
"""

from dataclasses import dataclass

import polars as pl

HEIGHT = 220  # of all records together, px
GAP = 12  # between neighbours, px
LABEL = 36  # room that one label needs, px
THINNEST = 1.5  # a single record must still be seen, px


@dataclass
class Node:
    name: str
    records: int
    share: float
    kind: str  # source, kept, merged or dropped
    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


@dataclass
class Ribbon:
    kind: str
    title: str
    path: str


@dataclass
class Flow:
    height: float
    sources: list[Node]
    outcomes: list[Node]
    ribbons: list[Ribbon]


def flow(ledger: pl.DataFrame) -> Flow:
    """Ledger (`source, rule, records`) -> nodes and ribbons; ribbons live in a box 100 wide, `height` px high."""
    records_in = ledger.filter(pl.col("rule") == "in")
    moved = ledger.filter((pl.col("rule") != "in") & (pl.col("records") > 0))
    total = max(records_in["records"].sum(), 1)
    dropped = moved.group_by("rule").agg(pl.col("records").sum()).sort(["records", "rule"], descending=[True, False])
    found = dict(dropped.iter_rows())
    order = [rule for rule in ("kept", "merged") if rule in found]
    order += [rule for rule in found if rule not in order]

    by_source = dict(records_in.select("source", "records").iter_rows())
    sources = column([(name, records, "source") for name, records in by_source.items()], total)
    outcomes = column([(rule, found[rule], kind(rule)) for rule in order], total)
    height = max(side[-1].top + max(side[-1].height, LABEL) for side in (sources, outcomes) if side)
    return Flow(height, sources, outcomes, ribbons(moved, sources, outcomes, total))


def kind(rule: str) -> str:
    return rule if rule in ("kept", "merged") else "dropped"


def column(entries, total: int) -> list[Node]:
    """Stack (name, records, kind) from the top, each as high as its share and with room for its label."""
    nodes, top = [], 0.0
    for name, records, what in entries:
        height = max(HEIGHT * records / total, THINNEST)
        room = max(height, LABEL)
        nodes.append(Node(name, records, records / total, what, top + (room - height) / 2, height))
        top += room + GAP
    return nodes


def ribbons(moved: pl.DataFrame, sources: list[Node], outcomes: list[Node], total: int) -> list[Ribbon]:
    """One ribbon for each (source, rule), stacked at both ends in the order of the nodes."""
    amounts = {(source, rule): records for source, rule, records in moved.iter_rows()}
    left = {node.name: node.top for node in sources}
    right = {node.name: node.top for node in outcomes}
    made = []
    for source in sources:
        for outcome in outcomes:
            records = amounts.get((source.name, outcome.name))
            if not records:
                continue
            thick = max(HEIGHT * records / total, THINNEST)
            a, b = left[source.name], right[outcome.name]
            left[source.name] += HEIGHT * records / total
            right[outcome.name] += HEIGHT * records / total
            path = (
                f"M0,{a:.1f} C50,{a:.1f} 50,{b:.1f} 100,{b:.1f} "
                f"L100,{b + thick:.1f} C50,{b + thick:.1f} 50,{a + thick:.1f} 0,{a + thick:.1f} Z"
            )
            made.append(Ribbon(outcome.kind, f"{source.name}: {records:,} {outcome.name.replace('_', ' ')}", path))
    return made
