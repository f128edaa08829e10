"""Runs: records, sorted by digest in Parquet files or as they come in memory, merged one range of digests at a time.

Digests are uniform. So equal ranges of them hold about equally many records, whatever the records are. Row groups are
small and say which digests they hold, so that to read one range of many files reads little else.
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
    """Write sorted records of COLUMNS; the same records give the same bytes."""
    pq.write_table(
        records.to_arrow(),
        path,
        row_group_size=ROWS_PER_GROUP,
        compression=compression,
        use_dictionary=["rna_type", "source"],
        write_statistics=["digest"],
    )


def scan(runs: list[Path | pl.DataFrame], number: int, ranges: int) -> pl.LazyFrame:
    """The records of some runs in the `number`-th of `ranges` equal ranges of digests, a power of two."""
    low, high = (f"{edge * 2**32 // ranges:08x}" for edge in (number, number + 1))
    inside = pl.col("digest") >= low
    if number + 1 < ranges:
        inside &= pl.col("digest") < high
    files = [run for run in runs if isinstance(run, Path)]
    held = [run.lazy() for run in runs if isinstance(run, pl.DataFrame)]
    return pl.concat([*held, *([pl.scan_parquet(files)] if files else [])]).filter(inside)


def power_of_two(number: int) -> int:
    """The largest power of two that is at most `number`, and at least 1."""
    return 1 << (max(1, number).bit_length() - 1)
