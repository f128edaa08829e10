"""FASTA in bulk: a stream of bytes -> blocks of whole records -> columns of names and sequences.

- `blocks` cuts the stream between records, so that blocks can be parsed in any number of threads.
- `parse` reads a block in one compiled pass: plain bases are checked, upper-cased and copied by vector instructions,
  others one by one through the alphabet's tables. Bases take 2 to 4 GB/s on one core, in lines of 60 and of 1,200.
- A record longer than a block is squeezed while it is read: white space and gaps go, and what is beyond
  BLOCK letters is cut off. So a chromosome takes no more memory than any other block, on one line or many.
Lines end in `\\n`, `\\r\\n` or `\\r`. In plain Python all this is `alphabet.normalise` of what Biopython reads.
"""

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit

from rnalm.errors import InputError
from rnalm.sequences import alphabet
from rnalm.sequences.compression import LATIN1

BLOCK = 8 << 20  # bytes
PIECE = 1 << 20  # bytes that are read at once, so few that they stay in the cache until they are in a block
COUNTED = 1 << 16  # bytes in which headers are counted at once
STRIDE = 64  # bytes of a sequence that are looked at at once
SPARSE = 8  # bytes that are not, after one that is no base: more such are likely
SPELLING = np.frombuffer(alphabet.SPELLING, np.uint8)
KINDS = np.frombuffer(alphabet.KINDS, np.uint8)
BYTE_ORDER_MARK = codecs.BOM_UTF8
A, C, G, T, U, UPPER = (np.uint8(byte) for byte in b"ACGTU\xdf")
LF, CR, SPACE, TAB, VT, FF, HEADER, CTRL_A = (np.uint8(byte) for byte in b"\n\r \t\v\f>\x01")


class Records(NamedTuple):
    """The records of a block.

    identifiers:  text, the first word of each header; a Ctrl-A ends it, too
    descriptions: text, what follows it, without white space around it
    sequences:    large_string, normalised
    kinds:        int32, (7, records), how many bytes of a sequence as written are of each kind of the alphabet; but
                  bases, which are most of it, are not all counted
    """

    identifiers: pl.Series
    descriptions: pl.Series
    sequences: pa.LargeStringArray
    kinds: np.ndarray


def blocks(path, pieces: Iterable[bytes]) -> Iterator[np.ndarray]:
    """The text of a FASTA file, which comes in any pieces, in blocks of whole records, uint8.

    A block has about BLOCK bytes, and with a longer record at most three times that.

    InputError: an empty file, one that is not FASTA, or a header longer than a block
    """
    block, size, full = empty(), 0, BLOCK
    for piece in begun(path, even(pieces)):
        block[size : size + len(piece)] = np.frombuffer(piece, np.uint8)
        size += len(piece)
        if size >= full:
            cut = last_record(block[:size])
            rest = squeeze(path, block[cut:size].tobytes())
            if cut:
                yield block[:cut]
                block = empty()
            size, full = len(rest), len(rest) + BLOCK
            block[:size] = np.frombuffer(rest, np.uint8)
    yield block[:size]


def empty() -> np.ndarray:
    """Room for the longest block. Memory that is not written to is not taken."""
    return np.empty(3 * BLOCK + 2 * PIECE, np.uint8)


