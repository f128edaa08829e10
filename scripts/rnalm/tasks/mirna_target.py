"""Readers of microRNAs and the pieces of mRNAs that they bind or do not bind (RNAret's `rri.py`, RNAErnie, miTAR).

The published files write the microRNA from 3' to 5', so that it lies on its target as it pairs; a target is written
from 5' to 3', as is everything here. Letters are mixed (U and T, by column and by source). A set is a file:

- CSV with a header, `a_name,a_seq,b_name,b_seq,label` (RNAErnie);
- text without one, `miRNA name, miRNA, gene, target, label` between blanks (miTAR, RNAret), also in RNAret's archive.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.compression import BROKEN, broken, open_text
from rnalm.sequences.names import stem, uncompressed
from rnalm.tasks import tables
from rnalm.tasks.archives import is_archive, texts
from rnalm.tasks.records import Record

COLUMNS = ("a_name", "a_seq", "b_name", "b_seq", "label")
MEMBER = re.compile(r"(?:.*/)?([^/]*(?:MirTar|miRAW|miRaw)[^/]*)\.txt")
LARGEST_MEMBER = 100_000_000  # bytes; the largest file has 41,863 rows, 4 MB
LABELS = {"0": "no", "1": "yes"}
# hsa-miR-17-5p in miRBase, 5' to 3', by both of its names: what tells which way a file writes its microRNAs.
LANDMARK = normalise("CAAAGUGCUUACAGUGCAGGUAG")
LANDMARK_NAMES = ("hsa-miR-17-5p", "MIMAT0000070")


def from_pairs(paths, settings: dict) -> dict[str, list[Record]]:
    """Pairs by file; both molecules 5' to 3', the label "yes" or "no", the family the gene."""
    sets = {}
    for path in paths:
        for name, rows in files(path):
            sets[name] = [record(name, number, row) for number, row in enumerate(rows, 1)]
    if not sets:
        raise InputError(settings["source"]["name"], "brought no pairs", "give *.csv, *.txt or RNAret's archive")
    return sets


def files(path) -> Iterator[tuple[str, Iterator]]:
    """(set, rows of (where, five fields)) of a file; none where it is of another kind."""
    if is_archive(path):
        for match, where, text in texts(path, MEMBER, LARGEST_MEMBER):
            yield match[1], fields(text.splitlines(), where)
    elif Path(uncompressed(path)).suffix == ".csv":
        rows = tables.read(path, COLUMNS).iter_rows()
        yield stem(path), ((f"{path}, line {line}", [field or "" for field in row]) for line, *row in rows)
    elif Path(uncompressed(path)).suffix == ".txt":
        yield stem(path), plain(path)


def plain(path) -> Iterator[tuple[str, list[str]]]:
    try:
        with open_text(path) as handle:
            yield from fields(handle, path)
    except BROKEN as error:
        raise broken(path, "it ends too early", error) from error


def fields(lines, where) -> Iterator[tuple[str, list[str]]]:
    """(where, five fields) of each line; InputError where it has another number of them."""
    for number, line in enumerate(lines, 1):
        found, place = line.split(), f"{where}, line {number}"
        if found and len(found) != len(COLUMNS):
            problem = f"has {len(found)} fields of {len(COLUMNS)}"
            raise InputError(place, problem, "give miRNA name, miRNA (3'->5'), gene, target and label")
        if found:
            yield place, found


def record(name: str, number: int, row: tuple[str, list[str]]) -> Record:
    """The pair in row `number` of a set; InputError for another label, an empty sequence, or a miRNA written 5'->3'."""
    where, (mirna, stored, gene, target, label) = row
    if label not in LABELS:
        raise InputError(where, f"has the label {label!r}", "write 1 for a pair that binds and 0 for one that does not")
    sequence, partner = normalise(stored), normalise(target)
    if not sequence or not partner:
        raise InputError(where, "has an empty sequence", "give both molecules")
    if mirna in LANDMARK_NAMES and sequence == LANDMARK:
        problem = f"writes {mirna} from 5' to 3', where these files write microRNAs from 3' to 5'"
        raise InputError(where, problem, "reverse the microRNAs of the file")
    return Record(f"{name}:{number}:{mirna}", gene, sequence[::-1], LABELS[label], partner)


READERS = {"mirna_pairs": from_pairs}
