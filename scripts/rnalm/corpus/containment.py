"""Exact matches of a few sequences (queries) in very many (hits): the same, or one holds the other whole.

A search tool looks for what is similar and may miss what is equal: MMseqs2 masks low complexity, wants two seeds, and
drops short matches as insignificant. Here nothing is missed from SEED letters on; what is shorter is found where it is
the same whole. The queries are indexed on both strands and the others stream by: a look at every window of SEED letters
for queries that begin like it, and at the first window of each sequence for queries that hold it. Then letters are
compared one by one, ambiguity codes as letters.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit

from rnalm.sequences.alphabet import digest

SEED = 16  # letters of 2 bits: a window is a 32-bit number
SIEVE = 20  # bits of the number that tells quickly that no query begins like this
COMPLEMENT = str.maketrans("ACGTRYKMSWBDHVNI", "TGCAYRMKSWVHDBNN")  # inosine pairs with several: N
# Two bits of any letter: T, C, A, G differ, and an ambiguity code is as good as any of them to begin a comparison.
BASES = np.arange(256, dtype=np.uint64) >> np.uint64(1) & np.uint64(3)
STRANDS = np.array(["forward", "reverse"])
RELATIONS = np.array(["identical", "contains", "within"])  # of a hit as long as the query, longer, shorter
COLUMNS = {
    "strand": pl.String,
    "query": pl.String,
    "hit": pl.String,
    "relation": pl.String,
    "coverage": pl.Float64,
    "hit_coverage": pl.Float64,
    "alignment_length": pl.Int32,
}


def reverse_complement(sequence: str) -> str:
    """Of a normalised sequence."""
    return sequence.translate(COMPLEMENT)[::-1]


def both_strands(sequences: pl.Series) -> pl.Series:
    """Each sequence and, after it, its reverse complement."""
    pairs = ((sequence, reverse_complement(sequence)) for sequence in sequences)
    return pl.Series([sequence for pair in pairs for sequence in pair], dtype=pl.String)


@dataclass(frozen=True)
class Index:
    """Queries on both strands, query n forward in row 2n and reversed in row 2n + 1."""

    names: np.ndarray  # digest of the query of each row
    own: pl.DataFrame  # row, hit: its own digest
    letters: np.ndarray  # uint8, all rows one after the other
    ends: np.ndarray  # where each row begins, and the end of the last
    seeds: tuple  # the first window of each row: numbers (sorted), rows
    windows: tuple  # all windows: numbers (sorted), rows, places in them
    sieve: np.ndarray


def index(queries: pl.DataFrame) -> Index:
    """queries: digest, sequence; both distinct."""
    rows = both_strands(queries["sequence"])
    own = pl.DataFrame({"row": np.arange(len(rows)), "hit": pl.Series(map(digest, rows), dtype=pl.String)})
    letters, ends = concatenated(rows)
    numbers, owners, places = _windows(letters, ends)
    first = places == 0
    seeds = by_number(numbers[first], owners[first])
    sieve = np.zeros(2**SIEVE, np.bool_)
    sieve[seeds[0] >> np.uint32(32 - SIEVE)] = True
    return Index(
        np.repeat(queries["digest"].to_numpy(), 2), own, letters, ends, seeds, by_number(numbers, owners, places), sieve
    )


def find(index: Index, sequences: pl.DataFrame) -> pl.DataFrame:
    """All exact matches with `sequences` (digest, sequence): one row per strand, query, hit.

    relation: `identical`, `contains` (the hit holds the query) or `within` (the query holds the hit).
    coverage, hit_coverage: fraction of the query and of the hit that they have in common.
    """
    letters, ends = concatenated(sequences["sequence"])
    places = pl.DataFrame({"hit": sequences["digest"], "place": np.arange(len(sequences))})
    same = index.own.join(places, on="hit").select("row", "place").to_numpy()
    held = _pairs(letters, ends, index.letters, index.ends, *index.seeds, *index.windows, index.sieve)
    rows, hits = np.unique(np.concatenate([same, held]), axis=0).T
    query_lengths, lengths = np.diff(index.ends)[rows], np.diff(ends)[hits]
    common = np.minimum(query_lengths, lengths)
    return pl.DataFrame(
        {
            "strand": STRANDS[rows % 2],
            "query": index.names[rows],
            "hit": sequences["digest"].gather(hits),
            "relation": RELATIONS[np.sign(lengths - query_lengths)],
            "coverage": common / query_lengths,
            "hit_coverage": common / lengths,
            "alignment_length": common,
        },
        schema=COLUMNS,
    )


def concatenated(sequences: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Letters (uint8) of all sequences one after the other, and where each begins, with the end of the last."""
    ends = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum(sequences.str.len_bytes().to_numpy(), out=ends[1:])
    return np.frombuffer(sequences.str.join("").item().encode("ascii"), np.uint8), ends


