"""The records of a file of any format as one stream of FASTA bytes.

FASTA itself passes through untouched, only decompressed. The other formats carry what they know beside the
title into the header, as tags at its end that `rnalm.sequences.headers` reads back:
  >NR_003051.3 Homo sapiens RMRP, RNase MRP RNA [moltype=transcribed RNA] [rna_type=RNase_MRP_RNA] [taxid=9606]
Memory holds a piece of the stream: of FASTA and a BLAST database 1 MiB whatever the record, of Stockholm
one alignment, of GenBank one record.
"""

import difflib
from collections.abc import Iterator

from rnalm.errors import InputError
from rnalm.sequences.blastdb import blastdb_fasta
from rnalm.sequences.compression import BROKEN, broken, open_binary, refuse_compressed

PIECE = 1 << 20  # bytes that are read at once, so few that they stay in the cache


def fasta_text(path, format: str) -> Iterator[bytes]:
    """The records of a file as FASTA bytes, in pieces of any size that may end within a record.

    path:   the file; of a BLAST database its folder, or its path without an extension
    format: a key of READERS
    InputError, here or from any piece: an unknown format, no such file, another format in it, a truncated or
    corrupt file. A stream that ends without an error was read to its end. To close the generator is to close the
    file, and to end the program that reads it.
    """
    if format not in READERS:
        nearest = difflib.get_close_matches(format, READERS, n=1, cutoff=0)[0]
        raise InputError(path, f"has the unknown format {format!r}", f"the nearest known one is {nearest!r}")
    return READERS[format](path)


def decompressed_fasta(path) -> Iterator[bytes]:
    """The decompressed bytes of a FASTA file."""
    done = 0
    try:
        with open_binary(path) as handle:
            while block := handle.read(PIECE):
                if not done:
                    refuse_compressed(path, block)
                yield block
                done += len(block)
    except BROKEN as error:
        raise broken(path, f"breaks off after {done:,} bytes of text", error) from error


def stockholm(path) -> Iterator[bytes]:
    # Biopython is imported where it is needed: it takes as long as reading 50 MB of FASTA.
    from rnalm.sequences.stockholm import stockholm_fasta

    return stockholm_fasta(path)


def genbank(path) -> Iterator[bytes]:
    from rnalm.sequences.genbank import genbank_fasta

    return genbank_fasta(path)


READERS = {"fasta": decompressed_fasta, "stockholm": stockholm, "genbank": genbank, "blastdb": blastdb_fasta}
