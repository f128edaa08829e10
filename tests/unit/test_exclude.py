"""Exclusion: what resembles benchmark items leaves the draws, the ledger balances, and the card says so."""

import json

import made_corpus as made
import polars as pl
import pytest
from rnalm import config
from rnalm.corpus import exclusion, leakage
from rnalm.errors import InputError
from rnalm.training import card

HITS = {
    "target": pl.String,
    "strand": pl.String,
    "item": pl.String,
    "query": pl.String,
    "hit": pl.String,
    "relation": pl.String,
    "identity": pl.Float64,
    "coverage": pl.Float64,
}
NEAREST = {"split": pl.String, "part": pl.String, "id": pl.String, "digest": pl.String, "length": pl.Int32}


def write_audit(folder, items, hits):
    """What `leakage` leaves behind, as far as it is read: items (split, id, digest), hits of HITS."""
    folder.mkdir(parents=True)
    rows = [(split, "test", name, digest, 100) for split, name, digest in items]
    items = pl.DataFrame(rows, schema=NEAREST, orient="row")
    hits = pl.DataFrame(hits, schema=HITS, orient="row")
    hits.write_parquet(folder / "hits.parquet")
    leakage.nearest_relatives(items, "corpus", hits.filter(target="corpus").lazy(), 0.8).write_parquet(
        folder / "nearest.parquet"
    )
    return made.write_manifest("leakage", folder, {"task": "folding", "coverage": 0.8}, {})


@pytest.fixture
def audits(tmp_path):
    items = [("a", "x1", "x"), ("b", "x0", "x"), ("b", "y1", "y")]
    hits = [
        ("corpus", "forward", "x0", "x", "same", "identical", 1.0, 1.0),
        ("corpus", "forward", "y1", "y", "same", "similar", 0.9, 1.0),
        ("corpus", "reverse", "x0", "x", "turned", "similar", 0.8, 0.8),
        ("corpus", "forward", "y1", "y", "near", "similar", 0.85, 0.8),
        ("corpus", "forward", "x0", "x", "far", "similar", 0.799, 1.0),
        ("corpus", "forward", "x0", "x", "part", "within", 1.0, 0.79),
        ("train", "forward", "x0", "x", "mate", "identical", 1.0, 1.0),
    ]
    return {"folding": write_audit(tmp_path / "leakage", items, hits)}


CLUSTERS = pl.DataFrame(
    {
        "digest": ["same", "mate", "turned", "near", "far", "part", "alone"],
        "cluster": ["same", "same", "turned", "far", "far", "part", "alone"],
    }
)


def excluded(audits, scope="hits", sets=("folding",), identity=0.8, coverage=0.8) -> list[tuple]:
    found = exclusion.exclude(audits, CLUSTERS.lazy(), list(sets), identity, coverage, scope)
    assert found.columns == exclusion.COLUMNS
    return found.rows()


SAME = ("same", "same", "folding", "x0", "forward", 1.0, 1.0, "identical")
TURNED = ("turned", "turned", "folding", "x0", "reverse", 0.8, 0.8, "similar")
NEAR = ("near", "far", "folding", "y1", "forward", 0.85, 0.8, "similar")


def test_hits_from_the_thresholds_on_with_their_nearest_item(audits):
    assert excluded(audits) == [NEAR, SAME, TURNED]
    assert excluded(audits, identity=0.9) == [SAME]
    assert excluded(audits, coverage=1.0, identity=0.5) == [
        ("far", "far", "folding", "x0", "forward", 0.799, 1.0, "similar"),
        SAME,
    ]


def test_mates_of_hits_go_with_them(audits):
    mate = ("mate", "same", "folding", "x0", None, None, None, "cluster mate")
    far = ("far", "far", "folding", "y1", None, None, None, "cluster mate")
    assert excluded(audits, "clusters") == [far, mate, NEAR, SAME, TURNED]
    assert excluded(audits, "clusters", identity=0.9) == [mate, SAME]


def test_a_split_has_its_own_items_under_its_own_names(audits):
    split = [("same", "same", "folding/a", "x1", "forward", 1.0, 1.0, "identical")]
    split += [("turned", "turned", "folding/a", "x1", "reverse", 0.8, 0.8, "similar")]
    assert excluded(audits, sets=["folding/a"]) == split
    both = excluded(audits, sets=["folding/b", "folding/a"])
    assert [row[0] for row in both] == ["near", "same", "turned"]
    # Of two sets with the same relative the first by name is told.
    assert [row[2] for row in both] == ["folding/b", "folding/a", "folding/a"]


