"""Out-of-core shuffles: rows of any number of shards, sorted into folders by a key, then taken one folder at a time.

Deduplication (by digest) and draws (by target shard) both need every row of the corpus to meet the others of its
group; at 36 M sequences neither fits in memory. One streaming pass writes each row to its bucket, and a bucket fits.
"""

from collections.abc import Iterable, Iterator
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


def equal_parts(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The rows of `frames` in the same order, cut into frames of `rows` rows; the last may be shorter."""
    pending = pl.DataFrame()
    for frame in frames:
        pending = frame if pending.is_empty() else pl.concat([pending, frame])
        while pending.height >= rows:
            yield pending.head(rows)
            pending = pending.slice(rows)
    if not pending.is_empty():
        yield pending


def write(frame: pl.DataFrame, path: Path) -> None:
    """Parquet with zstd; the same rows give the same bytes (one chunk, fixed row groups)."""
    frame.rechunk().write_parquet(path, compression="zstd", compression_level=3, row_group_size=50_000)
