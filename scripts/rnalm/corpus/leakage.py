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
from rnalm.corpus import containment, mmseqs, search
from rnalm.errors import InputError
from rnalm.sequences.alphabet import digest

IDENTITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PLACE = ["split", "part", "target", "strand"]
NEAREST = ["split", "part", "id", "digest", "length", "target", "strand", "nearest", "identity", "coverage"]
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
        "search": search.description(),
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
    items = items.with_columns(length=pl.col("sequence").str.len_bytes().cast(pl.Int32))
    nearest = [nearest_relatives(items, "corpus", hits.filter(target="corpus"), coverage)]
    if not training.is_empty():
        own = training.lazy().select("split", hit="digest").unique()
        nearest.append(nearest_relatives(items, "train", hits.filter(target="train").join(own, on="hit"), coverage))
    return [folder / "hits.parquet", *write(pl.concat(nearest), folder)], counts(items, hits)


def table_hash(table: pl.DataFrame) -> str:
    return hashlib.sha256(table.drop("sequence").write_csv().encode()).hexdigest()


def nearest_relatives(items: pl.DataFrame, target: str, hits: pl.LazyFrame, coverage: float) -> pl.DataFrame:
    """A row per item and strand: NEAREST; nulls where no hit covers enough of the item.

    items: split, part, id, digest, length (nt). hits: in the target; one with a column `split` counts only there.
    """
    keys = [name for name in ("split", "strand", "query") if name in hits.collect_schema()]
    nearest = best(hits.filter(pl.col("coverage") >= coverage), keys, ["hit"])
    nearest = nearest.rename({"query": "digest", "hit": "nearest"})
    strands = pl.LazyFrame({"strand": containment.STRANDS, "target": target})
    rows = items.lazy().join(strands, how="cross").join(nearest, on=[*keys[:-1], "digest"], how="left")
    return rows.collect(engine="streaming").select(NEAREST).sort("split", "part", "strand", "id", "digest")


def best(hits: pl.LazyFrame, keys: list[str], values: list[str]) -> pl.LazyFrame:
    """Of each group the hit of highest identity, then highest coverage, then smallest values.

    Returns keys, values, identity, coverage.
    """
    # Two passes that stream; a sort of all hits would not.
    rank = (pl.col("identity") * 1e3).round().cast(pl.Int64) * 10**7 + (pl.col("coverage") * 1e6).round().cast(pl.Int64)
    ranked = hits.select(*keys, *values, "identity", "coverage", rank=rank)
    highest = ranked.group_by(keys).agg(pl.col("rank").max())
    equals = ranked.join(highest, on=[*keys, "rank"]).group_by(keys)
    return equals.agg(pl.col(*values, "identity", "coverage").sort_by(values).first())


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