def even(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of text in pieces of at least PIECE bytes and less than twice that; the last may be smaller."""
    waiting, size = [], 0
    for whole in pieces:
        for start in range(0, len(whole), PIECE):
            waiting.append(whole[start : start + PIECE])
            size += len(waiting[-1])
            if size >= PIECE:
                yield b"".join(waiting)
                waiting, size = [], 0
    yield b"".join(waiting)


def begun(path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text from its first record on, which nothing but blanks may stand before."""
    start = next(pieces).removeprefix(BYTE_ORDER_MARK).lstrip()
    while not start and (piece := next(pieces, b"")):
        start = piece.lstrip()
    if not start:
        raise InputError(path, "is empty", "give a FASTA file with at least one record")
    if not start.startswith(b">"):
        line = start[:40].splitlines()[0].decode("utf-8", "replace")
        raise InputError(path, f"is not FASTA: its first line is {line!r}", "give a file that starts with '>'")
    yield start
    yield from pieces


def last_record(text: np.ndarray) -> int:
    """Where the last record that begins within a text begins; 0 if none does."""
    for reach in (1 << 16, len(text)):  # nearly always it is short
        tail = text[-reach:].tobytes()
        if found := 1 + max(tail.rfind(b"\n>"), tail.rfind(b"\r>")):
            return len(text) - len(tail) + found
    return 0


def squeeze(path, record: bytes) -> bytes:
    """The beginning of a record in fewer bytes that mean the same, and never more than two blocks of them."""
    if len(record) <= BLOCK:
        return record
    lines = record.split(b"\n", 1) if b"\n" in record[:BLOCK] else record.split(b"\r", 1)
    if len(lines) == 1 or len(lines[0]) > BLOCK:
        raise InputError(path, f"has a header of more than {BLOCK:,} bytes", "is it FASTA?")
    letters = lines[1].translate(None, alphabet.BLANKS + alphabet.GAPS)[:BLOCK]
    end = b"\n" if record.endswith((b"\n", b"\r")) else b""
    # A gap stands for a sequence that has only gaps so far, and before a `>` that did not begin its line.
    return b"%b\n-%b%b" % (lines[0], letters, end)


def parse(text: np.ndarray) -> Records:
    """The records of a block, which begins with `>`; headers are collected in its own place, so it is used up."""
    most = sum(np.count_nonzero(text[at : at + COUNTED] == HEADER) for at in range(0, len(text), COUNTED))
    sequences = np.empty(len(text) + STRIDE, np.uint8)  # a stride is copied before it is known how much of it counts
    word_ends, sequence_ends = np.zeros(2 * most + 1, np.int64), np.zeros(most + 1, np.int64)
    kinds = np.zeros((7, most), np.int32)
    records = _scan(text, word_ends, sequences, sequence_ends, kinds)
    word_ends = word_ends[: 2 * records + 1]
    words = pl.Series(text_column(text[: word_ends[-1]].copy(), word_ends))
    return Records(
        words.gather_every(2),
        words.gather_every(2, 1),
        string_column(sequences, sequence_ends[: records + 1]),
        kinds[:, :records],
    )


def string_column(letters: np.ndarray, ends: np.ndarray) -> pa.LargeStringArray:
    """Strings that stand one after the other in `letters`; ends: (strings + 1,), from 0."""
    return pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(letters))


def text_column(letters: np.ndarray, ends: np.ndarray) -> pa.LargeStringArray:
    """As `string_column`, of text that is UTF-8, or Latin-1 where it is not (old databases)."""
    column = string_column(letters, ends)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        column = column.cast(pa.large_binary(), safe=False)
        return pa.array([line.decode("utf-8", LATIN1) for line in column.to_pylist()], pa.large_string())
    return column


@njit(nogil=True, cache=True)
def _scan(text, word_ends, sequences, sequence_ends, kinds):
    """Fill in what `parse` has allocated; returns the number of records."""
    at = header = letter = 0  # places in the text, where it is read and where headers go, and in sequences
    record = -1
    while at < len(text):
        if text[at] == HEADER:
            record += 1
            at = _blanks(text, at + 1)
            while at < len(text) and text[at] != LF and text[at] != CR and text[at] != CTRL_A and not _blank(text[at]):
                text[header] = text[at]
                header += 1
                at += 1
            word_ends[2 * record + 1] = header
            at = _blanks(text, at)
            while at < len(text) and text[at] != LF and text[at] != CR:
                text[header] = text[at]
                header += 1
                at += 1
            while header > word_ends[2 * record + 1] and _blank(text[header - 1]):
                header -= 1
            word_ends[2 * record + 2] = header
        else:
            until = at  # bytes before it are looked at one by one
            while at < len(text) and text[at] != LF and text[at] != CR:
                kind = KINDS[text[at]]
                if kind == alphabet.BASE and at >= until and at + STRIDE <= len(text):
                    bases = _bases(text[at : at + STRIDE], sequences[letter : letter + STRIDE])
                    letter += bases
                    at += bases
                    until = at + (bases < STRIDE) * SPARSE
                else:
                    kinds[kind, record] += 1
                    sequences[letter] = SPELLING[text[at]]
                    letter += kind > alphabet.GAP
                    at += 1
        at += 1
        sequence_ends[record + 1] = letter
    return record + 1


@njit(nogil=True)
def _blanks(text, at):
    """The first place from `at` on that is not blank."""
    while at < len(text) and _blank(text[at]):
        at += 1
    return at


@njit(nogil=True)
def _blank(byte):
    return byte in (SPACE, TAB, VT, FF)


@njit(nogil=True)
def _bases(text, spelled):
    """How many of STRIDE bytes are bases before one is not; all are copied in upper case, U as T."""
    all_bases = True
    for i in range(STRIDE):
        letter = text[i] & UPPER
        letter = T if letter == U else letter
        spelled[i] = letter
        all_bases &= (letter == A) | (letter == C) | (letter == G) | (letter == T)
    if all_bases:
        return STRIDE
    first = np.uint8(STRIDE)  # a byte, for 64 of them are compared at once
    for i in range(STRIDE):
        letter = spelled[i]
        is_base = (letter == A) | (letter == C) | (letter == G) | (letter == T)
        first = min(first, np.uint8(STRIDE) if is_base else np.uint8(i))
    return np.int64(first)
