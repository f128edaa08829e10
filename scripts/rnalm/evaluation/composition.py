"""What a corpus is made of: counts by length, family, source and cluster size, never holding its sequences."""

from collections import Counter

import polars as pl

from rnalm.sequences.headers import NO_TYPE

LENGTH_BINS = 40
MOST_FAMILIES = 12
MOST_COMBINATIONS = 16
MOST_CLUSTERS = 10
MOST_EXAMPLES = 3


def length_counts(sequences: pl.LazyFrame) -> pl.DataFrame:
    """`low, high, sequences` of bins that are equally wide on a log scale (nt)."""
    exact = sequences.group_by("length").agg(sequences=pl.len()).sort("length").collect()
    shortest, longest = exact["length"].min(), exact["length"].max() + 1
    ratio = (longest / shortest) ** (1 / LENGTH_BINS)
    edges = sorted({round(shortest * ratio**number) for number in range(LENGTH_BINS)} | {longest})
    low = pl.DataFrame({"low": edges[:-1], "high": edges[1:]}).cast(pl.Int64)
    binned = exact.with_columns(pl.col("length").cast(pl.Int64)).join_asof(low, left_on="length", right_on="low")
    return binned.group_by("low", "high").agg(pl.col("sequences").sum()).sort("low")


def family_counts(sequences: pl.LazyFrame) -> pl.DataFrame:
    """`family, sequences` of the commonest families, the rest in one row."""
    families = sequences.select(family=pl.col("rna_type").fill_null(NO_TYPE))
    counts = families.group_by("family").agg(sequences=pl.len()).sort(["sequences", "family"], descending=[True, False])
    counts = counts.collect().with_columns(pl.col("sequences").cast(pl.Int64))
    rest = counts[MOST_FAMILIES:]
    if rest.is_empty():
        return counts
    other = {"family": [f"{len(rest):,} others"], "sequences": [rest["sequences"].sum()]}
    return pl.concat([counts[:MOST_FAMILIES], pl.DataFrame(other)])


def cluster_size_counts(members: pl.LazyFrame) -> pl.DataFrame:
    """`size, clusters`: number of clusters in doubling ranges of their size (1, 2-3, 4-7, ...)."""
    sizes = members.group_by("cluster").agg(size=pl.len()).group_by("size").agg(clusters=pl.len()).collect()
    doublings = Counter()
    for size, clusters in sizes.iter_rows():
        doublings[size.bit_length()] += clusters
    rows = []
    for power in range(1, max(doublings) + 1):
        low, high = 2 ** (power - 1), 2**power - 1
        rows.append({"size": f"{low:,}" if low == high else f"{low:,}–{high:,}", "clusters": doublings[power]})
    return pl.DataFrame(rows)


def source_combinations(sequences: pl.LazyFrame) -> pl.DataFrame:
    """`sources` (sorted names, joined by ' + '), `sequences`: how many unique sequences exactly these sources have."""
    names = pl.col("sources").list.eval(pl.element().struct.field("source")).list.unique().list.sort()
    counts = sequences.select(sources=names.list.join(" + ")).group_by("sources").agg(sequences=pl.len())
    return counts.sort(["sequences", "sources"], descending=[True, False]).head(MOST_COMBINATIONS).collect()


def dropped_examples(dropped: pl.LazyFrame) -> pl.DataFrame:
    """`rule, records, examples`: per rule, in the order of its size, with the accessions of the first records."""
    rules = dropped.group_by("rule").agg(records=pl.len(), examples=pl.col("accession").head(MOST_EXAMPLES))
    return rules.sort(["records", "rule"], descending=[True, False]).collect()


def largest_clusters(members: pl.LazyFrame, sequences: pl.LazyFrame) -> pl.DataFrame:
    """`cluster, members, shortest, longest (nt), types` (the commonest three) of the largest clusters."""
    sizes = members.group_by("cluster").agg(members=pl.len()).sort(["members", "cluster"], descending=[True, False])
    largest = sizes.head(MOST_CLUSTERS).collect()
    chosen = members.filter(pl.col("cluster").is_in(largest["cluster"].implode()))
    described = sequences.select("digest", "length", "rna_type").join(chosen, on="digest").collect()
    kinds = described.group_by("cluster").agg(
        shortest=pl.col("length").min(),
        longest=pl.col("length").max(),
        types=pl.col("rna_type").fill_null(NO_TYPE).value_counts(sort=True).head(3).struct.field("rna_type"),
    )
    return largest.join(kinds, on="cluster", maintain_order="left").with_columns(
        pl.col("types").list.sort().list.join(", ")
    )
