"""What an update of a corpus changed: sequences, records, clusters, draws, and relatives of benchmark items.

A sequence is its digest, a record is an accession of a source with the digest of its sequence. Both corpora are sorted
by digest, so they meet range by range of digests, sequences themselves left unread: an anti-join out of core, in the
memory of one range. A record is *changed* if its accession stands with another digest than before. Its two digests lie
in different ranges, so the records that differ meet once more, by accession.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.corpus import draws, partitions, succession
from rnalm.sequences.headers import NO_TYPE

ROWS_PER_RANGE = 500_000
RECORDS_PER_BUCKET = 1_000_000
COLUMNS = ("digest", "length", "rna_type", "sources")
RECORD = ["source", "accession"]
ITEM = ["split", "part", "id", "strand"]
RELATIVE = ["identity", "nearest"]
IDENTITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass
class Corpus:
    """A corpus by its manifests; excluded: None where nothing is, leakage: of the tasks to compare."""

    name: str
    sequences: Path
    clusters: Path
    excluded: Path | None = None
    leakage: list[Path] = field(default_factory=list)

    @property
    def manifests(self) -> list[Path]:
        return [self.sequences, self.clusters, *([self.excluded] if self.excluded else []), *self.leakage]

    @property
    def members(self) -> pl.LazyFrame:
        """digest, cluster of all sequences"""
        return draws.members(self.clusters)

    @property
    def drawn(self) -> pl.LazyFrame:
        """digest, cluster of the sequences that may be drawn"""
        return draws.members(self.clusters, self.excluded)

    @property
    def releases(self) -> dict[str, str]:
        """{source: release}, as far as the manifests of normalise are still there."""
        inputs = [Path(item["path"]) for item in provenance.load(self.sequences)["inputs"]]
        found = [path for path in inputs if path.name == "manifest.json" and path.is_file()]
        settings = [provenance.load(path)["parameters"] for path in found]
        return {part["source"]: part["release"] for part in settings if "release" in part}


def compare(before: Corpus, after: Corpus, folder: Path, seed: int, validation_fraction: float) -> dict:
    """Write the tables of all differences into `folder`; returns what they count, as JSON-able dictionaries.

    new.parquet, withdrawn.parquet, changed.parquet: see `compare_sequences`. clusters.parquet: see `succession.fates`.
    items.parquet: benchmark items whose nearest relative has another identity; task, and the columns of `relatives`.
    """
    working = folder / "working"
    parts = [provenance.outputs(corpus.sequences, ".parquet") for corpus in (before, after)]
    found = {
        "corpus": after.name,
        "previous": before.name,
        "releases": {"before": before.releases, "after": after.releases},
        **compare_sequences(*parts, folder, working),
    }
    buckets = found["sequences"]["after"] // succession.MEMBERS_PER_BUCKET + 1
    fates = succession.fates(before.members, after.members, buckets, working / "clusters")
    partitions.write(fates, folder / "clusters.parquet")
    found["clusters"] = count_fates(fates, before, after)
    if before.excluded or after.excluded:
        fates = succession.fates(before.drawn, after.drawn, buckets, working / "drawn")
    found["draws"] = redrawn(fates, before.drawn, after.drawn, seed, validation_fraction)
    items = compare_leakage(before.leakage, after.leakage)
    if items:
        table = pl.concat(frame.with_columns(task=pl.lit(task)) for task, frame in items.items())
        moved_items = table.filter(pl.col("identity_before") != pl.col("identity_after"))
        partitions.write(moved_items.select("task", pl.exclude("task")), folder / "items.parquet")
    found["leakage"] = {task: coverage(frame).to_dicts() for task, frame in items.items()}
    shutil.rmtree(working)
    return found


def compare_sequences(before: list[Path], after: list[Path], folder: Path, working: Path) -> dict:
    """Write new.parquet, withdrawn.parquet and changed.parquet into `folder`; returns the counts.

    before, after: the parts of `deduplicate`. new, withdrawn: digest, length, rna_type, sources, sorted by digest.
    changed: source, accession, old_digest, new_digest, sorted. Where an accession has several sequences, those that
    came replace those that went in the order of their digests.
    Counts: sequences {before, after, unchanged, new, withdrawn}, records {the same, changed}, sources {source:
    {sequences, records}}, rna_types {type: sequences}, only those that are affected. A sequence counts for every source
    that has it.
    """
    rows = max(pl.scan_parquet(parts).select(pl.len()).collect().item() for parts in (before, after))
    tally = Counter()
    for name in ("new", "withdrawn", "came", "went", "changed"):
        (working / name).mkdir(parents=True)
    for number, (low, high) in enumerate(ranges(rows)):
        old, new = read(before, low, high), read(after, low, high)
        for name, frame in differences(old, new, tally).items():
            partitions.write(frame, working / name / f"{number:06d}.parquet")
        print(f"digests {low}...: {old.height:,} sequences before, {new.height:,} after", flush=True)
    for number, pairs in enumerate(replacements(working)):
        count(tally, "records", "changed", pairs["source"])
        partitions.write(pairs, working / "changed" / f"{number:06d}.parquet")
    for name in ("new", "withdrawn"):
        sink(pl.scan_parquet(working / name), folder / f"{name}.parquet")
    sink(pl.scan_parquet(working / "changed").sort(*RECORD, "old_digest"), folder / "changed.parquet")
    return balance(tally)


def ranges(rows: int) -> Iterator[tuple[str, str]]:
    """Ranges low <= digest < high, of ROWS_PER_RANGE rows or fewer on average: digests are uniform."""
    letters = 1
    while rows > ROWS_PER_RANGE * 16**letters:
        letters += 1
    return pairwise([*(f"{number:0{letters}x}" for number in range(16**letters)), "g"])


def read(parts: list[Path], low: str, high: str) -> pl.DataFrame:
    """The rows of a range; row groups of other digests are passed over by their statistics."""
    digest = pl.col("digest")
    return pl.scan_parquet(parts).filter(digest >= low, digest < high).select(COLUMNS).collect()


def sink(frame: pl.LazyFrame, path: Path) -> None:
    frame.sink_parquet(path, compression="zstd", compression_level=3, row_group_size=50_000)


def differences(old: pl.DataFrame, new: pl.DataFrame, tally: Counter) -> dict[str, pl.DataFrame]:
    """Of one range: sequences that are new or withdrawn, records (source, accession, digest) that came or went."""
    appeared, gone = new.join(old, on="digest", how="anti"), old.join(new, on="digest", how="anti")
    for what, frame in (("before", old), ("after", new), ("new", appeared), ("withdrawn", gone)):
        names = frame.select(pl.col("sources").list.eval(pl.element().struct.field("source")))["sources"]
        count(tally, "sequences", what, names.list.unique().explode(empty_as_null=False))
        tally["sequences", what] += frame.height
        count(tally, "rna_types", what, frame["rna_type"].fill_null(NO_TYPE))
        if what in ("before", "after"):
            count(tally, "records", what, names.explode(empty_as_null=False))
    both = old.select("digest", was="sources").join(new.select("digest", "sources"), on="digest")
    both = both.filter(pl.col("was") != pl.col("sources"))
    went = records(pl.concat([gone.select("digest", "sources"), both.select("digest", sources="was")]))
    came = records(pl.concat([appeared.select("digest", "sources"), both.select("digest", "sources")]))
    same = [*RECORD, "digest", "copy"]
    found = {"went": went.join(came, on=same, how="anti"), "came": came.join(went, on=same, how="anti")}
    for name, frame in found.items():
        count(tally, "records", name, frame["source"])
    return {"new": appeared.sort("digest"), "withdrawn": gone.sort("digest")} | found


def records(sequences: pl.DataFrame) -> pl.DataFrame:
    """source, accession, digest, copy of every record; copy tells apart records that are given twice."""
    frame = sequences.explode("sources", empty_as_null=False).unnest("sources").select(*RECORD, "digest")
    return frame.with_columns(copy=pl.int_range(pl.len()).over(*RECORD, "digest"))


def replacements(working: Path) -> Iterator[pl.DataFrame]:
    """source, accession, old_digest, new_digest of the records that came for one that went, by bucket."""
    sides = {side: pl.scan_parquet(working / side) for side in ("went", "came")}
    rows = max(side.select(pl.len()).collect().item() for side in sides.values())
    buckets = rows // RECORDS_PER_BUCKET + 1
    for side, frame in sides.items():
        partitions.scatter(frame, pl.col("accession").hash() % buckets, working / f"{side}_buckets")
    yield pl.DataFrame(schema=dict.fromkeys([*RECORD, "old_digest", "new_digest"], pl.String))
    for number in range(buckets):
        went, came = (partitions.gather(working / f"{side}_buckets", number) for side in sides)
        if not went.is_empty() and not came.is_empty():
            old, new = numbered(went, "old_digest"), numbered(came, "new_digest")
            yield old.join(new, on=[*RECORD, "place"]).drop("place")


def numbered(records: pl.DataFrame, name: str) -> pl.DataFrame:
    """Records with their digest under `name` and its place among those of the accession."""
    ordered = records.select(*RECORD, pl.col("digest").alias(name)).sort(*RECORD, name)
    return ordered.with_columns(place=pl.int_range(pl.len()).over(RECORD))


def count(tally: Counter, kind: str, what: str, names: pl.Series) -> None:
    """Add to tally[kind, what, name] how often each name occurs."""
    for name, number in names.value_counts().iter_rows():
        tally[kind, what, name] += number


def balance(tally: Counter) -> dict:
    """The counts of `compare` from what the ranges counted."""
    kinds = ("before", "after", "new", "withdrawn")
    total = {what: tally["sequences", what] for what in kinds}
    sources = {
        name: {"sequences": {what: tally["sequences", what, name] for what in kinds}, "records": flow(tally, name)}
        for name in names(tally, "records")
    }
    types = {name: {what: tally["rna_types", what, name] for what in kinds} for name in names(tally, "rna_types")}
    every = Counter()
    for source in sources.values():
        every.update(source["records"])
    return {
        "sequences": total | {"unchanged": total["before"] - total["withdrawn"]},
        "records": dict(every),
        "sources": sources,
        "rna_types": {name: part for name, part in types.items() if any(affected(part))},
    }


def names(tally: Counter, kind: str) -> list[str]:
    return sorted({key[2] for key in tally if key[0] == kind and len(key) == 3})


def flow(tally: Counter, source: str) -> dict:
    """A source's records: before = unchanged + changed + withdrawn, after = unchanged + changed + new."""
    before, after, came, went, changed = (
        tally["records", what, source] for what in ("before", "after", "came", "went", "changed")
    )
    found = {"before": before, "after": after, "unchanged": before - went, "changed": changed}
    return found | {"new": came - changed, "withdrawn": went - changed}


