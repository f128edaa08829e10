"""Leakage: which benchmark items have relatives in the corpus, and in the train part of their own split.

Items are the RNAs of a task's valid and test parts. They are searched (`rnalm.corpus.search`), not looked up in the
clusters, which hide relatives behind their representatives. Strands count apart: RNA has one, and a reverse complement
is another molecule.

The nearest relative of an item is the hit of highest identity (then highest coverage, then smallest digest) of those
that cover at least `coverage` of the item. The item is covered at an identity if its nearest has it or more.
"""

import hashlib
from pathlib import Path

import polars as pl

from rnalm import files, provenance
from rnalm.corpus import mmseqs, search
from rnalm.errors import InputError
from rnalm.sequences.alphabet import digest

IDENTITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TARGETS = ("corpus", "train")
STRANDS = ("forward", "reverse")
PLACE = ["split", "part", "target", "strand"]
HITS = ["target", "strand", "item", "query", "hit", "relation", "identity", "coverage", "hit_coverage"]
HITS += ["alignment_length"]


def task_items(manifest) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of a task_data manifest: items (split, part, id, digest, sequence), training (split, digest, sequence)."""
    (records,) = provenance.outputs(manifest, "records.parquet")
    (splits,) = provenance.outputs(manifest, "splits.parquet")
    sequences = with_digests(pl.read_parquet(records, columns=["id", "sequence"]))
    rows = pl.read_parquet(splits).join(sequences, on="id", maintain_order="left")
    is_training = pl.col("part") == "train"
    items = rows.filter(~is_training).select("split", "part", "id", "digest", "sequence")
    return items, rows.filter(is_training).select("split", "digest", "sequence")


def with_digests(records: pl.DataFrame) -> pl.DataFrame:
    """Records with the digest of their normalised sequence."""
    return records.with_columns(digest=pl.Series(map(digest, records["sequence"]), dtype=pl.String))


def audit(items, training, sequences, state: Path, folder: Path, coverage: float, threads: int):
    """Search the items and write hits.parquet, nearest.parquet and summary.csv; returns their paths and counts.

    items, training: see `task_items`; training may be empty. sequences: manifest of deduplicate. state: working folder;
    a killed run goes on from there. coverage: see above.
    """
    if items.is_empty():
        raise InputError(folder, "there is no item to search for", "give a task with a valid or a test part")
    parts = provenance.outputs(sequences, ".parquet")
    fingerprint = {
        "items": table_hash(items),
        "training": table_hash(training),
        "sequences": [output["sha256"] for output in provenance.load(sequences)["outputs"]],
        "flags": list(search.FLAGS),
        "mmseqs": mmseqs.version(),
    }
    names = items.group_by("digest").agg(item=pl.col("id").min())
    with mmseqs.state(state, fingerprint) as lock:
        trained = state / "training.parquet"
        training.unique("digest").sort("digest").write_parquet(trained)
        queries = items.select("digest", "sequence").unique("digest").sort("digest")
        searched = search.Search(queries, state, threads, lock)
        found = {searched.run(path, f"corpus-{number:05d}"): "corpus" for number, path in enumerate(parts)}
        if not training.is_empty():
            found[searched.run(trained, "train")] = "train"
        hits = pl.concat(pl.scan_parquet(path).with_columns(target=pl.lit(target)) for path, target in found.items())
        hits = hits.join(names.lazy(), left_on="query", right_on="digest", maintain_order="left").select(HITS)
        with files.atomic(folder / "hits.parquet") as temporary:
            hits.sink_parquet(temporary, compression_level=3, row_group_size=500_000)
    hits = pl.scan_parquet(folder / "hits.parquet")
    nearest = nearest_relatives(items, training, hits, coverage)
    return [folder / "hits.parquet", *write(nearest, folder)], counts(items, hits)


def table_hash(table: pl.DataFrame) -> str:
    return hashlib.sha256(table.drop("sequence").write_csv().encode()).hexdigest()


def nearest_relatives(items, training, hits: pl.LazyFrame, coverage: float) -> pl.DataFrame:
    """A row per item, target and strand: PLACE, id, digest, length (nt), nearest, identity, coverage; nulls: none."""
    hits = hits.filter(pl.col("coverage") >= coverage)
    splits = items.select("split").unique().lazy()
    own = training.lazy().select("split", hit="digest").unique()
    corpus = best(hits.filter(pl.col("target") == "corpus"), ["target", "strand", "query"]).join(splits, how="cross")
    train = best(hits.filter(pl.col("target") == "train").join(own, on="hit"), ["split", "target", "strand", "query"])
    found = pl.concat([corpus, train], how="diagonal").rename({"query": "digest", "hit": "nearest"})
    grid = pl.LazyFrame({"target": TARGETS}).join(pl.LazyFrame({"strand": STRANDS}), how="cross")
    rows = items.lazy().with_columns(length=pl.col("sequence").str.len_bytes().cast(pl.Int32)).join(grid, how="cross")
    rows = rows.join(found, on=["split", "target", "strand", "digest"], how="left")
    columns = ["split", "part", "id", "digest", "length", "target", "strand", "nearest", "identity", "coverage"]
    return rows.select(columns).sort(*PLACE, "id", "digest").collect(engine="streaming")


def best(hits: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """Of every group of hits the one of highest identity, then coverage, then smallest digest: keys, hit, both."""
    # Two passes that stream; a sort of all hits would not.
    rank = (pl.col("identity") * 1e3).round().cast(pl.Int64) * 10**7 + (pl.col("coverage") * 1e6).round().cast(pl.Int64)
    ranked = hits.select(*dict.fromkeys([*keys, "hit"]), "identity", "coverage", rank=rank)
    highest = ranked.group_by(keys).agg(pl.col("rank").max())
    values = [pl.col(name).sort_by("hit").first() for name in ("hit", "identity", "coverage") if name not in keys]
    return ranked.join(highest, on=[*keys, "rank"]).group_by(keys).agg(values)


def summarise(nearest: pl.DataFrame) -> pl.DataFrame:
    """A row per PLACE and identity: items, those that are covered at it, and their fraction."""
    found = [
        nearest.group_by(PLACE)
        .agg(items=pl.len(), covered=(pl.col("identity") >= identity).sum())
        .with_columns(identity=pl.lit(identity))
        for identity in IDENTITIES
    ]
    table = pl.concat(found).with_columns(fraction=pl.col("covered") / pl.col("items"))
    return table.select(*PLACE, "identity", "items", "covered", "fraction").sort(*PLACE, "identity")


def write(nearest: pl.DataFrame, folder: Path) -> list[Path]:
    """nearest.parquet and summary.csv."""
    with files.atomic(folder / "nearest.parquet") as temporary:
        nearest.write_parquet(temporary)
    files.write_text(folder / "summary.csv", summarise(nearest).write_csv())
    return [folder / "nearest.parquet", folder / "summary.csv"]


def counts(items: pl.DataFrame, hits: pl.LazyFrame) -> dict[str, int]:
    """Items, hits, and per split and part the items and those of them whose very sequence is in the corpus."""
    same = hits.filter(target="corpus", strand="forward", relation="identical").select("query").collect()["query"]
    found = {"items": items["digest"].n_unique(), "hits": hits.select(pl.len()).collect().item()}
    for (split, part), rows in items.group_by("split", "part", maintain_order=True):
        found[f"{split}.{part}"] = rows.height
        found[f"{split}.{part}.verbatim"] = rows["digest"].is_in(same.implode()).sum()
    return found
