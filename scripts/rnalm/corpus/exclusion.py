"""What is kept from training because it resembles benchmark items; the ledger and the leakage without it.

A sequence is excluded if a search found at least `identity` to an item of the named sets, over at least `coverage` of
the item (`rnalm.corpus.leakage`), on either strand: clusters hold a sequence and its reverse complement together. With
scope `clusters` the mates of its cluster go, too.
"""

from collections import Counter
from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.corpus import leakage
from rnalm.errors import InputError

COLUMNS = ["digest", "cluster", "set", "item", "strand", "identity", "coverage", "reason"]
MATE = "cluster mate"


def exclude(audits: dict[str, Path], clusters: pl.LazyFrame, sets: list[str], identity, coverage, scope: str):
    """The sequences to exclude, sorted by digest: COLUMNS.

    audits: {task: manifest of leakage}. clusters: digest, cluster. sets: tasks, or task/split. scope: a key of SCOPES.
    item: the nearest of the sets. reason: the relation to it (`rnalm.corpus.search`), or MATE where only a mate of the
    cluster has one: then strand, identity and coverage are null. InputError for a split that a task does not have.
    """
    hits = pl.concat([hits_of(audits, name, coverage) for name in sets]).filter(pl.col("identity") >= identity)
    nearest = leakage.best(hits, ["hit"], ["set", "item", "strand", "relation"])
    nearest = nearest.rename({"hit": "digest", "relation": "reason"}).join(clusters, on="digest").select(COLUMNS)
    nearest = nearest.collect(engine="streaming").lazy()
    return SCOPES[scope](nearest, clusters).sort("digest").collect(engine="streaming")


def hits_of(audits: dict[str, Path], name: str, coverage: float) -> pl.LazyFrame:
    """Hits in the corpus of the items of a set, which is a task or task/split; `item` is named as in the set."""
    task, _, split = name.partition("/")
    items = items_of(audits[task])
    if split and split not in items["split"]:
        known = ", ".join(f"{task}/{known}" for known in items["split"].unique().sort())
        raise InputError(f"corpus.exclude.sets: {name}", "is no split of the task", f"name {task} or one of: {known}")
    chosen = items.filter(pl.col("split") == split) if split else items
    names = chosen.group_by(query="digest").agg(item=pl.col("id").min(), set=pl.lit(name))
    hits = pl.scan_parquet(provenance.outputs(audits[task], "hits.parquet"))
    hits = hits.filter((pl.col("target") == "corpus") & (pl.col("coverage") >= coverage))
    return hits.drop("item").join(names.lazy(), on="query")


def items_of(audit: Path) -> pl.DataFrame:
    """split, part, id, digest, length of a manifest of leakage."""
    nearest = pl.read_parquet(provenance.outputs(audit, "nearest.parquet"))
    return nearest.select("split", "part", "id", "digest", "length").unique()


def hits_alone(nearest: pl.LazyFrame, clusters: pl.LazyFrame) -> pl.LazyFrame:
    return nearest


def whole_clusters(nearest: pl.LazyFrame, clusters: pl.LazyFrame) -> pl.LazyFrame:
    """And all mates, by the item that is nearest to their cluster."""
    reason = leakage.best(nearest, ["cluster"], ["set", "item"]).select("cluster", "set", "item")
    mates = clusters.join(nearest.select("digest"), on="digest", how="anti").join(reason, on="cluster")
    return pl.concat([nearest, mates.with_columns(reason=pl.lit(MATE))], how="diagonal").select(COLUMNS)


SCOPES = {"hits": hits_alone, "clusters": whole_clusters}


def without(ledger: pl.DataFrame, excluded: pl.DataFrame, sequences: list[Path]) -> pl.DataFrame:
    """The ledger (source, rule, records) with a rule `excluded` for every source, taken from its `kept`.

    A sequence counts for the source of its kept record, the first; records merged into it stay merged. sequences:
    parts of deduplicate. InputError if the ledger does not balance.
    """
    out = pl.scan_parquet(sequences).join(excluded.lazy().select("digest"), on="digest", how="semi")
    first = out.select(pl.col("sources").list.first().struct.field("source")).group_by("source").len()
    numbers = Counter(dict(first.collect(engine="streaming").iter_rows()))
    rows = []
    for source, rule, records in ledger.select("source", "rule", "records").iter_rows():
        kept = rule == "kept"
        rows.append((source, rule, records - numbers[source] if kept else records))
        rows += [(source, "excluded", numbers[source])] if kept else []
    found = pl.DataFrame(rows, schema=["source", "rule", "records"], orient="row")
    signed = pl.when(pl.col("rule") == "in").then(pl.col("records")).otherwise(-pl.col("records"))
    for source, off in found.group_by("source").agg(signed.sum()).filter(pl.col("records") != 0).iter_rows():
        raise InputError(f"ledger, source {source}", f"is {off} records off", "run the deduplicate stage again")
    return found


def leakage_without(audit: Path, excluded: pl.DataFrame) -> pl.DataFrame:
    """The summary (`leakage.summarise`) of a task's leakage once the excluded sequences are gone."""
    before = pl.read_parquet(provenance.outputs(audit, "nearest.parquet"))
    hits = pl.scan_parquet(provenance.outputs(audit, "hits.parquet")).filter(pl.col("target") == "corpus")
    hits = hits.join(excluded.lazy().select(hit="digest"), on="hit", how="anti")
    coverage = provenance.load(audit)["parameters"]["coverage"]
    corpus = leakage.nearest_relatives(items_of(audit), "corpus", hits, coverage)
    return leakage.summarise(pl.concat([corpus, before.filter(pl.col("target") == "train")]))


def counts(excluded: pl.DataFrame, clusters: pl.LazyFrame) -> dict[str, int]:
    """Sequences and whole clusters that are excluded and left, and the excluded sequences by set and by reason."""
    sizes = (
        clusters.group_by("cluster")
        .len()
        .join(excluded.lazy().group_by("cluster").agg(gone=pl.len()), on="cluster", how="left")
    )
    left = sizes.select(
        sequences=(pl.col("len") - pl.col("gone").fill_null(0)).sum(),
        clusters=(pl.col("len") > pl.col("gone").fill_null(0)).sum(),
        clusters_excluded=(pl.col("len") == pl.col("gone")).sum(),
    ).collect(engine="streaming")
    found = {"excluded": excluded.height, **left.row(0, named=True)}
    for column in ("set", "reason"):
        found |= {
            f"excluded.{name}": number for name, number in excluded[column].value_counts().sort(column).iter_rows()
        }
    return found
