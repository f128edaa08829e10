"""The records of a file of any format as one stream of FASTA bytes.

FASTA itself passes through untouched, only decompressed. The other formats carry what they know beside the
title into the header, as tags at its end that `rnalm.sequences.headers` reads back:
  >NR_003051.3 Homo sapiens RMRP, RNase MRP RNA [moltype=transcribed RNA] [rna_type=RNase_MRP_RNA] [taxid=9606]
Memory holds a block of bytes: of FASTA and a BLAST database 1 MiB whatever the record, of Stockholm one
alignment, of GenBank one record.
"""

import difflib
import io
from collections.abc import Iterator
from typing import BinaryIO

from rnalm.errors import InputError
from rnalm.sequences.blastdb import blastdb_fasta
from rnalm.sequences.compression import BROKEN, broken, open_binary
from rnalm.sequences.genbank import genbank_fasta
from rnalm.sequences.stockholm import stockholm_fasta

BLOCK = 1 << 20  # bytes


def open_fasta(path, format: str) -> BinaryIO:
    """The records of a file as FASTA bytes, to be read from start to end and closed.

    path:   the file; of a BLAST database its folder, or its path without an extension
    format: a key of READERS
    InputError, here or from any read: an unknown format, no such file, another format in it, a truncated or
    corrupt file. A stream that ends without an error was read to its end.
    """
    if format not in READERS:
        nearest = difflib.get_close_matches(format, READERS, n=1, cutoff=0)[0]
        raise InputError(path, f"has the unknown format {format!r}", f"the nearest known one is {nearest!r}")
    return io.BufferedReader(Blocks(READERS[format](path)), BLOCK)


def fasta(path) -> Iterator[bytes]:
    """The decompressed bytes of a FASTA file."""
    done = 0
    try:
        with open_binary(path) as handle:
            while block := handle.read(BLOCK):
                yield block
                done += len(block)
    except BROKEN as error:
        raise broken(path, f"breaks off after {done:,} bytes of text", error) from error


READERS = {"fasta": fasta, "stockholm": stockholm_fasta, "genbank": genbank_fasta, "blastdb": blastdb_fasta}


class Blocks(io.RawIOBase):
    """A generator of blocks of bytes as a file; to close the file is to close the generator."""

    def __init__(self, blocks: Iterator[bytes]):
        self.blocks, self.rest = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self.rest:
            block = next(self.blocks, None)
            if block is None:
                return 0
            self.rest = memoryview(block)
        size = min(len(buffer), len(self.rest))
        buffer[:size] = self.rest[:size]
        self.rest = self.rest[size:]
        return size

    def close(self) -> None:
        self.blocks.close()
        super().close()
