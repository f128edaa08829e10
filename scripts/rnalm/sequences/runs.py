"""Sorted runs: records in Parquet files, each sorted by digest, that are merged one range of digests at a time.

Digests are uniform. So equal ranges of them hold about equally many records, whatever the records are; the row groups
of a run are cut at such ranges, and to read one range of many runs touches nothing else.
"""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

ROWS_PER_GROUP = 800
GROUPS = 128  # at most in a run
# How runs are written: such that stay, and such that are gone in a minute.
STORED = {"compression": "zstd", "compression_level": 1}
PASSING = {"compression": "none"}


def write(records: pl.DataFrame, path: Path, storage: dict) -> None:
    """Write records, whose first column is `digest`, as a run; the same records give the same bytes."""
    records = records.sort("digest", maintain_order=True)
    groups = power_of_two(records.height // ROWS_PER_GROUP, GROUPS)
    cuts = [records["digest"].search_sorted(edge(number, groups)) for number in range(groups + 1)]
    table = records.to_arrow()
    with pq.ParquetWriter(
        path,
        table.schema,
        use_dictionary=["rna_type", "source"],
        write_statistics=["digest"],
        **storage,
    ) as writer:
        for start, end in pairwise(cuts):
            if end > start:
                writer.write_table(table[start:end])


def scan(paths: list[Path], number: int, ranges: int) -> pl.LazyFrame:
    """The records of some runs in the `number`-th of `ranges` equal ranges of digests."""
    digest = pl.col("digest")
    return pl.scan_parquet(paths).filter((digest >= edge(number, ranges)) & (digest < edge(number + 1, ranges)))


def edge(number: int, ranges: int) -> str:
    """Where the `number`-th of so many equal ranges of digests begins, a power of two; digests compare as text."""
    return f"{number * 2**32 // ranges:08x}" if number < ranges else "g"


def power_of_two(number: int, most: int) -> int:
    """The largest power of two that is at most `number` and `most`, and at least 1."""
    return 1 << (max(1, min(number, most)).bit_length() - 1)
