"""Out-of-core shuffles: rows of any number of shards, sorted into folders by a key, then taken one folder at a time.

In a draw every row of the corpus must meet the others of its shard, and at 36 M sequences they do not fit in memory.
One streaming pass writes each row to its bucket, and a bucket fits.
"""

from pathlib import Path

import polars as pl


def scatter(frame: pl.LazyFrame, bucket: pl.Expr, folder: Path) -> None:
    """Stream `frame` into `folder`, one sub-folder per value of `bucket`; the order of rows is lost."""
    target = pl.PartitionBy(folder, key=bucket.alias("bucket"), include_key=False)
    frame.sink_parquet(target, compression_level=1, statistics=False, maintain_order=False, mkdir=True)


def gather(folder: Path, bucket) -> pl.DataFrame:
    """The rows of one bucket of `folder` and its sub-folders, in no order; without columns if no row went there."""
    files = sorted(folder.glob(f"**/bucket={bucket}/*.parquet"))
    return pl.read_parquet(files, hive_partitioning=False) if files else pl.DataFrame()


def write(frame: pl.DataFrame, path: Path) -> None:
    """Parquet with zstd; the same rows give the same bytes (one chunk, fixed row groups)."""
    frame.rechunk().write_parquet(path, compression="zstd", compression_level=3, row_group_size=50_000)