def affected(part: dict) -> tuple:
    return part["new"], part["withdrawn"], part["after"] - part["before"]


def count_fates(fates: pl.DataFrame, before: Corpus, after: Corpus) -> dict:
    """Clusters before, after, unchanged, and of each fate."""
    numbers = {
        when: provenance.load(corpus.clusters)["counts"]["clusters"]
        for when, corpus in (("before", before), ("after", after))
    }
    numbers["unchanged"] = numbers["before"] - fates.filter(pl.col("before") > 0).height
    by_fate = dict(fates["what"].value_counts().iter_rows())
    return numbers | {what: by_fate.get(what, 0) for what in succession.FATES}


def redrawn(fates: pl.DataFrame, before: pl.LazyFrame, after: pl.LazyFrame, seed: int, fraction: float) -> dict:
    """How many clusters of the training and of the validation side move: {side: {before, after, ...}}.

    before, after: digest, cluster of what may be drawn; fates: of these clusters, see `succession.fates`. unchanged
    clusters keep their row in every epoch; touched ones are still there with other members, and redrawn of them give
    another sequence in the first epoch (or in the validation set); new and gone: clusters.
    """
    found = {}
    for name, epoch in (("training", 0), ("validation", draws.VALIDATION)):
        sides = [draws.side(members, seed, fraction, epoch) for members in (before, after)]
        numbers = [side.select(pl.col("cluster").n_unique()).collect(engine="streaming").item() for side in sides]
        moved = fates.filter(draws.held_out(fates, seed, fraction) == (epoch == draws.VALIDATION))
        touched = moved.filter(pl.col("before") > 0, pl.col("after") > 0).select("cluster")
        old, new = (
            draws.choose(side.join(touched.lazy(), on="cluster", how="semi"), seed, epoch).select("cluster", "digest")
            for side in sides
        )
        gone = moved.filter(pl.col("after") == 0).height
        found[name] = {
            "before": numbers[0],
            "after": numbers[1],
            "unchanged": numbers[0] - gone - touched.height,
            "touched": touched.height,
            "redrawn": old.join(new, on="cluster").filter(pl.col("digest") != pl.col("digest_right")).height,
            "new": moved.filter(pl.col("before") == 0).height,
            "gone": gone,
        }
    return found