def test_an_unknown_split(audits):
    with pytest.raises(InputError, match=r"folding/c: is no split .*folding/a, folding/b"):
        excluded(audits, sets=["folding/c"])


def test_nothing_to_exclude(audits):
    audits = {"folding": write_audit(audits["folding"].parent / "none", [("a", "z", "z")], [])}
    for scope in exclusion.SCOPES:
        assert excluded(audits, scope) == []


LEDGER = pl.DataFrame(
    [("a", "in", 9), ("a", "kept", 4), ("a", "merged", 3), ("a", "too_long", 2), ("b", "in", 5), ("b", "kept", 5)],
    schema=["source", "rule", "records"],
    orient="row",
)


def test_the_ledger_balances(tmp_path):
    """A sequence counts for its first source; sources of merged records lose nothing."""
    sources = {"same": "ab", "near": "b", "turned": "a", "far": "b"}
    rows = [(digest, [{"source": s, "accession": digest} for s in names]) for digest, names in sources.items()]
    pl.DataFrame(rows, schema=["digest", "sources"], orient="row").write_parquet(tmp_path / "part.parquet")
    gone = pl.DataFrame({"digest": ["near", "same", "turned"]})
    assert exclusion.without(LEDGER, gone, [tmp_path / "part.parquet"]).rows() == [
        ("a", "in", 9),
        ("a", "kept", 2),
        ("a", "excluded", 2),
        ("a", "merged", 3),
        ("a", "too_long", 2),
        ("b", "in", 5),
        ("b", "kept", 4),
        ("b", "excluded", 1),
    ]
    lost = LEDGER.with_columns(records=pl.col("records") + pl.col("rule").eq("too_long"))
    with pytest.raises(InputError, match="source a: is -1 records off"):
        exclusion.without(lost, gone, [tmp_path / "part.parquet"])


# The stages, on real RNAs

REAL = [sequence for sequence in made.real_sequences() if len(sequence) >= 60]
DRAWS = {"seed": 42, "validation_fraction": 0.2, "crop": 90, "rows_per_shard": 1000}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """500 real RNAs in clusters of five, a task with every tenth of them as test, and its leakage."""
    folder = tmp_path_factory.mktemp("corpus")
    rnas = REAL[::3][:500]
    frame = made.shard("rfam", [(f"r{place}", rna, None) for place, rna in enumerate(rnas)])
    sources = pl.concat_list(pl.struct("source", "accession"))
    sequences = folder / "sequences"
    sequences.mkdir()
    frame.with_columns(sources=sources).drop("source", "accession").sort("digest").write_parquet(
        sequences / "part-00000.parquet"
    )
    made.write_manifest("deduplicate", sequences, {}, {})
    clusters = frame.sort("digest").select("digest", cluster=pl.col("digest").gather_every(5).repeat_by(5).explode())
    made.write_clusters(folder / "clusters", clusters)
    (folder / "ledger.csv").write_text("source,rule,records\nrfam,in,510\nrfam,kept,500\nrfam,too_long,10\n")
    data = folder / "data"
    data.mkdir()
    records = frame.select(id="accession", sequence="sequence")
    records.write_parquet(data / "records.parquet")
    test = records.gather_every(10).select(split=pl.lit("given"), part=pl.lit("test"), id="id")
    test.write_parquet(data / "splits.parquet")
    made.write_manifest("task_data", data, {}, {})
    made.succeed(
        "leakage",
        task="folding",
        data=data / "manifest.json",
        sequences=sequences / "manifest.json",
        coverage=0.8,
        threads=2,
        state=folder / "state",
        manifest=folder / "leakage/manifest.json",
    )
    return folder


def exclude(corpus, folder, **settings):
    settings = {"sets": ["folding"], "identity": 0.9, "coverage": 0.8, "scope": "hits"} | settings
    return made.run(
        "exclude",
        leakage=corpus / "leakage/manifest.json",
        sequences=corpus / "sequences/manifest.json",
        clusters=corpus / "clusters/manifest.json",
        ledger=corpus / "ledger.csv",
        settings=json.dumps(settings),
        manifest=folder / "manifest.json",
    )


