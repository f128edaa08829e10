"""Cluster ids that outlive a release: who inherits an id, and what became of every cluster.

MMseqs2 names a cluster by its representative, which another release may replace or withdraw though the cluster is the
same. Draws are keyed by cluster id (`rnalm.corpus.draws`), so a corpus that follows an earlier one takes over its ids:
a cluster inherits the id of the earlier cluster with which it shares most members. A cluster with the same members as
before then keeps its member, crop, relative order and side of the hold-out in every epoch. From the first update on an
id is a name, not always a member.
"""

import hashlib
from pathlib import Path

import polars as pl

from rnalm.corpus import partitions

FATES = ("born", "died", "merged", "split", "grown", "shrunk", "exchanged")
MEMBERS_PER_BUCKET = 1_000_000


def inherit(clusters: pl.DataFrame, previous: pl.LazyFrame) -> pl.DataFrame:
    """The same clusters (digest, cluster) under inherited ids, sorted by (cluster, digest).

    clusters: named by their representatives. previous: digest, cluster of the earlier corpus.
    A cluster without a predecessor takes its representative's digest as id; where that named a cluster of the earlier
    corpus, its smallest member that did not; where there is none, a hash of the representative's digest.
    Takes about 250 bytes per sequence beside the table.
    """
    shared = clusters.lazy().join(previous.rename({"cluster": "id"}), on="digest")
    pairs = heirs(shared.group_by("cluster", "id").agg(members=pl.len()).collect(engine="streaming"))
    used = previous.select(id="cluster").unique().collect(engine="streaming")
    names = pl.concat([pairs, births(clusters.join(pairs, on="cluster", how="anti"), used)])
    return clusters.join(names, on="cluster").select("digest", cluster="id").sort("cluster", "digest")


def heirs(shared: pl.DataFrame) -> pl.DataFrame:
    """The pairs (cluster, id) that share most members, no cluster and no id twice.

    shared: cluster, id, members in common. Greedy: the largest overlap is settled first, of equal ones the smallest id,
    then the smallest cluster. In each round the pairs that come first for both sides are settled, which gives the same
    pairs as one after the other.
    """
    order = {"members": True, "id": False, "cluster": False}
    left = shared.sort(*order, descending=list(order.values())).select("cluster", "id").with_row_index("rank")
    settled = [left.clear().drop("rank")]
    while not left.is_empty():
        first = [pl.col("rank") == pl.col("rank").min().over(side) for side in ("cluster", "id")]
        pairs = left.filter(first).drop("rank")
        left = left.join(pairs, on="cluster", how="anti").join(pairs, on="id", how="anti")
        settled.append(pairs)
    return pl.concat(settled)


def births(orphans: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """New names (cluster, id) of clusters (digest, cluster) without a predecessor; used: id."""
    free = orphans.join(used, left_on="digest", right_on="id", how="anti")
    preferred = pl.col("digest").sort_by(pl.col("digest") != pl.col("cluster"), "digest").first()
    named = free.group_by("cluster").agg(id=preferred)
    nameless = orphans.select("cluster").unique().join(named, on="cluster", how="anti")
    names, found = nameless.with_columns(id="cluster"), [named]
    while not names.is_empty():
        names = names.with_columns(pl.col("id").map_elements(hashed, return_dtype=pl.String))
        found.append(names.join(used, on="id", how="anti"))
        names = names.join(used, on="id", how="semi")
    return pl.concat(found)


def hashed(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def moves(before: pl.LazyFrame, after: pl.LazyFrame, buckets: int, folder: Path) -> pl.DataFrame:
    """How many members went from where to where: columns before, after (ids or null), members; stayers are left out.

    before, after: digest, cluster of two corpora. Null stands for a sequence that is not in that corpus.
    buckets: the members meet by digest in so many parts, each held in memory alone; folder: for working files.
    """
    bucket = pl.col("digest").str.slice(0, 8).str.to_integer(base=16, dtype=pl.UInt64) % buckets
    sides = {"before": before, "after": after}
    for side, members in sides.items():
        partitions.scatter(members.select("digest", **{side: "cluster"}), bucket, folder / side)
    empty = {side: pl.DataFrame(schema={"digest": pl.String, side: pl.String}) for side in sides}
    found = [pl.DataFrame(schema={"before": pl.String, "after": pl.String, "members": pl.UInt32})]
    for number in range(buckets):
        parts = {side: partitions.gather(folder / side, number) for side in sides}
        old, new = (empty[side] if part.is_empty() else part for side, part in parts.items())
        both = old.join(new, on="digest", how="full", coalesce=True)
        moved = both.filter(pl.col("before").ne_missing(pl.col("after")))
        found.append(moved.group_by("before", "after").agg(members=pl.len().cast(pl.UInt32)))
    return pl.concat(found).group_by("before", "after").agg(pl.col("members").sum())


def fates(before: pl.LazyFrame, after: pl.LazyFrame, buckets: int, folder: Path) -> pl.DataFrame:
    """What became of every cluster whose members are not the same as before, sorted by id; arguments: see `moves`.

    Columns: cluster (its id), what (one of FATES), before, after (members), new, withdrawn (of them, sequences that are
    only in this or only in the earlier corpus), came, went (members that were or are in another cluster), came_from,
    went_to (lists of ids).
    born: a new id. died: no member is left. merged: the members that are left are in clusters of other ids. split:
    still there, but some of its members are elsewhere. Otherwise grown, shrunk or, with as many members as before,
    exchanged.
    """
    moved = moves(before, after, buckets, folder)
    into = moved.filter(pl.col("after").is_not_null()).group_by(cluster="after").agg(*gained("before", "new", "came"))
    out = moved.filter(pl.col("before").is_not_null()).group_by(cluster="before")
    touched = into.join(out.agg(*gained("after", "withdrawn", "went")), on="cluster", how="full", coalesce=True)
    for side, members in (("before", before), ("after", after)):
        some = members.join(touched.lazy().select("cluster"), on="cluster", how="semi")
        sizes = some.group_by("cluster").agg(pl.len().cast(pl.UInt32).alias(side)).collect(engine="streaming")
        touched = touched.join(sizes, on="cluster", how="left")
    numbers, lists = ["before", "after", "new", "withdrawn", "came", "went"], ["came_from", "went_to"]
    touched = touched.with_columns(
        pl.col(numbers).fill_null(0), pl.col(lists).fill_null(pl.lit([], dtype=pl.List(pl.String)))
    )
    what = (
        pl.when(pl.col("before") == 0)
        .then(pl.lit("born"))
        .when((pl.col("after") == 0) & (pl.col("went") == 0))
        .then(pl.lit("died"))
        .when(pl.col("after") == 0)
        .then(pl.lit("merged"))
        .when(pl.col("went") > 0)
        .then(pl.lit("split"))
        .when(pl.col("after") > pl.col("before"))
        .then(pl.lit("grown"))
        .when(pl.col("after") < pl.col("before"))
        .then(pl.lit("shrunk"))
        .otherwise(pl.lit("exchanged"))
    )
    return touched.select("cluster", what.alias("what"), *numbers, *lists).sort("cluster")


def gained(other: str, outside: str, inside: str) -> list[pl.Expr]:
    """Members by whether they have a cluster on the other side, and the ids of those clusters."""
    elsewhere = pl.col(other).is_not_null()
    members = pl.col("members")
    return [
        members.filter(~elsewhere).sum().alias(outside),
        members.filter(elsewhere).sum().alias(inside),
        pl.col(other).drop_nulls().sort().alias(f"{inside}_{'from' if inside == 'came' else 'to'}"),
    ]
