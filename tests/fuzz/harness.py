"""One damaged file through the reading, normalisation and deduplication of the project, and what must hold of it.

An input ends in one of two ways. Refused: an InputError of one line. Accounted: every record of it is kept or dropped
by a named rule, what is kept is what the reference reads in it, and deduplication finds all of it again. Anything else,
another exception, a wrong count, a sequence that is not in the file, breaks `Broken`; what hangs ends the process.
"""

import contextlib
import faulthandler
import hashlib
import random
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import mutations
import polars as pl
import pyarrow
import reference
import seeds
from rnalm.corpus import deduplication
from rnalm.errors import InputError
from rnalm.sequences import fasta, normalisation, runs

LIMITS = {"min_length": 16, "max_length": 300, "max_n_fraction": 0.1}
TIMEOUT = 60  # seconds for an input
# Blocks of a reader, so small that records lie across their ends; every one is longer than the longest kept sequence.
BLOCKS = (400, 512, 1000, 4096, 1 << 16, fasta.BLOCK)
FORMATS = {"fasta": 0.6, "stockholm": 0.2, "genbank": 0.197, "blastdb": 0.003}
COMPRESSED = 0.2


class Broken(AssertionError):
    """The project did with an input what it must not do."""


@dataclass
class Input:
    """A file to read; `content` is None for a database of many files, `whole` what a compressed file holds."""

    path: Path
    format: str
    content: bytes | None
    block: int = fasta.BLOCK


@dataclass
class Batch:
    """What inputs came to: outcomes counted, and sources that wait for deduplication, {name: (source, accessions)}."""

    outcomes: Counter = field(default_factory=Counter)
    waiting: list = field(default_factory=list)


def made(number: int, seed: int, folder: Path, database: Path | None) -> Input:
    """The input of a number, written below `folder`.

    database: a whole BLAST database to damage; None: there is none, and FASTA takes its place
    """
    rng = random.Random(f"{seed}/{number}")
    (format,) = rng.choices(list(FORMATS), FORMATS.values())
    block = rng.choice(BLOCKS)
    if format == "blastdb" and database:
        return Input(damaged_database(rng, database, folder), format, None, block)
    format = "fasta" if format == "blastdb" else format
    data = mutations.damaged(rng, getattr(seeds, format)(rng))
    suffix = rng.choice([".gz", ".gz", ".bgz", ".zst"]) if rng.random() < COMPRESSED else ""
    path = folder / f"input.{format}{suffix}"
    content = data
    if suffix == ".zst":
        data = pyarrow.compress(data, codec="zstd", asbytes=True)
    elif suffix:
        data = mutations.compressed(rng, data)
        content = mutations.decompressed(data)
    path.write_bytes(data)
    return Input(path, format, content, block)


def damaged_database(rng: random.Random, database: Path, folder: Path) -> Path:
    copy = folder / "database"
    shutil.copytree(database.parent, copy)
    for path in rng.sample(sorted(copy.iterdir()), rng.choice([1, 1, 2])):
        change = rng.choice([mutations.cut, mutations.flip, mutations.flip, mutations.lose, None])
        if change:
            path.write_bytes(change(rng, path.read_bytes()))
        else:
            path.unlink()
    return copy / database.name


@contextlib.contextmanager
def small():
    """Runs, row groups and parts of a few records, so that many of each meet."""
    with (
        patch.object(normalisation, "RUN_BYTES", 2000),
        patch.object(runs, "ROWS_PER_GROUP", 2),
        patch.object(deduplication, "RECORDS_PER_PART", 20),
    ):
        yield


