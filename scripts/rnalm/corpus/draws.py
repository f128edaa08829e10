"""Which clusters are held out, and which member of every training cluster an epoch reads, in which order.

Every choice is a pure function of (seed, purpose, epoch) and of digests (`rnalm.randomness`), never of a position in a
file. So an epoch can be made on its own, at any time, and a cluster that a new release adds moves nothing in the
others: they keep their members, crops and relative order. Members are chosen on digests alone, in one pass over the
table of clusters; sequences are joined to them one part of the corpus at a time, so that memory grows with the clusters
(about 280 bytes each) and not with nucleotides.
"""

import shutil
from collections import Counter
from pathlib import Path

import polars as pl

from rnalm import files, provenance, randomness
from rnalm.corpus import partitions
from rnalm.errors import InputError
from rnalm.progress import Progress
from rnalm.sequences.headers import NO_TYPE

VALIDATION = "validation"  # stands where an epoch's number stands in keys
SCHEMA = {"digest": pl.String, "cluster": pl.String}
COLUMNS = ("row", "digest", "cluster", "sequence", "crop_start", "is_fragment")


def held_out(clusters: pl.DataFrame, seed: int, fraction: float) -> pl.Series:
    """For every row of clusters (digest, cluster): is its cluster in the validation set? Whole clusters are."""
    return pl.Series(uniform(clusters["cluster"], seed, VALIDATION) < fraction)


def side(clusters: pl.LazyFrame, seed: int, fraction: float, epoch) -> pl.LazyFrame:
    """The clusters that an epoch draws from: those of validation for VALIDATION, else all others."""
    validation = epoch == VALIDATION
    return clusters.map_batches(
        lambda rows: rows.filter(held_out(rows, seed, fraction) == validation), streamable=True, schema=SCHEMA
    )


def choose(clusters: pl.LazyFrame | pl.DataFrame, seed: int, epoch) -> pl.DataFrame:
    """One member of every cluster in the order of the epoch: columns row (int64, from 0), digest, cluster.

    clusters: digest, cluster; any order of rows. epoch: a number, or VALIDATION.
    """
    members = clusters.lazy().map_batches(
        lambda rows: rows.with_columns(bits(rows["digest"], seed, "member", epoch).alias("member")),
        streamable=True,
        schema=SCHEMA | {"member": pl.UInt64},
    )
    # No ties to break: `bits` is a bijection, so equal values mean digests that agree in their first 64 bits.
    chosen = members.group_by("cluster").agg(pl.col("digest").min_by("member")).collect(engine="streaming")
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

    Returns counts {rows, nucleotides, fragments} and composition {rna_type: rows}, NO_TYPE where none is given.
    Raises InputError if a chosen digest is not in `parts`.
    """
    shards = folder / "shards"
    scatter(parts, chosen, rows_per_shard, shards)
    counts, composition, progress = Counter(rows=0, nucleotides=0, fragments=0), Counter(), Progress()
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
        composition.update(dict(shard["rna_type"].fill_null(NO_TYPE).value_counts().iter_rows()))
        progress(f"{counts['rows']:,} of {chosen.height:,} rows written")
    shutil.rmtree(shards)
    return dict(counts), dict(sorted(composition.items()))


def scatter(parts: list[Path], chosen: pl.DataFrame, rows_per_shard: int, shards: Path) -> None:
    """Put every chosen row with its sequence into the folder of its shard, in `shards`."""
    chosen, progress = chosen.sort("digest"), Progress()
    for number, part in enumerate(parts):
        rows = pl.scan_parquet(part).select("digest", "sequence", "length", "rna_type")
        first, last = rows.select(first=pl.col("digest").min(), last=pl.col("digest").max()).collect().row(0)
        start, end = chosen["digest"].search_sorted(first, "left"), chosen["digest"].search_sorted(last, "right")
        found = rows.join(chosen[start:end].lazy(), on="digest")
        partitions.scatter(found, pl.col("row") // rows_per_shard, shards / f"part-{number:05d}")
        progress(f"{number + 1} of {len(parts)} parts of the corpus read")


def members(clusters, excluded=None) -> pl.LazyFrame:
    """digest, cluster of every sequence that may be drawn; clusters, excluded: manifests of these stages."""
    rows = pl.scan_parquet(provenance.outputs(clusters, ".parquet")).select(*SCHEMA)
    if excluded is None:
        return rows
    out = pl.scan_parquet(provenance.outputs(excluded, "excluded.parquet")).select("digest")
    return rows.join(out, on="digest", how="anti")


def make(record, sequences, clusters, excluded, settings: dict, folder: Path) -> None:
    """Draw an epoch into `folder` and fill its stage's record.

    sequences, clusters, excluded: manifests of deduplicate, cluster and exclude (or None).
    settings: seed, validation_fraction, epoch (a number, or VALIDATION), crop (nt), rows_per_shard.
    """
    seed, epoch = settings["seed"], settings["epoch"]
    chosen = choose(side(members(clusters, excluded), seed, settings["validation_fraction"], epoch), seed, epoch)
    if chosen.is_empty():
        raise InputError(folder, "no cluster is on this side of the hold-out", "change validation_fraction")
    with files.atomic_directory(folder) as temporary:
        parts = provenance.outputs(sequences, ".parquet")
        record.counts, record.notes["composition"] = write(
            parts, chosen, seed, epoch, settings["crop"], settings["rows_per_shard"], temporary
        )
    record.outputs = sorted(folder.glob("shard-*.parquet"))
