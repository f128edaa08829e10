"""Sorted runs: records in Parquet files, each sorted by digest, that are merged one range of digests at a time.

Digests are uniform. So equal ranges of them hold about equally many records, whatever the records are. Row groups are
small and say which digests they hold, so that to read one range of many runs reads little else.
"""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

COLUMNS = ("digest", "sequence", "length", "rna_type", "taxid", "source", "accession", "description")
ROWS_PER_GROUP = 1000
# Compression of runs that stay, and of those that are gone in a minute. zstd would make sequences a third smaller, and
# costs three times as much as snappy: more than all the rest of a corpus.
STORED = dict.fromkeys(COLUMNS, "zstd") | {"sequence": "snappy"}
PASSING = "none"


def write(records: pl.DataFrame, path: Path, compression) -> None:
    """Write records of COLUMNS as a run; the same records in the same order give the same bytes."""
    pq.write_table(
        records.sort("digest", maintain_order=True).to_arrow(),
        path,
        row_group_size=ROWS_PER_GROUP,
        compression=compression,
        use_dictionary=["rna_type", "source"],
        write_statistics=["digest"],
    )


def scan(paths: list[Path], number: int, ranges: int) -> pl.LazyFrame:
    """The records of some runs in the `number`-th of `ranges` equal ranges of digests, a power of two."""
    low, high = (f"{edge * 2**32 // ranges:08x}" for edge in (number, number + 1))
    inside = pl.col("digest") >= low
    return pl.scan_parquet(paths).filter(inside & (pl.col("digest") < high) if number + 1 < ranges else inside)


def power_of_two(number: int) -> int:
    """The largest power of two that is at most `number`, and at least 1."""
    return 1 << (max(1, number).bit_length() - 1)