def compare_leakage(before: list[Path], after: list[Path]) -> dict[str, pl.DataFrame]:
    """{task: relatives of its items} from the manifests of `leakage` of the same tasks in two corpora."""
    found = {}
    for manifests in zip(before, after, strict=True):
        tables = [provenance.outputs(manifest, "nearest.parquet") for manifest in manifests]
        task = provenance.load(manifests[1])["parameters"]["task"]
        found[task] = relatives(*(pl.read_parquet(paths) for paths in tables))
    return found


def relatives(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The nearest relatives of benchmark items in two corpora, from nearest.parquet of `leakage` of each.

    Columns: split, part, id, strand, identity_before, identity_after (0: no relative), nearest_before, nearest_after.
    """
    sides = []
    for when, nearest in (("before", before), ("after", after)):
        found = nearest.filter(pl.col("target") == "corpus").rename({name: f"{name}_{when}" for name in RELATIVE})
        sides.append(found.select(*ITEM, *(f"{name}_{when}" for name in RELATIVE)))
    both = sides[0].join(sides[1], on=ITEM, how="full", coalesce=True).sort(ITEM)
    return both.with_columns(pl.col("identity_before", "identity_after").fill_null(0.0))


def coverage(relatives: pl.DataFrame) -> pl.DataFrame:
    """Per split, part, strand and identity: items, and those with such a relative before, after, newly, no longer."""
    found = []
    for identity in IDENTITIES:
        was, now = pl.col("identity_before") >= identity, pl.col("identity_after") >= identity
        groups = relatives.group_by("split", "part", "strand")
        counts = groups.agg(
            items=pl.len(), before=was.sum(), after=now.sum(), newly=(now & ~was).sum(), no_longer=(was & ~now).sum()
        )
        found.append(counts.with_columns(identity=pl.lit(identity)))
    return pl.concat(found).sort("split", "part", "strand", "identity")
