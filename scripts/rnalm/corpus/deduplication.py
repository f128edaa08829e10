"""Exact deduplication: the runs of all sources -> unique sequences, sorted by digest.

Sequences are one when their digests are (the digest is the MD5 of the normalised sequence, so U/T and case no longer
matter). Every record stays named in `sources`; the first of them, by source order and then accession, is the *kept*
one and all others count as *merged*. Work is out of core: the runs are merged one range of digests at a time, and
because digests are uniform all ranges are about equally large, whatever the sources hold.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rnalm import files, provenance
from rnalm.errors import InputError
from rnalm.parallel import in_order
from rnalm.progress import Progress
from rnalm.sequences import runs

RECORDS_PER_PART = 50_000  # twice that at most, on average
ROWS_PER_GROUP = 25_000
LEAVES = ("digest", "length", "rna_type", "sources.list.element.source", "sources.list.element.accession")
COMPRESSION = {"sequence": "snappy"} | dict.fromkeys(LEAVES, "zstd")


@dataclass(frozen=True)
class Source:
    """One normalised source: where it lies, its runs, and what was counted."""

    name: str
    where: Path
    parts: list[Path | pl.DataFrame]
    records: int
    kept: int
    dropped: dict[str, int]


def counted(name: str, where: Path, parts: list[Path | pl.DataFrame], counts: dict[str, int]) -> Source:
    """A source whose counts are those of the normalise stage."""
    dropped = {rule.removeprefix("dropped."): n for rule, n in counts.items() if rule.startswith("dropped.")}
    return Source(name, where, parts, counts["records"], counts["kept"], dropped)


def read_source(manifest) -> Source:
    """The source behind a manifest of `normalise`; InputError where a run is not the one it recorded."""
    content, base = provenance.load(manifest), Path(manifest).parent
    parts = [item for item in content["outputs"] if Path(item["path"]).name.startswith("part-")]
    for item in parts:
        path = base / item["path"]
        if not path.is_file() or files.sha256(path) != item["sha256"]:
            raise InputError(path, f"is not the file that {manifest} recorded", "run the normalise stage again")
    found = [base / item["path"] for item in parts]
    return counted(content["parameters"]["source"], Path(manifest), found, content["counts"])


def deduplicate(sources: list[Source], folder: Path, threads: int) -> list[dict]:
    """Write the unique sequences as `folder`/part-00000.parquet...; returns the checked ledger.

    Columns: digest, sequence, length (int32, nt), rna_type (of the first record that has one), sources
    (list of {source, accession}, kept record first). Ledger: dictionaries of source, rule, records.
    Raises InputError for no sequences, a source given twice, two sequences of one digest, or records unaccounted for.
    """
    for name, times in Counter(source.name for source in sources).items():
        if times > 1:
            raise InputError(name, "is given more than once, as the name of a source", "give each source once")
    total = sum(source.kept for source in sources)
    if not total:
        names, dropped = ", ".join(source.name for source in sources), Counter()
        for source in sources:
            dropped.update(source.dropped)
        why = ", ".join(f"{number:,} {rule}" for rule, number in sorted(dropped.items()))
        raise InputError(names, f"no sequence is left after normalisation ({why})", "check the sources and the limits")
    pa.default_memory_pool().release_unused()  # what the sources' blocks have left behind
    kept, named = (np.zeros(len(sources), np.int64) for _ in range(2))
    progress = Progress()
    ranges = runs.power_of_two(total // RECORDS_PER_PART)
    merge = partial(merge_range, sources, folder, ranges)
    for number, (first, every) in enumerate(in_order(merge, range(ranges), threads), 1):
        kept += first
        named += every
        progress(f"{number} of {ranges} ranges of digests: {kept.sum():,} unique of {named.sum():,} records")
    return ledger(sources, kept.tolist(), (named - kept).tolist())


def merge_range(sources: list[Source], folder: Path, ranges: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Write the unique sequences of one range of digests; returns the kept and all records of each source."""
    records = pl.concat(
        runs.scan(source.parts, number, ranges).select(
            *runs.MERGED, "key", source=pl.lit(source.name), rank=pl.lit(rank, dtype=pl.Int32)
        )
        for rank, source in enumerate(sources)
        if source.parts
    )
    records, again = ordered(records.collect().rechunk())
    found, path = unique(records, again), folder / f"part-{number:05d}.parquet"
    schema = as_arrow(found.head(0)).schema
    with pq.ParquetWriter(
        path,
        schema,
        compression=COMPRESSION,
        use_dictionary=["rna_type", "sources.list.element.source"],
        write_statistics=["digest"],
        store_schema=False,  # readers need not know of views
    ) as writer:
        # A row group at a time: what is copied for it stays small.
        for group in found.iter_slices(ROWS_PER_GROUP):
            writer.write_table(as_arrow(group))
    files.sha256(path)  # here, in a thread of its own; the manifest asks for it
    rank = records["rank"].to_numpy()
    return np.bincount(rank[~again], minlength=len(sources)), np.bincount(rank, minlength=len(sources))


