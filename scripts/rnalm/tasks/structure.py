"""Readers of RNAs with base pairs: the records of the secondary-structure tasks.

Stockholm alignments, whose consensus structure is projected onto each row, bpRNA's `.st` files in
the zip of the SPOT-RNA split, and files of structures, one per set.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.names import uncompressed
from rnalm.sequences.readers import read_stockholm
from rnalm.sequences.stockholm import consensus_pairs, project
from rnalm.structure.files import Structure, parse_st, read
from rnalm.tasks.archives import texts
from rnalm.tasks.records import Record

STOCKHOLM = {".seed", ".sto", ".stk", ".stockholm"}
MEMBER = re.compile(r"bpRNA_dataset/([A-Z0-9]+)/(bpRNA_[^/]+)\.st")
LARGEST_MEMBER = 1_000_000  # bytes; the largest .st file has 8 kB, so this is a broken or hostile archive


def from_stockholm(paths, settings: dict) -> dict[str, list[Record]]:
    """Rows of Stockholm alignments; a set is an alignment, and `families` names the families of those it renames."""
    chosen = [path for path in paths if STOCKHOLM.intersection(path.suffixes)]
    if not chosen:
        raise InputError(settings["source"]["name"], "brought no Stockholm file", "give one named *.sto or *.seed.gz")
    families, sets = settings.get("families", {}), {}
    for path in chosen:
        for alignment in read_stockholm(path):
            name = alignment.identifier or alignment.accession
            where = f"{path}, alignment {name}"
            if alignment.ss_cons is None:
                raise InputError(where, "has no consensus structure", "add its '#=GC SS_cons' line, or remove it")
            if name in sets:
                raise InputError(where, "is not the only one of this name", "give every alignment its own '#=GF ID'")
            columns = consensus_pairs(alignment.ss_cons)
            projected = ((row, *project(aligned, columns)) for row, aligned in alignment.rows)
            sets[name] = [Record(row, families.get(name, name), normalise(raw), own) for row, raw, own in projected]
    check_families(sets, families)
    return sets


def check_families(sets: dict, families: dict[str, str]) -> None:
    """InputError where `families` names what the data lack: after a typo, a family would leak into its own hold-out."""
    for name in families:
        if name not in sets:
            raise InputError(f"families: {name}", "is no alignment of the data", f"choose from {', '.join(sets)}")


def from_st_zip(paths, settings: dict) -> dict[str, list[Record]]:
    """`.st` members of a zip; a set is a folder. bpRNA knows no families, only source databases."""
    sets = defaultdict(list)
    for folder, item in st_members(paths, settings):
        sets[folder].append(paired(item, item.name, item.name.split("_")[1], f"{folder}/{item.name}.st"))
    return dict(sets)


def st_members(paths, settings: dict) -> Iterator[tuple[str, Structure]]:
    """(folder, structure as it is written) of each `.st` member of a zip, read in memory."""
    chosen = [path for path in paths if path.suffix == ".zip"]
    if len(chosen) != 1:
        raise InputError(settings["source"]["name"], f"brought {len(chosen)} zip files", "it needs exactly one")
    for match, where, text in sorted(texts(chosen[0], MEMBER, LARGEST_MEMBER), key=lambda member: member[0].string):
        folder, name = match.groups()
        yield folder, parse_st(text, name, where)


def from_files(paths, settings: dict) -> dict[str, list[Record]]:
    """Files of structures (`*.dbn`, `*.ct`, `*.bpseq`, also compressed); a set is a file. They name no families."""
    sets = {}
    for path in paths:
        name = uncompressed(path).partition(".")[0]
        sets[name] = [paired(item, item.name, name, f"{path}, record {item.name}") for item in read(path)]
    return sets


def paired(item: Structure, name: str, family: str, where) -> Record:
    """The record of a structure; InputError for gaps in its sequence, without which its pairs would be others."""
    sequence = normalise(item.sequence)
    if len(sequence) != len(item.sequence):
        raise InputError(where, "has gaps or blanks in its sequence", "remove them, and count its pairs without them")
    return Record(name, family, sequence, item.pairs)


READERS = {"stockholm": from_stockholm, "st_zip": from_st_zip, "files": from_files}
