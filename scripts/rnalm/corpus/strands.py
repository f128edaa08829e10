"""Which members of a cluster lie on the other strand of its representative, and clusters without them.

MMseqs2 merges a sequence with its reverse complement without a word, though RNA is single-stranded and the two are
different molecules. Members are compared with their representative by the K-mers that the two share, each counted
once, as they are and reverse-complemented; the strand with CLEARLY times as many is the member's. linclust merges what
has 17 letters in common, so even a 20-nt member shares seven 11-mers on its strand and hardly one on the other. K-mers
with a letter other than A, C, G, T do not count. Checked against local alignments of both strands, on 5,000 members of
clusters of the Rfam 14.2 seeds with mutated reverse complements among them: 2 decided otherwise, 0.5 % left undecided.

Out of core: the corpus streams by once, and the members of multi-member clusters go to buckets of LETTERS nt with a
copy of the representatives that they need. In memory are one bucket and some 20 bytes per sequence of the corpus.
"""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
from numba import njit

from rnalm.corpus import partitions
from rnalm.progress import Progress

K = 11
LETTERS = 100_000_000  # nt per bucket
CLEARLY = 2
# Same strand, other strand; similar on both (inverted repeats, such as the stem of a miRNA precursor); no k-mer in
# common on either (ambiguous letters, or relatives of relatives, which linclust merges too).
STRANDS = ("+", "-", "both", "neither")
EXAMPLES = 10
SCHEMA = {"row": pl.UInt32, "representative": pl.UInt32, "plus": pl.Int32, "minus": pl.Int32}
CODES = np.full(256, 4, np.uint8)
CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)
u32 = np.uint32


def compare(parts: list[Path], representatives: np.ndarray, folder: Path) -> pl.DataFrame:
    """Every member but the representative of every cluster: row, representative, plus, minus, strand; sorted by row.

    parts: the corpus; rows count its sequences over all parts. representatives: (sequences,) row of each one's
    representative. folder: for working files, emptied first and removed at the end.
    plus, minus: k-mers in common with the representative and with its reverse complement. strand: one of STRANDS.
    """
    lengths = pl.scan_parquet(parts).select("length").collect()["length"].to_numpy()
    wanted, buckets = plan(representatives, lengths)
    shutil.rmtree(folder, ignore_errors=True)
    scatter(parts, wanted, folder)
    found, progress = [pl.DataFrame(schema=SCHEMA)], Progress()
    for number in range(buckets):
        found.append(compare_bucket(partitions.gather(folder, number)))
        progress(f"strands: {number + 1} of {buckets} parts of the clusters compared")
    shutil.rmtree(folder, ignore_errors=True)
    plus, minus = pl.col("plus"), pl.col("minus")
    strand = (
        pl.when((plus == 0) & (minus == 0))
        .then(pl.lit("neither"))
        .when(plus >= CLEARLY * minus)
        .then(pl.lit("+"))
        .when(minus >= CLEARLY * plus)
        .then(pl.lit("-"))
        .otherwise(pl.lit("both"))
    )
    return pl.concat(found).sort("row").with_columns(strand.cast(pl.Enum(STRANDS)).alias("strand"))


