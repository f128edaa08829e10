"""Runs: records, sorted by digest in Parquet files or as they come in memory, merged one range of digests at a time.

Digests are uniform. So equal ranges of them hold about equally many records, whatever the records are. Row groups are
small and say which digests they hold, so that to read one range of many files reads little else.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

# malloc hands out again what was just freed; Arrow's own allocator takes new memory from the system for every column.
pa.set_memory_pool(pa.system_memory_pool())

ROWS_PER_GROUP = 1000


class Kind(NamedTuple):
    """The columns of a run, and the compression of each or of all."""

    columns: tuple[str, ...]
    compression: str | dict[str, str]


COLUMNS = ("digest", "sequence", "length", "rna_type", "taxid", "source", "accession", "description")
MERGED = ("digest", "sequence", "length", "rna_type", "accession")  # what deduplication asks for
# Runs that stay, and those that are gone in a minute. zstd would make sequences a third smaller, and costs three times
# as much as snappy: more than all the rest of a corpus.
STORED = Kind(COLUMNS, dict.fromkeys(COLUMNS, "zstd") | {"sequence": "snappy"})
PASSING = Kind(MERGED, "none")
# The first half of a digest as a number: it sorts and compares many times faster than text.
KEY = pl.col("digest").str.head(16).str.decode("hex").bin.reinterpret(dtype=pl.UInt64, endianness="big").alias("key")


def write(records: pl.DataFrame, path: Path, kind: Kind) -> None:
    """Sort records of the columns of a kind, and of their KEY, and write the former.

    Those of the same key stay in their order, so that the same records give the same bytes.
    """
    order = np.argsort(records["key"].to_numpy(), kind="stable")
    pq.write_table(
        records.drop("key")[order].to_arrow(),
        path,
        row_group_size=ROWS_PER_GROUP,
        compression=kind.compression,
        use_dictionary=["rna_type", "source"],
        write_statistics=["digest"],
    )


def scan(runs: list[Path | pl.DataFrame], number: int, ranges: int) -> pl.LazyFrame:
    """The records of some runs in the `number`-th of `ranges` equal ranges of digests, a power of two.

    Those that are held in memory have a column of their KEY.
    """
    low, high = (edge * 2**64 // ranges for edge in (number, number + 1))
    held = [run.lazy().filter(pl.col("key").is_between(low, high - 1)) for run in runs if isinstance(run, pl.DataFrame)]
    # As text, by which row groups are passed over.
    inside = pl.col("digest") >= f"{low:016x}"
    if number + 1 < ranges:
        inside &= pl.col("digest") < f"{high:016x}"
    files = [run for run in runs if isinstance(run, Path)]
    read = [pl.scan_parquet(files).filter(inside).with_columns(KEY)] if files else []
    return pl.concat([*held, *read])


def power_of_two(number: int) -> int:
    """The largest power of two that is at most `number`, and at least 1."""
    return 1 << (max(1, number).bit_length() - 1)