def drawn(corpus, folder, **excluded) -> pl.DataFrame:
    """Validation and epoch 0, one after the other."""
    inputs = {name: corpus / name / "manifest.json" for name in ("sequences", "clusters")} | excluded
    made.succeed("hold_out", manifest=folder / "validation/manifest.json", **inputs, **DRAWS)
    made.succeed("draw", epoch=0, manifest=folder / "epoch/manifest.json", **inputs, **DRAWS)
    shards = [folder / "validation/shard-00000.parquet", folder / "epoch/shard-00000.parquet"]
    return pl.concat(pl.read_parquet(path) for path in shards)


@pytest.mark.parametrize("scope", exclusion.SCOPES)
def test_what_is_excluded_is_not_drawn_and_leaks_no_more(corpus, tmp_path, scope):
    done = exclude(corpus, tmp_path / "excluded", scope=scope)
    assert done.returncode == 0, done.stderr
    manifest = made.provenance.load(tmp_path / "excluded/manifest.json")
    gone = pl.read_parquet(tmp_path / "excluded/excluded.parquet")
    assert gone["digest"].is_unique().all() and 50 <= gone.height < 500
    counts = manifest["counts"]
    assert (counts["excluded"], counts["sequences"]) == (gone.height, 500 - gone.height)
    assert counts["excluded.identical"] == 50
    assert counts["clusters"] + counts["clusters_excluded"] == 100
    ledger = pl.read_csv(tmp_path / "excluded/ledger.csv")
    assert dict(ledger.select("rule", "records").iter_rows())["excluded"] == gone.height

    before = drawn(corpus, tmp_path / "before")
    after = drawn(corpus, tmp_path / "after", excluded=tmp_path / "excluded/manifest.json")
    assert not after["digest"].is_in(gone["digest"].implode()).any()
    assert after.height == counts["clusters"]
    # Clusters that lost nothing are drawn as before.
    whole = ~pl.col("cluster").is_in(gone["cluster"].implode())
    assert after.filter(whole).drop("row").equals(before.filter(whole).drop("row"))
    inputs = [item["path"] for item in made.provenance.load(tmp_path / "after/epoch/manifest.json")["inputs"]]
    assert str(tmp_path / "excluded/manifest.json") in inputs

    left = exclusion.leakage_without(corpus / "leakage/manifest.json", gone).filter(target="corpus")
    was = pl.read_csv(corpus / "leakage/summary.csv").filter(target="corpus")
    assert (left.columns, left.height) == (was.columns, was.height)
    assert was.filter(strand="forward", identity=1.0)["covered"].item() == 50
    assert left.filter(pl.col("identity") >= 0.9)["covered"].sum() == 0
    assert (left["covered"] <= was["covered"]).all()


def test_an_unknown_split_ends_the_stage_in_one_line(corpus, tmp_path):
    assert "folding/TS0: is no split" in made.one_line_error(exclude(corpus, tmp_path / "none", sets=["folding/TS0"]))
    assert not (tmp_path / "none/manifest.json").exists()


def with_exclude(**settings) -> dict:
    demo = config.read(made.ROOT / "config/demo.yaml")
    return config.check(demo | {"corpus": demo["corpus"] | {"exclude": settings}}, "my.yaml")


def test_config():
    found = with_exclude(sets=["structure", "structure/random"])["corpus"]["exclude"]
    assert found == {"sets": ["structure", "structure/random"], "identity": 0.8, "coverage": 0.8, "scope": "hits"}
    assert "exclude" not in config.load(made.ROOT / "config/demo.yaml")["corpus"]
    with pytest.raises(InputError, match=r"strcture/random is no task of this run; .*structure"):
        with_exclude(sets=["strcture/random"])
    for wrong in ({"sets": []}, {}, {"sets": ["structure"], "coverage": 0.4}, {"sets": ["structure"], "scope": "all"}):
        with pytest.raises(InputError, match=r"corpus\.exclude"):
            with_exclude(**wrong)


def test_the_card_says_what_was_excluded():
    settings = {"sets": ["folding/TS0", "splicing"], "identity": 0.8, "coverage": 0.9, "scope": "clusters"}
    made_by = {"stage": "exclude", "parameters": settings, "counts": {"excluded": 12345}}
    text = card.exclusion([{"stage": "cluster"}, made_by])
    assert "12,345 sequences" in text and "folding/TS0, splicing" in text and "members of their clusters" in text
    assert "0.8 over at least 0.9" in text
    assert card.exclusion([{"stage": "cluster"}]).startswith("Nothing was excluded")