def read(item: Input, name: str, folder: Path):
    """Normalise an input as a source of its own; returns it, or InputError if it is refused."""
    source = normalisation.Source(name, "rnacentral", [normalisation.File(item.path, item.format)])
    rules = normalisation.Rules(**LIMITS)
    faulthandler.dump_traceback_later(TIMEOUT, exit=True)
    try:
        with small(), patch.object(fasta, "BLOCK", item.block), patch.object(fasta, "PIECE", item.block // 8):
            counts = normalisation.normalise(source, rules, folder, threads=1).counts
    except InputError as error:
        if "\n" in str(error):
            raise Broken(f"an error of several lines: {error!s}") from error
        return error
    finally:
        faulthandler.cancel_dump_traceback_later()
    return deduplication.counted(name, item.path, sorted(folder.glob("part-*.parquet")), counts)


def check(item: Input, outcome, folder: Path) -> list[tuple[str, str]]:
    """Compare an outcome with the reference; returns (accession, digest) of the kept records. Broken if it differs."""
    said = said_by_reference(item)
    if isinstance(outcome, InputError):
        # Of the other formats more can be wrong than the reference looks at.
        if isinstance(said, list) and item.format == "fasta":
            raise Broken(f"refused, though it holds {len(said)} records: {outcome}")
        return []
    if said is reference.WRONG:
        raise Broken(f"accepted with {outcome.kept} of {outcome.records} records, though it is damaged")
    kept, dropped = balanced(outcome, folder)
    if isinstance(said, list):
        same([digest for _, digest in kept], [digest for _, digest in said if digest], "kept sequences")
        if all(name is not None for name, _ in said):
            same([name for name, _ in kept], [name for name, digest in said if digest], "kept accessions")
            same(dropped, [name for name, digest in said if not digest], "dropped accessions")
    return kept


def said_by_reference(item: Input):
    """[(accession, digest or None if dropped)], WRONG, or None where an outcome of either kind may be right."""
    if item.format == "blastdb":
        return None
    if item.content is None:
        return reference.WRONG
    records = reference.read(item.content, item.format)
    if not isinstance(records, list):
        return records
    if item.format == "fasta" and longest_record(item.content) > item.block:
        # A header of more than a block is refused, and of a sequence only a block is looked at.
        return None
    return reference.expected(records, **LIMITS)


def longest_record(content: bytes) -> int:
    """Bytes from one header to the next, at most."""
    return max(map(len, re.split(rb"[\r\n]>", content)))


def balanced(source, folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """(accession, digest) of the kept records and accessions of the dropped ones; Broken if a count is wrong."""
    kept = [row for part in source.parts for row in pl.read_parquet(part).iter_rows(named=True)]
    dropped = pl.read_parquet(folder / "dropped.parquet")
    same([len(kept), source.records], [source.kept, source.kept + dropped.height], "numbers of records")
    same(dropped["rule"].to_list(), [rule for rule, n in source.dropped.items() for _ in range(n)], "rules")
    for row in kept:
        if hashlib.md5(row["sequence"].encode()).hexdigest() != row["digest"] or row["length"] != len(row["sequence"]):
            raise Broken(f"{row} has a wrong digest or length")
    return [(row["accession"], row["digest"]) for row in kept], dropped["accession"].to_list()


def same(found: list, expected: list, what: str) -> None:
    if Counter(found) != Counter(expected):
        raise Broken(
            f"{what}: {Counter(found) - Counter(expected)} too many, {Counter(expected) - Counter(found)} missing"
        )


def run(item: Input, name: str, folder: Path, batch: Batch) -> None:
    """Read an input, check it and put it on the heap for deduplication."""
    folder.mkdir()
    outcome = read(item, name, folder)
    kept = check(item, outcome, folder)
    batch.outcomes["refused" if isinstance(outcome, InputError) else "accounted", item.format] += 1
    if kept:
        batch.waiting.append((outcome, kept))


def merge(batch: Batch, folder: Path) -> None:
    """Deduplicate what waits; Broken unless every kept record of every input is found again, each sequence once."""
    if not batch.waiting:
        return
    folder.mkdir()
    sources = [source for source, _ in batch.waiting]
    try:
        with small():
            ledger = deduplication.deduplicate(sources, folder, threads=1)
    except InputError as error:
        raise Broken(f"deduplication: {error}") from error
    found = pl.concat(pl.read_parquet(path) for path in sorted(folder.glob("part-*.parquet")))
    if found["digest"].to_list() != sorted(set(found["digest"])):
        raise Broken("digests are not sorted, or one comes twice")
    named = [
        (r["source"], r["accession"], row["digest"]) for row in found.iter_rows(named=True) for r in row["sources"]
    ]
    same(named, [(s.name, *record) for s, kept in batch.waiting for record in kept], "records after deduplication")
    for source in sources:
        rules = {row["rule"]: row["records"] for row in ledger if row["source"] == source.name}
        if rules.pop("in") != sum(rules.values()) or sum(rules.values()) != source.records:
            raise Broken(f"the ledger of {source.name} does not balance: {rules}")
    batch.waiting = []