def plan(representatives: np.ndarray, lengths: np.ndarray) -> tuple[pl.DataFrame, int]:
    """Which rows go to which bucket (row, representative, bucket; sorted by row), and the number of buckets.

    A bucket holds whole members of LETTERS nt in all, and the representatives of these members once each.
    """
    rows = np.flatnonzero(representatives != np.arange(len(representatives), dtype=representatives.dtype))
    rows = rows[np.argsort(representatives[rows], kind="stable")].astype(np.uint32)
    # By the end of each member, so that only one longer than a bucket has a bucket of its own.
    ends = np.cumsum(lengths[rows], dtype=np.int64)
    _, bucket = np.unique(ends // LETTERS, return_inverse=True)
    members = pl.DataFrame({"row": rows, "representative": representatives[rows], "bucket": bucket.astype(np.uint32)})
    copies = members.select("representative", "bucket").unique()
    copies = copies.select(row="representative", representative="representative", bucket="bucket")
    return pl.concat([members, copies]).sort("row"), int(bucket.max(initial=-1)) + 1


def scatter(parts: list[Path], wanted: pl.DataFrame, folder: Path) -> None:
    """Put the wanted rows with their sequences into the buckets of `folder`."""
    start, progress = 0, Progress()
    for number, part in enumerate(parts):
        sequences = pl.read_parquet(part, columns=["sequence"])["sequence"]
        end = start + len(sequences)
        first, last = wanted["row"].search_sorted(start, "left"), wanted["row"].search_sorted(end, "left")
        rows = wanted[first:last].with_columns(sequences.gather(wanted["row"][first:last] - start))
        if not rows.is_empty():
            partitions.scatter(rows.lazy(), pl.col("bucket"), folder / f"part-{number:05d}")
        start = end
        progress(f"strands: {number + 1} of {len(parts)} parts of the corpus read")


def compare_bucket(rows: pl.DataFrame) -> pl.DataFrame:
    """The members of one bucket with plus, minus; rows: row, representative, sequence."""
    is_member = pl.col("row") != pl.col("representative")
    rows = rows.sort("representative", is_member, "row")
    ends = np.append(0, rows["sequence"].str.len_bytes().to_numpy()).cumsum(dtype=np.int64)
    letters = np.frombuffer(rows["sequence"].str.join("").cast(pl.Binary).item(), np.uint8)
    counts = np.zeros((2, rows.height), np.int32)
    count(CODES[letters], ends, rows["row"].to_numpy() == rows["representative"].to_numpy(), counts)
    return rows.with_columns(plus=counts[0], minus=counts[1]).filter(is_member).select(*SCHEMA)


@njit(nogil=True, cache=True)
def count(codes, ends, is_representative, counts):
    """Fill counts (2, rows): distinct k-mers that a row shares with the last representative before it, by strand.

    codes: uint8, 0 to 3 for A, C, G, T, 4 for any other letter; rows are one after the other. ends: (rows + 1,)
    """
    mask, top = u32(4**K - 1), u32(2 * (K - 1))
    # Which representative, and which member on which strand, last had a k-mer.
    owners = np.zeros(4**K, np.uint32)
    seen = np.zeros((2, 4**K), np.uint32)
    owner = u32(0)
    for row in range(len(ends) - 1):
        stamp = u32(row + 1)
        if is_representative[row]:
            owner = stamp
        forward, reverse, run = u32(0), u32(0), 0
        for place in range(ends[row], ends[row + 1]):
            code = u32(codes[place])
            if code > 3:
                run = 0
                continue
            forward = ((forward << u32(2)) | code) & mask
            reverse = (reverse >> u32(2)) | ((u32(3) - code) << top)
            run += 1
            if run < K:
                continue
            if is_representative[row]:
                owners[forward] = owner
                continue
            if owners[forward] == owner and seen[0, forward] != stamp:
                seen[0, forward] = stamp
                counts[0, row] += 1
            if owners[reverse] == owner and seen[1, reverse] != stamp:
                seen[1, reverse] = stamp
                counts[1, row] += 1


def summary(compared: pl.DataFrame, digests: pl.Series) -> dict:
    """Counts of clusters and members, and examples of reversed members by their digests.

    clusters: those with more than one member; mixed: those that hold a member of the other strand.
    """
    counts = dict.fromkeys(STRANDS, 0) | dict(compared["strand"].cast(pl.String).value_counts().iter_rows())
    reversed_members = compared.filter(pl.col("strand") == "-")
    examples = named(reversed_members.sort("minus", "row", descending=[True, False]).head(EXAMPLES), digests)
    return {
        "clusters": compared["representative"].n_unique(),
        "mixed": reversed_members["representative"].n_unique(),
        "members": compared.height,
        "reversed": counts["-"],
        "undecided": {"both": counts["both"], "neither": counts["neither"]},
        "examples": examples.select("representative", "digest", "plus", "minus").to_dicts(),
    }


def named(compared: pl.DataFrame, digests: pl.Series) -> pl.DataFrame:
    """representative, digest, strand, plus, minus with digests for rows."""
    names = {"representative": digests.gather(compared["representative"]), "digest": digests.gather(compared["row"])}
    return compared.select(pl.Series(name, values) for name, values in names.items()).with_columns(
        compared.select("strand", "plus", "minus")
    )


def split(representatives: np.ndarray, compared: pl.DataFrame) -> np.ndarray:
    """Representatives where the reversed members of each cluster are a cluster of their own.

    Its representative is the member that has most k-mers in common with the old one; of equal ones the first row.
    """
    parted = compared.filter(pl.col("strand") == "-").sort("minus", "row", descending=[True, False])
    parted = parted.with_columns(pl.col("row").first().over("representative").alias("own"))
    found = representatives.copy()
    found[parted["row"].to_numpy()] = parted["own"].to_numpy()
    return found
