"""Which clusters are held out, and which member of every training cluster an epoch reads, in which order.

Every choice is a pure function of (seed, purpose, epoch) and of digests (`rnalm.randomness`), never of a position in a
file. So an epoch can be made on its own, at any time, and a cluster that a new release adds moves nothing in the
others: they keep their members, crops and relative order. Members are chosen on digests alone; sequences are joined to
them while the corpus streams by, so that memory does not grow with nucleotides.
"""

import shutil
from collections import Counter
from pathlib import Path

import polars as pl

from rnalm import files, provenance, randomness
from rnalm.corpus import partitions
from rnalm.errors import InputError

VALIDATION = "validation"  # stands where an epoch's number stands in keys
COLUMNS = ("row", "digest", "cluster", "sequence", "crop_start", "is_fragment")


def held_out(clusters: pl.DataFrame, seed: int, fraction: float) -> pl.Series:
    """For every row of clusters (digest, cluster): is its cluster in the validation set? Whole clusters are."""
    return pl.Series(uniform(clusters["cluster"], seed, VALIDATION) < fraction)


def choose(clusters: pl.DataFrame, seed: int, epoch) -> pl.DataFrame:
    """One member of every cluster in the order of the epoch: columns row (int64, from 0), digest, cluster.

    clusters: digest, cluster; any order of rows. epoch: a number, or VALIDATION.
    """
    members = clusters.with_columns(bits(clusters["digest"], seed, "member", epoch).alias("member"))
    # No ties to break: `bits` is a bijection, so equal values mean digests that agree in their first 64 bits.
    chosen = members.group_by("cluster").agg(pl.col("digest").min_by("member"))
    chosen = chosen.with_columns(bits(chosen["cluster"], seed, "order", epoch).alias("order")).sort("order", "digest")
    return chosen.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), "digest", "cluster")


def cropped(rows: pl.DataFrame, seed: int, epoch, crop: int) -> pl.DataFrame:
    """Cut sequences longer than `crop` nt to a window of `crop` nt: adds crop_start (int32, nt) and is_fragment."""
    windows = (rows["length"] - crop + 1).clip(lower_bound=1)
    starts = (uniform(rows["digest"], seed, "crop", epoch) * windows).cast(pl.Int32)
    return rows.with_columns(
        pl.col("sequence").str.slice(starts, crop),
        starts.alias("crop_start"),
        (pl.col("length") > crop).alias("is_fragment"),
    )


def bits(digests: pl.Series, *purpose) -> pl.Series:
    return pl.Series(randomness.bits(randomness.key(*purpose), randomness.digest_counters(digests)))


def uniform(digests: pl.Series, *purpose) -> pl.Series:
    return pl.Series(randomness.uniform(randomness.key(*purpose), randomness.digest_counters(digests)))


def write(parts: list[Path], chosen: pl.DataFrame, seed: int, epoch, crop: int, rows_per_shard: int, folder: Path):
    """Write the chosen rows as `folder`/shard-00000.parquet..., their sequences looked up in `parts` and cropped.

    Returns counts {rows, nucleotides, fragments} and composition {rna_type: rows}, "unknown" where none is given.
    Raises InputError if a chosen digest is not in `parts`.
    """
    shards = folder / "shards"
    found = pl.scan_parquet(parts).select("digest", "sequence", "length", "rna_type").join(chosen.lazy(), on="digest")
    partitions.scatter(found, pl.col("row") // rows_per_shard, shards)
    counts, composition = Counter(rows=0, nucleotides=0, fragments=0), Counter()
    for number, planned in enumerate(chosen.iter_slices(rows_per_shard)):
        rows = partitions.gather(shards, number)
        if rows.height != planned.height:
            problem = f"holds {rows.height} of the {planned.height} sequences that the clusters name for one shard"
            raise InputError(parts[0].parent, problem, "run the cluster stage again on these sequences")
        shard = cropped(rows.sort("row"), seed, epoch, crop)
        partitions.write(shard.select(COLUMNS), folder / f"shard-{number:05d}.parquet")
        counts["rows"] += shard.height
        counts["nucleotides"] += shard["sequence"].str.len_bytes().sum()
        counts["fragments"] += shard["is_fragment"].sum()
        composition.update(dict(shard["rna_type"].fill_null("unknown").value_counts().iter_rows()))
    shutil.rmtree(shards)
    return dict(counts), dict(sorted(composition.items()))


def make(record, sequences, clusters: pl.DataFrame, seed: int, epoch, crop: int, rows_per_shard: int, folder: Path):
    """Draw from `clusters` into `folder` and fill the stage's record; sequences is the manifest of deduplicate."""
    if clusters.is_empty():
        raise InputError(folder, "no cluster is on this side of the hold-out", "change validation_fraction")
    with files.atomic_directory(folder) as temporary:
        parts = provenance.outputs(sequences, ".parquet")
        chosen = choose(clusters, seed, epoch)
        record.counts, record.notes["composition"] = write(parts, chosen, seed, epoch, crop, rows_per_shard, temporary)
    record.outputs = sorted(folder.glob("shard-*.parquet"))
