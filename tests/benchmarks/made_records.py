"""RNA-like FASTA of any size, for benchmarks: python made_records.py RECORDS OUTPUT[.gz] ...

Lengths follow RNAcentral's active sequences: 21 % below 100 nt, 10 % 100-200, 22 % 200-400, 20 % 400-600, 8 % 600-1024,
19 % above, up to 7,900 nt; mean 496 nt, median 373 (454 when cut at 1024). What makes a corpus work is there too:
- half of the records are members of families, copies of an ancestor with 0.5 to 12 % of its letters substituted, lost
  or inserted, so that two members are about 77 to 99 % identical; the other half are like no other record;
- one in eight repeats an earlier record letter by letter; with the members of short families that happen to be equal
  14 % are duplicates. No reverse complements are planted;
- one in ten is written in lower case, 1.5 % hold a run of N, and a share of choice is written as DNA, the rest with U.

Record i is a pure function of (seed, number of records, i), by a counter-based generator (splitmix64, Steele et al.
2014). So a repeat is made again from its number, wherever in the file it stands, and nothing is kept in memory.
"""

import argparse
import contextlib
import math
from pathlib import Path

import numba
import numpy as np
from isal import igzip

BUFFER = 1 << 24  # bytes
LONGEST_RECORD = 10_000  # bytes, with header and line ends
WIDTH = 60
# (share of the records, shortest, longest) in nt; below 100 nt the peaks of miRNA and piRNA, and of tRNA.
LENGTHS = np.array(
    [
        (0.085, 20, 35),
        (0.085, 65, 95),
        (0.04, 35, 100),
        (0.10, 100, 200),
        (0.22, 200, 400),
        (0.20, 400, 600),
        (0.08, 600, 1024),
        (0.184, 1024, 1236),
        (0.006, 1500, 7900),
    ]
)
REPEATED, IN_FAMILIES, WITH_N = 1 / 8, 1 / 2, 0.015
RECORDS_PER_FAMILY = 40
LARGEST_DIVERGENCE, SMALLEST_DIVERGENCE = 0.12, 0.005
TYPES = ("piRNA", "tRNA", "snoRNA", "misc_RNA", "sRNA", "lncRNA", "antisense_RNA", "rRNA", "rRNA")
NAMES = np.frombuffer("".join(name.ljust(16) for name in TYPES).encode(), np.uint8).reshape(len(TYPES), 16)
LETTERS = np.frombuffer(b"ACGTNACGUNacgtnacgun", np.uint8).reshape(4, 5)
# What a draw is for: draws for two purposes are independent.
ORIGIN, FAMILY, LENGTH, ANCESTOR, DIVERGENCE, RUN_OF_N, STYLE, SPECIES = range(8)