def by_number(numbers, *others) -> tuple:
    """The columns, sorted by the first."""
    order = np.argsort(numbers, kind="stable")
    return numbers[order], *(column[order] for column in others)


@njit(cache=True)
def _windows(letters, ends):
    """Number, row and place in the row of every window of SEED letters, row by row."""
    numbers = np.empty(len(letters), np.uint32)
    owners, places = np.empty(len(letters), np.int32), np.empty(len(letters), np.int32)
    count = 0
    for row in range(len(ends) - 1):
        number = np.uint64(0)
        for at in range(ends[row], ends[row + 1]):
            number = (number << np.uint64(2) | BASES[letters[at]]) & np.uint64(0xFFFFFFFF)
            place = at - SEED + 1 - ends[row]
            if place >= 0:
                numbers[count], owners[count], places[count] = number, row, place
                count += 1
    return numbers[:count].copy(), owners[:count].copy(), places[:count].copy()


@njit(cache=True)
def _pairs(letters, ends, rows, row_ends, seeds, owners, windows, window_owners, window_places, sieve):
    """(row, sequence) of every match of two that are not of one length; some of them repeatedly."""
    found, count = np.empty((1024, 2), np.int64), 0
    for sequence in range(len(ends) - 1):
        start, end = ends[sequence], ends[sequence + 1]
        number = np.uint64(0)
        for at in range(start, end):
            number = (number << np.uint64(2) | BASES[letters[at]]) & np.uint64(0xFFFFFFFF)
            window = at - SEED + 1
            if window < start:
                continue
            if window == start:
                for hit in range(_first(windows, number), len(windows)):
                    if windows[hit] != number:
                        break
                    row = window_owners[hit]
                    begin = row_ends[row] + window_places[hit]
                    if _whole(letters, start, end, rows, begin, row_ends[row], row_ends[row + 1]):
                        found, count = _added(found, count, row, sequence)
            if sieve[number >> np.uint64(32 - SIEVE)]:
                for hit in range(_first(seeds, number), len(seeds)):
                    if seeds[hit] != number:
                        break
                    row = owners[hit]
                    if _whole(rows, row_ends[row], row_ends[row + 1], letters, window, start, end):
                        found, count = _added(found, count, row, sequence)
    return found[:count]


@njit(cache=True)
def _first(numbers, number):
    """Where `number` begins in the sorted `numbers`, or would; np.searchsorted costs ten times as much per call."""
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) >> 1
        if numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def _whole(short, start, end, long, begin, long_start, long_end):
    """Is short[start:end] what stands in `long` at `begin`, and is its sequence, long_start to long_end, longer?"""
    length, same = end - start, 0
    if begin < long_start or begin + length > long_end or length == long_end - long_start:
        return False
    while same < length and short[start + same] == long[begin + same]:
        same += 1
    return same == length


@njit(cache=True)
def _added(found, count, row, sequence):
    if count == len(found):
        larger = np.empty((2 * count, 2), np.int64)
        larger[:count] = found
        found = larger
    found[count, 0], found[count, 1] = row, sequence
    return found, count + 1
