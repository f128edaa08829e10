"""The page of a corpus update: what came, went and changed, and what that moves in training and in benchmarks.

Made from delta.json and the tables beside it; examples are the first rows of tables in the order of digests, which are
hashes: as good as chosen at random.
"""

from pathlib import Path

import altair as alt
import polars as pl

from rnalm import provenance
from rnalm.corpus.delta import Corpus
from rnalm.corpus.succession import FATES
from rnalm.evaluation import charts, numbers, page
from rnalm.evaluation.figures import Figures
from rnalm.files import read_json
from rnalm.sequences.headers import NO_TYPE

MOST_TYPES = 14
MOST_EXAMPLES = 8
MOST_NAMES = 3
MOST_KINDS = 2
MEANINGS = {
    "born": ("were born", "a new id: new sequences, or members that left another cluster"),
    "died": ("died", "every member is withdrawn"),
    "merged": ("were merged", "the members that are left are in other clusters now"),
    "split": ("were split", "still there, but some members are in other clusters now"),
    "grown": ("have grown", "more members than before"),
    "shrunk": ("have shrunk", "fewer members than before"),
    "exchanged": ("exchanged members", "as many members as before, but not the same"),
}
# Of a source's records.
WHAT = {"unchanged": charts.GREY, "changed": charts.ORANGE, "new": charts.BLUE, "withdrawn": charts.VERMILLION}


def build(folder: Path, before: Corpus, after: Corpus) -> str:
    """The page as HTML text; folder: where `delta.compare` left its tables."""
    figures, found = Figures(), read_json(folder / "delta.json")
    tables = {name: pl.scan_parquet(folder / f"{name}.parquet") for name in ("new", "withdrawn", "changed", "clusters")}
    sections = {
        "found": found,
        "headline": headline(found),
        "sources": sources(found),
        "records": figures.add(records(found), "Records by source"),
        "types": types(found),
        "most_types": MOST_TYPES,
        "fates": [(*MEANINGS[what], found["clusters"][what]) for what in FATES],
        "clusters": clusters(tables["clusters"], before, after),
        "examples": {name: sequences(tables[name]) for name in ("new", "withdrawn")},
        "changed": changed(tables["changed"], tables["new"], tables["withdrawn"]),
        "leakage": leakage(found, folder / "items.parquet"),
    }
    sections["type_chart"] = (
        figures.add(type_bars(sections["types"]), "Sequences by type") if sections["types"] else None
    )
    return page.render("delta.html", figures, sections | page.lineages([*before.manifests, *after.manifests]))


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def headline(found: dict) -> list[dict]:
    sequences, records, clusters = (found[name] for name in ("sequences", "records", "clusters"))
    training = found["draws"]["training"]
    rows = f"{training['unchanged']:,} of {training['after']:,} clusters in training are as before"
    return [
        numbers.tile(f"{sequences['new']:,}", "new sequences", f"{share(sequences['new'], sequences['after'])} of all"),
        numbers.tile(f"{sequences['withdrawn']:,}", "withdrawn", f"of {sequences['before']:,} sequences before"),
        numbers.tile(f"{records['changed']:,}", "changed records", "an accession with another sequence"),
        numbers.tile(f"{clusters['born']:,}", "clusters born", f"of {clusters['after']:,} now"),
        numbers.tile(f"{clusters['died'] + clusters['merged']:,}", "clusters gone", f"{clusters['merged']:,} merged"),
        numbers.tile(share(training["unchanged"], training["after"]), "of an epoch stays", rows),
    ]


def sources(found: dict) -> list[dict]:
    """A row per source: its releases and counts."""
    releases = found["releases"]
    return [
        {"source": source, **{when: releases[when].get(source) for when in ("before", "after")}, **counts}
        for source, counts in found["sources"].items()
    ]


def records(found: dict) -> dict:
    """Bars of what became of the records of each source."""
    rows = [
        {"source": source, "what": what, "records": counts["records"][what], "order": order}
        for source, counts in found["sources"].items()
        for order, what in enumerate(WHAT)
    ]
    colours = alt.Scale(domain=list(WHAT), range=list(WHAT.values()))
    chart = alt.Chart(pl.DataFrame(rows)).mark_bar()
    chart = chart.encode(
        y=alt.Y("source:N", title=None),
        x=alt.X("records:Q", title="Share of the records of both corpora").stack("normalize").axis(format="%"),
        color=alt.Color("what:N", title=None, scale=colours, sort=list(WHAT), legend=charts.TWO_COLUMNS),
        order="order:Q",
        tooltip=["source:N", "what:N", alt.Tooltip("records:Q", format=",")],
    )
    return charts.specification(chart, "What became of the records of each source", 40 * len(found["sources"]) + 30)


