"""Labelled items of a downstream task and their files: `records.parquet`, every record once, and `splits.parquet`.

What a label is depends on the task, that is on the head that predicts it (`rnalm.tasks.kinds`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from rnalm import files, provenance
from rnalm.errors import InputError

PARTS = ("train", "valid", "test")
LABELS = {
    "pairs": pa.list_(pa.list_(pa.int32())),
    "classes": pa.string(),
    "number": pa.float64(),
    "positions": pa.list_(pa.int8()),
}


@dataclass(frozen=True)
class Record:
    """One labelled item.

    family:   the group it belongs to (RNA family, gene, species), empty if none
    sequence: normalised
    label:    pairs: base pairs (i, j), i < j, 0-based, sorted; classes: a name; number: in the unit of the measurement;
              positions: a whole number per nucleotide
    partner:  the second molecule of an interaction, normalised; empty if there is none
    """

    id: str
    family: str
    sequence: str
    label: object
    partner: str = ""

    @property
    def length(self) -> int:
        return len(self.sequence)

    @property
    def molecules(self) -> tuple[str, str]:
        """What is the same in a duplicate."""
        return self.sequence, self.partner


def write(records: list[Record], splits: dict[str, dict[str, list[Record]]], kind: str, directory: Path) -> list[Path]:
    """Write the two tables; returns their paths. kind: a key of LABELS."""
    types = {name: pa.string() for name in ("id", "family", "sequence", "partner")}
    types |= {"length": pa.int32(), "label": LABELS[kind]}
    columns = {name: [getattr(record, name) for record in records] for name in types}
    assigned = [(split, part, record.id) for split, parts in splits.items() for part in PARTS for record in parts[part]]
    tables = {
        # polars itself reads nested lists slowly
        "records.parquet": pl.from_arrow(pa.table(columns, pa.schema(types))),
        "splits.parquet": pl.DataFrame(assigned, schema=["split", "part", "id"], orient="row"),
    }
    for name, table in tables.items():
        with files.atomic(Path(directory) / name) as temporary:
            table.write_parquet(temporary)
    return [Path(directory) / name for name in tables]


def load(manifest) -> dict[str, Record]:
    """{id: Record} of a task_data manifest."""
    (path,) = provenance.outputs(manifest, "records.parquet")
    table = pl.read_parquet(path)
    labels = table["label"].to_list()
    if table.schema["label"] == pl.List(pl.List(pl.Int32)):
        labels = [[tuple(pair) for pair in pairs] for pairs in labels]
    columns = (table[name] for name in ("id", "family", "sequence"))
    rows = zip(*columns, labels, table["partner"], strict=True)
    return {row[0]: Record(*row) for row in rows}


def load_split(manifest, split: str) -> dict[str, list[Record]]:
    """{"train": records, "valid": records, "test": records} of one split of a task_data manifest."""
    (path,) = provenance.outputs(manifest, "splits.parquet")
    table = pl.read_parquet(path)
    if split not in table["split"]:
        known = ", ".join(table["split"].unique(maintain_order=True))
        raise InputError(manifest, f"has no split {split!r}", f"choose one of {known}")
    records, parts = load(manifest), {part: [] for part in PARTS}
    for part, name in table.filter(pl.col("split") == split).select("part", "id").iter_rows():
        parts[part].append(records[name])
    return parts


def unique(records: Iterable[Record]) -> list[Record]:
    """The first record of every sequence, or pair of sequences, in order."""
    first = {}
    for record in records:
        first.setdefault(record.molecules, record)
    return list(first.values())


def identities(records: list[Record]) -> dict[str, list]:
    """The first columns of every table of items."""
    return {name: [getattr(record, name) for record in records] for name in ("id", "family", "length")}


def check_names(records: Iterable[Record]) -> None:
    """InputError where one id names two different records."""
    names = {}
    for record in records:
        if names.setdefault(record.id, record) != record:
            problem = "names two different sequences"
            if names[record.id].molecules == record.molecules:
                problem = "names two records of one sequence that differ in family or label"
            raise InputError(f"RNA {record.id}", problem, "give every RNA a name of its own")
