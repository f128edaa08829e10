"""The letters of sequences as files have them, by file and column: T or U, lower case, others than the four.

Readers normalise; what a file mixes (RNAs with U beside targets with T, a masked genome) is seen only here.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.compression import open_text
from rnalm.sequences.names import uncompressed
from rnalm.sequences.readers import FASTA, read_fasta

TEXT = (".csv", ".tsv", ".txt")
SEQUENCE = re.compile(r"[ACGTURYKMSWBDHVNIX.-]{6,}", re.IGNORECASE)
ENOUGH = 0.9  # of a column's fields look like sequences


def summary(path: Path) -> list[dict]:
    """A row per column of sequences; none of archives and other files that are no text."""
    suffix = Path(uncompressed(path)).suffix.lower()
    if suffix in FASTA:
        return [describe(path, "sequence", [item.sequence for item in read_fasta(path)])]
    return [describe(path, name, found) for name, found in columns(path)] if suffix in TEXT else []


def columns(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, sequences) of the columns that hold some. Without a header line, columns are numbered."""
    fields = defaultdict(list)
    for row in rows(path):
        for column, field in enumerate(row):
            fields[column].append(field)
    for column, found in fields.items():
        sequences = [field for field in found if SEQUENCE.fullmatch(field)]
        if len(sequences) >= ENOUGH * (len(found) - 1) and sequences:
            first = found[0]
            yield f"column {column + 1}" if SEQUENCE.fullmatch(first) else first, sequences


def rows(path: Path) -> Iterator[list[str]]:
    """Fields between commas, semicolons or tabs, whichever the first line has, or else between blanks."""
    with open_text(path) as handle:
        first = handle.readline()
        separator = next((mark for mark in "\t;," if mark in first), None)
        handle.seek(0)
        try:
            yield from csv.reader(handle, delimiter=separator) if separator else map(str.split, handle)
        except csv.Error as error:
            raise InputError(path, f"is no table ({error})", "give the file as it is published") from None


def describe(path: Path, column: str, sequences: list[str]) -> dict:
    return {
        "file": path.name,
        "column": column,
        "sequences": len(sequences),
        "with T": sum("T" in one or "t" in one for one in sequences),
        "with U": sum("U" in one or "u" in one for one in sequences),
        "with lower case": sum(one != one.upper() for one in sequences),
        "with gaps": sum("-" in one or "." in one for one in sequences),
        "with other letters than ACGTU": sum(bool(set(one.upper()) - set("ACGTU-.")) for one in sequences),
    }
