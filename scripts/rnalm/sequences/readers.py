"""Sequence files as they come: FASTA in any wrapping, plain, gzip (also blocked) or zstd; Stockholm.

Biopython parses over isal's decompression. Measured on 722,620 Rfam seed records (98 Mnt): 140 Mnt/s from
gzip, 230 Mnt/s plain; needletail 200 and 370, but it replaces header bytes that are not UTF-8 and reads no
zstd, and pyfastx stops at a truncated gzip file without a word. Normalisation costs more than either.
"""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from Bio.SeqIO.FastaIO import SimpleFastaParser

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_text
from rnalm.sequences.headers import NCBI, SPACE
from rnalm.sequences.stockholm import StockholmFamily, read_stockholm

__all__ = ["FASTA", "FastaRecord", "StockholmFamily", "read_fasta", "read_stockholm"]

FASTA = (".fa", ".fasta", ".fna")  # endings of names
HEADER = re.compile(rf"[{SPACE}]*([^{SPACE}\x01]*)[{SPACE}]*(.*)", re.DOTALL)


class FastaRecord(NamedTuple):
    """One record: `accession` is the first word of the header, `description` the rest, `sequence` as written."""

    accession: str
    description: str
    sequence: str


def read_fasta(path) -> Iterator[FastaRecord]:
    """Stream the records of a FASTA file; memory holds one record.

    InputError: no such file, nothing in it, no FASTA, broken compression, a header without an identifier, or
    a header without a sequence, which is what a truncated download looks like.
    """
    after = "at its start"
    try:
        with open_text(path) as handle:
            for header, sequence in _parse(path, handle):
                accession, description = _split(header)
                if not accession:
                    raise InputError(path, f"has a header without an identifier {after}", "name the record")
                if not sequence:
                    raise InputError(
                        f"{path}, record {accession}", "has a header but no sequence", "get the whole file again"
                    )
                yield FastaRecord(accession, description, sequence)
                after = f"after record {accession}"
    except BROKEN as error:
        raise broken(path, f"breaks off {after}", error) from error


def _parse(path, handle) -> Iterator[tuple[str, str]]:
    first = next((line for line in handle if line.strip()), "").removeprefix("\ufeff")
    if not first:
        raise InputError(path, "is empty", "give a FASTA file with at least one record")
    if not first.startswith(">"):
        raise InputError(
            path, f"is not FASTA: its first line is {first.strip()[:40]!r}", "give a file that starts with '>'"
        )
    return SimpleFastaParser(itertools.chain([first], handle))


def _split(header: str) -> tuple[str, str]:
    """Header without '>' -> (accession, description); Ctrl-A, which joins NCBI titles, stays in the description."""
    word, description = HEADER.match(header).groups()
    found = re.match(NCBI, word)
    return found[1] if found else word, description.rstrip(SPACE)
