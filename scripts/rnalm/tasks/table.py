"""Own data without code: tables, FASTA and files of structures; what a label is follows from the task's head.

- Tables, `.csv` and `.tsv`: `data` names the columns; left out, they are called as the keys are: `id, sequence,
  partner, label, family, set`. A table needs a sequence and a label.
- FASTA: the identifier is the first word of a header, the label the last one, unless `data: {header: pattern}` says
  where they stand: a regular expression with the groups `label` and, if wanted, `id`, `family` and `set`.
- Structures, `.dbn`, `.ct`, `.bpseq` and `.st`, for heads of base pairs, and of positions: which are paired.

All may be compressed. Without a column or group `set`, a file is a set.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.alphabet import is_protein, normalise
from rnalm.sequences.names import stem, uncompressed
from rnalm.sequences.readers import FASTA, read_fasta
from rnalm.structure.files import READERS as STRUCTURES
from rnalm.structure.files import from_one, read, structure
from rnalm.tasks import kinds, tables
from rnalm.tasks.records import Record

KEYS = ("id", "sequence", "partner", "label", "family", "set")
HEADER = re.compile(r"\S+\s(?:.*\s)?(?P<label>\S+)\s*$")
PAIR = re.compile(r"\d+-\d+")
BETWEEN = re.compile(r"[\s,;]+")
LISTED = re.compile(r"[\[\]\s,;]")


def from_files(paths, settings: dict) -> dict[str, list[Record]]:
    """{set: records} of all files; InputError names the line or record that is wrong."""
    kind, sets = kinds.of(settings["head"]), defaultdict(list)
    for path in paths:
        for where, row in rows(Path(path), settings.get("data", {})):
            name = row.get("set") or stem(path)
            sets[name].append(record(row, f"{name}:{len(sets[name]) + 1}", kind, where))
    if not sets:
        endings = ", ".join(f"*{ending}" for ending in (*tables.SUFFIXES, *FASTA, *STRUCTURES))
        raise InputError(settings["source"]["name"], "brought no table, FASTA or structures", f"give {endings}")
    return dict(sets)


def rows(path: Path, data: dict) -> Iterator[tuple[str, dict]]:
    """(where, {key: text}) of each record of a file; none where it is of another kind."""
    suffix = Path(uncompressed(path)).suffix
    if suffix in tables.SUFFIXES:
        yield from of_table(path, data)
    elif suffix in FASTA:
        yield from of_fasta(path, data)
    elif suffix in STRUCTURES:
        for item in read(path):
            yield f"{path}, record {item.name}", {"id": item.name, "sequence": item.sequence, "label": item.pairs}


def of_table(path: Path, data: dict) -> Iterator[tuple[str, dict]]:
    """Columns that `data` names must be there; others are taken where they are."""
    there = tables.names(path)
    columns = {key: data.get(key, key) for key in KEYS}
    wanted = {key: name for key, name in columns.items() if key in (*data, "sequence", "label") or name in there}
    # One column can be several things, such as the family and the set.
    names = tuple(dict.fromkeys(wanted.values()))
    for line, *fields in tables.read(path, names).iter_rows():
        row = dict(zip(names, fields, strict=True))
        yield f"{path}, line {line}", {key: row[name] or "" for key, name in wanted.items()}


def of_fasta(path: Path, data: dict) -> Iterator[tuple[str, dict]]:
    pattern = pattern_of(data)
    for item in read_fasta(path):
        header = f"{item.accession} {item.description}"
        match = pattern.search(header)
        if not match:
            raise InputError(f"{path}, record {item.accession}", "has no label in its header", "see data: {header}")
        yield f"{path}, record {item.accession}", {"id": item.accession, **match.groupdict(), "sequence": item.sequence}


def pattern_of(data: dict) -> re.Pattern:
    """Where a header has its label; InputError for an expression that is none, or has no group of this name."""
    if "header" not in data:
        return HEADER
    try:
        pattern = re.compile(data["header"])
    except re.error as error:
        raise InputError("data: header", f"is no regular expression ({error})", "correct it") from None
    if "label" not in pattern.groupindex:
        raise InputError("data: header", "has no group 'label'", r"write it as 'class=(?P<label>\w+)'")
    return pattern


def record(row: dict, name: str, kind: str, where: str) -> Record:
    """The record of a row, called `name` if it has no id."""
    raw = row["sequence"]
    sequence = molecule(raw, where)
    partner = molecule(row["partner"], where) if "partner" in row else ""
    if kind in ("pairs", "positions") and len(sequence) != len(raw.strip()):
        raise InputError(where, "has gaps or blanks in its sequence", "remove them, and their labels")
    label = LABELS[kind](row["label"], sequence, where)
    return Record(row.get("id") or name, row.get("family") or "", sequence, label, partner)


def molecule(raw: str, where: str) -> str:
    """A sequence, normalised; InputError for none, and for a protein."""
    sequence = normalise(raw)
    if not sequence:
        raise InputError(where, "has no sequence", "remove the record, or give its sequence")
    if is_protein(raw):
        raise InputError(where, "has the sequence of a protein", "give nucleotides, or the right column in data")
    return sequence


# Labels by kind: (text, sequence, where) -> label


def pairs(text, sequence: str, where: str) -> list[tuple[int, int]]:
    """Base pairs: dot-bracket, or `1-10,2-9` from 1; of a file of structures they are pairs already."""
    if isinstance(text, list):
        return text
    fields = [field for field in BETWEEN.split(text.strip()) if field]
    if not all(PAIR.fullmatch(field) for field in fields):
        return structure("", sequence, text.strip(), where).pairs
    return from_one((tuple(map(int, field.split("-"))) for field in fields), len(sequence), where)


def classes(text, sequence: str, where: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InputError(where, "has no class", "give one, or remove the record")
    return text.strip()


def number(text, sequence: str, where: str) -> float:
    try:
        value = float(text)
    except (ValueError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(where, f"has {str(text)[:40]!r} where a number is due", "give one, or remove the record")
    return value


def positions(text, sequence: str, where: str) -> list[int]:
    """A 0 or 1 per nucleotide: `00110`, `0,0,1,1,0` or `[0, 0, 1, 1, 0]`; of a file of structures, 1 is paired."""
    if isinstance(text, list):
        paired = {base for pair in text for base in pair}
        return [int(base in paired) for base in range(len(sequence))]
    digits = LISTED.sub("", str(text))
    if set(digits) - {"0", "1"}:
        raise InputError(where, f"has {str(text)[:40]!r} where zeros and ones are due", "give 0 or 1 per nucleotide")
    if len(digits) != len(sequence):
        raise InputError(where, f"has {len(digits)} labels for {len(sequence)} nt", "give 0 or 1 per nucleotide")
    return [int(digit) for digit in digits]


LABELS = {"pairs": pairs, "classes": classes, "number": number, "positions": positions}
READERS = {"table": from_files}