def as_arrow(found: pl.DataFrame) -> pa.Table:
    """The same rows; sequences, which are most of them, are not copied: views of where they are."""
    views = found["sequence"].to_arrow(compat_level=pl.CompatLevel.newest())
    return found.drop("sequence").to_arrow().add_column(1, "sequence", views)


def ordered(records: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
    """The records by digest, then source order and accession; and which have the digest of the one before.

    Sorted and compared as numbers, and as text only where those are equal.
    """
    rows = np.argsort(records["key"].to_numpy())
    key, again = records["key"].to_numpy()[rows], np.zeros(len(rows), bool)
    again[1:] = key[1:] == key[:-1]
    tied = np.flatnonzero(again | np.append(again[1:], False))
    by = pl.arg_sort_by("digest", "rank", "accession", "rna_type", nulls_last=True)
    rows[tied] = rows[tied][records[rows[tied]].select(by.alias("row"))["row"].to_numpy()]
    records, later = records[rows], np.flatnonzero(again)
    again[later] = records["digest"][later] == records["digest"][later - 1]
    return records, again


def unique(records: pl.DataFrame, again: np.ndarray) -> pl.DataFrame:
    """One row per digest of `ordered` records. Sequences are compared only to prove that digests did not collide."""
    refuse_collisions(records, again)
    first = np.flatnonzero(~again)
    named = records.select("source", "accession").to_struct().to_arrow()
    # From a buffer: pyarrow imports pandas, if it is installed, to look at a numpy array.
    ends = pa.py_buffer(np.append(first, records.height))
    ends = pa.Array.from_buffers(pa.int64(), len(first) + 1, [None, ends])
    return records[first].select(
        "digest",
        "sequence",
        "length",
        rna_type=first_known(records["rna_type"], first),
        sources=pl.from_arrow(pa.LargeListArray.from_arrays(ends, named)),
    )


def refuse_collisions(records: pl.DataFrame, again: np.ndarray) -> None:
    """InputError if two sequences of these `ordered` records have one digest, or a length is wrong."""
    wrong_length = records.filter(pl.col("length") != pl.col("sequence").str.len_bytes())
    later = np.flatnonzero(again)
    other_sequence = records[later].filter(records["sequence"][later] != records["sequence"][later - 1])
    for broken in pl.concat([wrong_length.head(1), other_sequence.head(1)]).head(1).iter_rows(named=True):
        where = f"{broken['source']} record {broken['accession']}"
        raise InputError(where, f"does not belong to its digest {broken['digest']}", "run the normalise stage again")


def first_known(values: pl.Series, first: np.ndarray) -> pl.Series:
    """The first value that is not null of each group of rows; `first`: where the groups begin."""
    if values.null_count() == len(values) or not len(first):
        return values.gather(first)
    rows = np.where(values.is_not_null(), np.arange(len(values)), len(values))
    known = pl.Series(np.minimum.reduceat(rows, first))
    return values.gather(known.replace(len(values), None))


def ledger(sources: list[Source], kept: list[int], merged: list[int]) -> list[dict]:
    """Rows source, rule, records; `kept` and `merged` of each source are counted in what was written.

    Raises InputError unless, for every source, records in = kept + merged + dropped by rule.
    """
    rows = []
    for source, written, named in zip(sources, kept, merged, strict=True):
        rules = {"kept": written, "merged": named, **dict(sorted(source.dropped.items()))}
        if sum(rules.values()) != source.records:
            problem = f"read {source.records} records but accounts for {sum(rules.values())} ({rules})"
            raise InputError(source.where, problem, "run the normalise stage again")
        rules = {"in": source.records, **rules}
        rows += [{"source": source.name, "rule": rule, "records": number} for rule, number in rules.items()]
    return rows


def totals(ledger: list[dict]) -> dict[str, int]:
    """Records of all sources: in, kept, merged, dropped."""
    found = {rule: sum(row["records"] for row in ledger if row["rule"] == rule) for rule in ("in", "kept", "merged")}
    return found | {"dropped": found["in"] - found["kept"] - found["merged"]}
