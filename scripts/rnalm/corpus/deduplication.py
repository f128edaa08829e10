"""Exact deduplication: the normalised shards of all sources -> unique sequences, sorted by digest.

Sequences are one when their digests are (the digest is the MD5 of the normalised sequence, so U/T and case no longer
matter). Every record stays named in `sources`; the first of them, by source order and then accession, is the *kept*
one and all others count as *merged*. Work is out of core: records are scattered by the first letters of their digest,
and because digests are uniform every bucket is small, whatever the sources hold.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rnalm import files, provenance
from rnalm.corpus import partitions
from rnalm.errors import InputError

ROWS_PER_PART = 500_000
ROWS_PER_BUCKET = 500_000


@dataclass(frozen=True)
class Source:
    """One normalised source: where its manifest is and what it counted."""

    name: str
    manifest: Path
    parts: list[Path]
    records: int
    kept: int
    dropped: dict[str, int]


def read_source(manifest) -> Source:
    """The source behind a manifest of `normalise`; InputError where a shard is not the one it recorded."""
    content, base = provenance.load(manifest), Path(manifest).parent
    shards = [item for item in content["outputs"] if Path(item["path"]).name.startswith("part-")]
    for item in shards:
        path = base / item["path"]
        if not path.is_file() or files.sha256(path) != item["sha256"]:
            raise InputError(path, f"is not the file that {manifest} recorded", "run the normalise stage again")
    counts = content["counts"]
    return Source(
        name=content["parameters"]["source"],
        manifest=Path(manifest),
        parts=[base / item["path"] for item in shards],
        records=counts["records"],
        kept=counts["kept"],
        dropped={rule.removeprefix("dropped."): n for rule, n in counts.items() if rule.startswith("dropped.")},
    )


def deduplicate(sources: list[Source], folder: Path) -> list[dict]:
    """Write the unique sequences as `folder`/part-00000.parquet...; returns the checked ledger.

    Columns: digest, sequence, length (int32, nt), rna_type (of the first record that has one), sources
    (list of {source, accession}, kept record first). Ledger: dictionaries of source, rule, records.
    Raises InputError for no sequences, two sequences under one digest, or records unaccounted for.
    """
    total = sum(source.kept for source in sources)
    if not total:
        names = ", ".join(str(source.manifest) for source in sources)
        raise InputError(names, "no sequence is left after normalisation", "check the sources and the filters")
    kept, named = Counter(), Counter()
    buckets = folder / "buckets"
    letters = bucket_letters(total)
    partitions.scatter(scan(sources), pl.col("digest").str.slice(0, letters), buckets)
    for number, part in enumerate(partitions.equal_parts(unique_buckets(buckets, letters), ROWS_PER_PART)):
        kept.update(tally(part["sources"].list.first()))
        named.update(tally(part["sources"].explode()))
        partitions.write(part, folder / f"part-{number:05d}.parquet")
    shutil.rmtree(buckets)
    return ledger(sources, kept, merged=named - kept)


def tally(records: pl.Series) -> dict[str, int]:
    """How many of these {source, accession} each source has."""
    return dict(records.struct.field("source").value_counts().iter_rows())


def bucket_letters(records: int) -> int:
    """How many hexadecimal letters of the digest make buckets of at most ROWS_PER_BUCKET records on average."""
    letters = 1
    while records > ROWS_PER_BUCKET * 16**letters:
        letters += 1
    return letters


def scan(sources: list[Source]) -> pl.LazyFrame:
    """All records of all sources, with `rank`, the place of their source in the order of the sources."""
    return pl.concat(
        pl.scan_parquet(source.parts)
        .select("digest", "sequence", "length", "rna_type", "source", "accession")
        .with_columns(rank=pl.lit(rank, dtype=pl.Int32))
        for rank, source in enumerate(sources)
        if source.parts
    )


def unique_buckets(buckets: Path, letters: int) -> Iterator[pl.DataFrame]:
    """The unique sequences of each bucket, in the order of digests."""
    for number in range(16**letters):
        records = partitions.gather(buckets, f"{number:0{letters}x}")
        if not records.is_empty():
            yield unique(records)


def unique(records: pl.DataFrame) -> pl.DataFrame:
    """One row per digest, sorted by digest. Sequences are compared only to prove that digests did not collide."""
    records = records.sort("digest", "rank", "accession", "rna_type", nulls_last=True)
    same_digest = pl.col("digest") == pl.col("digest").shift(1)
    other_sequence = pl.col("sequence") != pl.col("sequence").shift(1)
    wrong_length = pl.col("length") != pl.col("sequence").str.len_bytes()
    for broken in records.filter((same_digest & other_sequence) | wrong_length).head(1).iter_rows(named=True):
        where = f"{broken['source']} record {broken['accession']}"
        raise InputError(where, f"does not belong to its digest {broken['digest']}", "run the normalise stage again")
    return records.group_by("digest", maintain_order=True).agg(
        pl.col("sequence", "length").first(),
        pl.col("rna_type").drop_nulls().first(),
        pl.struct("source", "accession").alias("sources"),
    )


def ledger(sources: list[Source], kept: Counter, merged: Counter) -> list[dict]:
    """Rows source, rule, records; `kept` and `merged` are counted in what was written.

    Raises InputError unless, for every source, records in = kept + merged + dropped by rule.
    """
    rows = []
    for source in sources:
        rules = {"kept": kept[source.name], "merged": merged[source.name], **dict(sorted(source.dropped.items()))}
        if sum(rules.values()) != source.records:
            problem = f"read {source.records} records but accounts for {sum(rules.values())} ({rules})"
            raise InputError(source.manifest, problem, "run the normalise stage again")
        rules = {"in": source.records, **rules}
        rows += [{"source": source.name, "rule": rule, "records": number} for rule, number in rules.items()]
    return rows