@numba.njit(inline="always", cache=True)
def mixed(state):
    """One of 2**64 numbers from another; splitmix64's finaliser."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@numba.njit(inline="always", cache=True)
def bits(seed, purpose, number):
    """The 64 bits that `number` has for one purpose."""
    return mixed(mixed(np.uint64(seed) + np.uint64(purpose) * np.uint64(0x9E3779B97F4A7C15)) + np.uint64(number))


@numba.njit(inline="always", cache=True)
def unit(value):
    """64 bits -> [0, 1)."""
    return (value >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(inline="always", cache=True)
def following(state):
    """The next state of a sequential generator; `mixed` makes the draw of it."""
    return state + np.uint64(0x9E3779B97F4A7C15)


@numba.njit(cache=True)
def origin_of(number, seed):
    """The record that this one repeats, or itself."""
    while number:
        value = unit(bits(seed, ORIGIN, number))
        if value >= REPEATED:
            break
        number = int(value / REPEATED * number)
    return number


@numba.njit(cache=True)
def family_of(number, records, seed):
    """The family of a record; a few are large. Numbers from `records` on are families of one."""
    value = unit(bits(seed, FAMILY, number))
    if value >= IN_FAMILIES:
        return records + number
    families = max(1, records // RECORDS_PER_FAMILY)
    return int(families * (value / IN_FAMILIES) ** 2)


@numba.njit(cache=True)
def length_of(family, seed, lengths):
    """(ancestor's length in nt, its class) of a family; evenly spread, so that the large families are not all long."""
    value = unit(bits(seed, LENGTH, 0) + np.uint64(family) * np.uint64(0x9E3779B97F4A7C15))
    for row in range(len(lengths)):
        if value < lengths[row, 0] or row == len(lengths) - 1:
            shortest, longest = lengths[row, 1], lengths[row, 2]
            return int(shortest + value / lengths[row, 0] * (longest - shortest)), row
        value -= lengths[row, 0]
    return 0, 0


@numba.njit(cache=True)
def sequence(number, family, length, seed, out):
    """Write a record's letters as 0..3, and 4 for N; returns their number, nt."""
    ancestor = bits(seed, ANCESTOR, family)
    own = bits(seed, DIVERGENCE, number)
    span = LARGEST_DIVERGENCE - SMALLEST_DIVERGENCE
    rate = SMALLEST_DIVERGENCE + span * unit(mixed(own))
    letters, size, change = np.uint64(0), 0, 0.0
    for place in range(length):
        if place % 32 == 0:
            ancestor = following(ancestor)
            letters = mixed(ancestor)
        letter = letters & np.uint64(3)
        letters >>= np.uint64(2)
        if place >= change:
            # The distance between two changes is exponential; the first place only starts the count.
            own = following(own)
            value = mixed(own)
            if place:
                kind = value & np.uint64(15)
                if kind == 0 and length >= 40:
                    change = place + 1 - math.log(1 - unit(value)) / rate
                    continue
                if kind == 1:
                    out[size] = (value >> np.uint64(4)) & np.uint64(3)
                    size += 1
                else:
                    letter = (letter + np.uint64(1) + (value >> np.uint64(4)) % np.uint64(3)) & np.uint64(3)
            change = place + 1 - math.log(1 - unit(value)) / rate
        out[size] = letter
        size += 1
    value = bits(seed, RUN_OF_N, number)
    if unit(value) < WITH_N:
        run = 1 + int(mixed(value) % np.uint64(max(1, min(10, size // 15))))
        start = int(mixed(mixed(value)) % np.uint64(size - run))
        out[start : start + run] = 4
    return size


@numba.njit(cache=True)
def put_number(value, base, digits, out, at):
    """Write a number with leading zeros; returns where to go on."""
    for place in range(digits - 1, -1, -1):
        digit = value % base
        out[at + place] = digit + (48 if digit < 10 else 55)
        value //= base
    return at + digits


@numba.njit(cache=True)
def put_text(text, out, at):
    """Write a row of bytes up to its first space; returns where to go on."""
    for byte in text:
        if byte == 32:
            break
        out[at] = byte
        at += 1
    return at


@numba.njit(cache=True)
def fill(out, first, records, seed, dna, lengths, names, letters, tail):
    """Write records as FASTA from number `first` on until `out` is full; returns (number of the next one, bytes)."""
    at, number, raw = 0, first, np.empty(LONGEST_RECORD, np.uint8)
    while number < records and at < len(out) - LONGEST_RECORD:
        origin = origin_of(number, seed)
        family = family_of(origin, records, seed)
        length, kind = length_of(family, seed, lengths)
        size = sequence(origin, family, length, seed, raw)
        out[at : at + 4] = (62, 85, 82, 83)  # >URS
        # A multiple of an odd number modulo 2**40: every number once, in no visible order.
        at = put_number((number * 0x9E3779B97F) % (1 << 40), 16, 10, out, at + 4)
        out[at] = 32
        at = put_text(names[kind], out, at + 1)
        species = 1 + int(1 / (1.001 - unit(bits(seed, SPECIES, number))))
        out[at : at + 6] = tail[0, :6]
        at = put_number(species, 10, 1 + int(math.log10(species)), out, at + 6)
        out[at : at + 8] = tail[1, :8]
        at += 8
        style = bits(seed, STYLE, number)
        row = (2 if mixed(style) % np.uint64(10) == 0 else 0) + (0 if unit(style) < dna else 1)
        for place in range(size):
            if place % WIDTH == 0:
                out[at] = 10
                at += 1
            letter = raw[place]
            out[at] = letters[row, letter]
            at += 1
        out[at] = 10
        at += 1
        number += 1
    return number, at


TAIL = np.frombuffer(b" from    species", np.uint8).reshape(2, 8)


@contextlib.contextmanager
def opened(path: Path):
    """A binary file to write to, compressed if its name ends in .gz."""
    with igzip.open(path, "wb") if path.suffix == ".gz" else open(path, "wb") as handle:
        yield handle


def write(paths: list[Path], records: int, dna: float, seed: int = 1) -> None:
    """Write the same records to every one of `paths`, compressed where the name ends in .gz; `dna`: share with T."""
    buffer, number = np.empty(BUFFER, np.uint8), 0
    with contextlib.ExitStack() as stack:
        handles = [stack.enter_context(opened(path)) for path in paths]
        while number < records:
            number, size = fill(buffer, number, records, seed, dna, LENGTHS, NAMES, LETTERS, TAIL)
            for handle in handles:
                handle.write(buffer[:size].data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=int)
    parser.add_argument("outputs", type=Path, nargs="+", help="FASTA; compressed where the name ends in .gz")
    parser.add_argument("--dna", type=float, default=0.5, help="share of the records that is written with T")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write(arguments.outputs, arguments.records, arguments.dna, arguments.seed)


if __name__ == "__main__":
    main()
