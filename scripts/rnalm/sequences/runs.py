"""Sorted runs: records in Parquet files, each sorted by digest, that are merged one range of digests at a time.

Digests are uniform. So equal ranges of them hold about equally many records, whatever the records are; the row groups
of a run are cut at such ranges, and to read one range of many runs touches nothing else.
"""

from bisect import bisect_left, bisect_right
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

ROWS_PER_GROUP = 1000
GROUPS = 256  # at most in a run


def write(records: pl.DataFrame, path: Path) -> None:
    """Write records, whose first column is `digest`, as a run; the same records give the same bytes."""
    records = records.sort("digest", maintain_order=True)
    groups = power_of_two(records.height // ROWS_PER_GROUP, GROUPS)
    cuts = [records["digest"].search_sorted(edge(number, groups)) for number in range(groups + 1)]
    schema = records.clear().to_arrow().schema
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=["rna_type", "source"],
        write_statistics=["digest"],
    ) as writer:
        for start, end in pairwise(cuts):
            if end > start:
                writer.write_table(records[start:end].to_arrow())


def read(path: Path, number: int, ranges: int, columns: list[str]) -> pl.DataFrame:
    """The records of a run in the `number`-th of `ranges` equal ranges of digests."""
    low, high = edge(number, ranges), edge(number + 1, ranges)
    with pq.ParquetFile(path) as run:
        groups = [run.metadata.row_group(group).column(0) for group in range(run.num_row_groups)]
        first = bisect_left(groups, low, key=lambda group: group.statistics.max)
        end = bisect_right(groups, high, key=lambda group: group.statistics.min)
        table = run.read_row_groups(range(first, end), columns, use_threads=False)
    return pl.from_arrow(table).filter((pl.col("digest") >= low) & (pl.col("digest") < high))


def edge(number: int, ranges: int) -> str:
    """Where the `number`-th of so many equal ranges of digests begins, a power of two; digests compare as text."""
    return f"{number * 2**32 // ranges:08x}" if number < ranges else "g"


def power_of_two(number: int, most: int) -> int:
    """The largest power of two that is at most `number` and `most`, and at least 1."""
    return 1 << (max(1, min(number, most)).bit_length() - 1)
