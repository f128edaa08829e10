"""Stockholm alignments with a consensus structure, and its projection onto single sequences.

The format: https://sonnhammer.sbc.su.se/Stockholm.html; the structure line is WUSS (Infernal user's guide,
"Output formats"): `<>`, `()`, `[]`, `{}` nest, letter pairs `A..a` are pseudoknots, all else is unpaired.
"""

import io
import itertools
from collections.abc import Iterable, Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from Bio import AlignIO

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_text

OPENS = "<([{" + ascii_uppercase
CLOSES = ">)]}" + ascii_lowercase
GAPS = "-.~_"


class StockholmFamily(NamedTuple):
    """One alignment: rows are (name, aligned) of equal width; `ss_cons` is as wide, or None where there is none.

    identifier, accession, description, type: `#=GF` ID, AC, DE and TP, empty where there is none
    """

    identifier: str
    accession: str
    rows: list[tuple[str, str]]
    ss_cons: str | None
    description: str
    type: str


def read_stockholm(path) -> Iterator[StockholmFamily]:
    """Stream the alignments of a Stockholm file (plain, gzip or zstd).

    InputError: no such file, another format, no alignment in it, broken compression, a last alignment without
    `//`, rows of unequal width, or a consensus structure with unbalanced brackets.
    """
    count = 0
    try:
        with open_text(path) as handle:
            for block in _blocks(path, handle):
                yield _family(path, block)
                count += 1
    except BROKEN as error:
        raise broken(path, f"breaks off after {count} alignments", error) from error
    if not count:
        raise InputError(path, "holds no alignment", "give a Stockholm file that starts with '# STOCKHOLM 1.0'")


def stockholm_fasta(path) -> Iterator[bytes]:
    """The FASTA bytes of one alignment after another: its rows with their gaps, as `-`.

    The header of a row: `>X01556.1/3-118 RF00001 5S_rRNA 5S ribosomal RNA [rna_type=rRNA]`
    """
    gaps = str.maketrans(dict.fromkeys(GAPS, "-"))
    for family in read_stockholm(path):
        words = family.accession, family.identifier, family.description
        rna_type = rfam_type(family.type)
        tag = f"[rna_type={rna_type}]" if rna_type else ""
        title = " ".join(filter(None, [*words, tag]))
        yield "".join(f">{name} {title}\n{row.translate(gaps)}\n" for name, row in family.rows).encode()


def rfam_type(kind: str) -> str | None:
    """Rfam's type of a family -> RNA type: `Gene; snRNA; snoRNA; CD-box;` -> snoRNA; `Gene;` alone says none."""
    words = [word.strip() for word in kind.split(";") if word.strip() not in ("", "Gene")]
    # Below these stand kinds of box and of splicing, which are no types of their own.
    return next((word for word in ("scaRNA", "snoRNA", "snRNA") if word in words), words[-1] if words else None)


def consensus_pairs(ss_cons: str) -> list[tuple[int, int]]:
    """Paired columns (i, j), i < j, 0-based, sorted; ValueError says which bracket has no partner."""
    stacks = {symbol: [] for symbol in OPENS}
    pairs = []
    for column, symbol in enumerate(ss_cons):
        if symbol in OPENS:
            stacks[symbol].append(column)
        elif symbol in CLOSES:
            stack = stacks[OPENS[CLOSES.index(symbol)]]
            if not stack:
                raise ValueError(f"{symbol!r} in column {column + 1} closes nothing")
            pairs.append((stack.pop(), column))
    for symbol, stack in stacks.items():
        if stack:
            raise ValueError(f"{symbol!r} in column {stack[-1] + 1} is never closed")
    return sorted(pairs)


def project(aligned: str, pairs: Iterable[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """One aligned row and the consensus pairs -> (its sequence without gaps, its own pairs, 0-based).

    A pair of columns with a gap on either side is dropped.
    """
    kept = [column for column, letter in enumerate(aligned) if letter not in GAPS]
    position = {column: index for index, column in enumerate(kept)}
    own = [(position[i], position[j]) for i, j in pairs if i in position and j in position]
    return "".join(aligned[column] for column in kept), own


def _blocks(path, handle) -> Iterator[list[str]]:
    """Lines of one alignment at a time, up to and with its `//`."""
    first = next((line for line in handle if line.strip()), "")
    if first and not first.startswith("# STOCKHOLM"):
        problem = f"is no Stockholm file: its first line is {first.strip()[:40]!r}"
        raise InputError(path, problem, "give a file that starts with '# STOCKHOLM 1.0'")
    lines = []
    for line in itertools.chain([first], handle):
        # Biopython would join the rows of two alignments.
        if line.startswith("# STOCKHOLM") and any(map(str.strip, lines)):
            raise _unfinished(path, lines)
        lines.append(line)
        if line.strip() == "//":
            yield lines
            lines = []
    if any(map(str.strip, lines)):
        raise _unfinished(path, lines)


def _unfinished(path, lines: list[str]) -> InputError:
    where = f"{path}, family {_annotation(lines, 'ID')}"
    return InputError(where, "does not end in '//'", "get the whole file again")


def _family(path, lines: list[str]) -> StockholmFamily:
    where = f"{path}, family {_annotation(lines, 'ID')}"
    try:
        alignment = AlignIO.read(io.StringIO("".join(lines).lstrip()), "stockholm")
    except ValueError as error:
        raise InputError(where, f"is no valid Stockholm alignment ({error})", "correct the file") from error
    ss_cons = alignment.column_annotations.get("secondary_structure")
    try:
        consensus_pairs(ss_cons or "")
    except ValueError as error:
        raise InputError(where, f"has unbalanced brackets in SS_cons, {error}", "correct the structure line") from error
    rows = [(row.id, str(row.seq)) for row in alignment]
    identifier, accession, description, kind = (_annotation(lines, feature) for feature in ("ID", "AC", "DE", "TP"))
    return StockholmFamily(identifier, accession, rows, ss_cons, description, kind)


def _annotation(lines: list[str], feature: str) -> str:
    """The first `#=GF feature` of an alignment, which Biopython drops; empty where there is none."""
    found = (line.split(None, 2) for line in lines if line.startswith("#=GF "))
    return next((parts[2].strip() for parts in found if len(parts) == 3 and parts[1] == feature), "")