def types(found: dict) -> list[dict]:
    """A row per affected RNA type, the most affected first."""
    rows = [{"type": name, **counts} for name, counts in found["rna_types"].items()]
    return sorted(rows, key=lambda row: (-row["new"] - row["withdrawn"], row["type"]))


def type_bars(types: list[dict]) -> dict:
    """Diverging bars: new sequences to the right, withdrawn ones to the left."""
    shown = types[:MOST_TYPES]
    rows = [
        {"type": row["type"], "what": what, "sequences": sign * row[what], "count": row[what]}
        for row in shown
        for what, sign in (("new", 1), ("withdrawn", -1))
    ]
    colours = alt.Scale(domain=["new", "withdrawn"], range=[WHAT["new"], WHAT["withdrawn"]])
    bars = alt.Chart(pl.DataFrame(rows)).mark_bar()
    bars = bars.encode(
        y=alt.Y("type:N", title=None, sort=[row["type"] for row in shown]),
        x=alt.X("sequences:Q", title=["Sequences withdrawn (left)", "and new (right)"]).axis(
            labelExpr="format(abs(datum.value), '~s')"
        ),
        color=alt.Color("what:N", title=None, scale=colours),
        tooltip=["type:N", "what:N", alt.Tooltip("count:Q", format=",")],
    )
    return charts.specification(bars, "New and withdrawn sequences of each RNA type", 24 * len(shown) + 30)


def clusters(table: pl.LazyFrame, before: Corpus, after: Corpus) -> list[dict]:
    """Of every fate the clusters with most members that came or went, with their commonest RNA types."""
    moved = pl.sum_horizontal("new", "withdrawn", "came", "went")
    some = table.sort(moved, "cluster", descending=[True, False]).group_by("what", maintain_order=True)
    rows = some.head(MOST_NAMES).collect().to_dicts()
    names = [row["cluster"] for row in rows]
    known = kinds(before, names) | kinds(after, names)
    return sorted([row | {"types": known[row["cluster"]]} for row in rows], key=lambda row: FATES.index(row["what"]))


def kinds(corpus: Corpus, names: list[str]) -> dict[str, str]:
    """{cluster: its commonest types} of some clusters."""
    members = corpus.members.filter(pl.col("cluster").is_in(names))
    sequences = pl.scan_parquet(provenance.outputs(corpus.sequences, ".parquet")).select("digest", "rna_type")
    types = sequences.join(members, on="digest").select("cluster", pl.col("rna_type").fill_null(NO_TYPE))
    counts = types.group_by("cluster", "rna_type").len().sort("len", "rna_type", descending=[True, False])
    commonest = counts.group_by("cluster").agg(pl.col("rna_type").head(MOST_KINDS)).collect(engine="streaming")
    return {cluster: ", ".join(found) for cluster, found in commonest.iter_rows()}


def sequences(table: pl.LazyFrame) -> list[dict]:
    """Some sequences with the names of their records."""
    rows = table.head(MOST_EXAMPLES).collect().to_dicts()
    for row in rows:
        names = [f"{record['source']} {record['accession']}" for record in row["sources"]]
        row["names"] = some_of(names)
    return rows


def some_of(names: list[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")


def changed(table: pl.LazyFrame, new: pl.LazyFrame, withdrawn: pl.LazyFrame) -> list[dict]:
    """Some changed records with the lengths of both sequences; null where a sequence is in both corpora."""
    rows = table.sort("new_digest", "accession").head(MOST_EXAMPLES)
    for side, sequences in (("old_digest", withdrawn), ("new_digest", new)):
        lengths = sequences.select(
            pl.col("digest").alias(side), pl.col("length").alias(side.replace("digest", "length"))
        )
        rows = rows.join(lengths, on=side, how="left", maintain_order="left")
    return rows.collect().to_dicts()


def leakage(found: dict, items: Path) -> list[dict]:
    """Per task its table of coverage, and the items whose nearest relative came closest."""
    tables = []
    for task, rows in found["leakage"].items():
        closer = pl.scan_parquet(items).filter(pl.col("task") == task)
        rise = pl.col("identity_before") - pl.col("identity_after")
        examples = closer.filter(rise < 0).sort(rise, "split", "part", "id").head(MOST_EXAMPLES)
        tables.append({"task": task, "rows": rows, "examples": examples.collect().to_dicts()})
    return tables
