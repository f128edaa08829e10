"""An update with planted changes through the stages: every one is found, and nothing else."""

import json
import random

import made_corpus as made
import polars as pl
import pytest
from rnalm.corpus import delta

CLUSTER = {"min_seq_id": 0.7, "coverage": 0.8, "split_memory_limit": "0", "threads": 1}
HOLD_OUT = {"seed": 42, "validation_fraction": 0.2}
DRAW = HOLD_OUT | {"crop": 90, "rows_per_shard": 100}
FAMILIES = 30


def letters(length: int, dice: random.Random) -> str:
    return "".join(dice.choices("ACGT", k=length))


def mutant(sequence: str, dice: random.Random) -> str:
    """With 3 % of the letters replaced: surely in the same cluster."""
    found = list(sequence)
    for place in dice.sample(range(len(found)), len(found) * 3 // 100):
        found[place] = "ACGT"[("ACGT".index(found[place]) + 1) % 4]
    return "".join(found)


def releases() -> tuple[dict, dict]:
    """{source: {accession: (sequence, type)}} of two releases, which differ in what the tests say."""
    dice = random.Random(7)
    before = {"rfam": {}, "ensembl": {}}
    for family in range(FAMILIES):
        ancestor = letters(200, dice)
        for member in range(3):
            before["rfam"][f"F{family}/{member}"] = (mutant(ancestor, dice), f"type{family % 3}")
    before["ensembl"]["T1"] = before["rfam"]["F9/0"]
    whole = letters(300, dice)
    before["rfam"] |= {
        "gone/0": (letters(150, dice), "typeGone"),
        "left/0": (whole[54:], "half"),
        "left/1": (mutant(whole[54:], dice), "half"),
        "right/0": (whole[:-54], "half"),
    }
    after = {source: dict(records) for source, records in before.items()}
    rfam = after["rfam"]
    del rfam["gone/0"], rfam["F1/2"]
    rfam["F0/new"] = (mutant(rfam["F0/0"][0], dice), "type0")
    rfam["F2/1"] = (mutant(rfam["F2/0"][0], dice), "type2")
    rfam["whole"] = (whole, "whole")
    # The sequence stays, a name comes and another goes.
    rfam["F3/renamed"] = rfam.pop("F3/0")
    del after["ensembl"]["T1"]
    after["ensembl"]["T2"] = before["rfam"]["F9/1"]
    after["ensembl"]["born"] = (letters(180, dice), None)
    return before, after


def nearest(folder, rows):
    """What `leakage` leaves behind, as far as it is read: (split, part, id, target, strand, nearest, identity)."""
    folder.mkdir(parents=True)
    columns = ["split", "part", "id", "target", "strand", "nearest", "identity"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(folder / "nearest.parquet")
    return made.write_manifest("leakage", folder, {"task": "structure"}, {})


def corpus(folder, name: str, records: dict, **previous) -> dict:
    """The flags of a corpus made by deduplicate and cluster."""
    here, normalised = folder / name, []
    for source, part in records.items():
        rows = made.shard(source, [(accession, *what) for accession, what in part.items()]).sort("digest")
        manifest = made.write_normalised(here / source, source, rows)
        counts = made.provenance.load(manifest)["counts"]
        normalised.append(made.write_manifest("normalise", here / source, {"source": source, "release": name}, counts))
    sequences, clusters = here / "sequences/manifest.json", here / "clusters.manifest.json"
    made.succeed("deduplicate", normalised=normalised, ledger=here / "ledger.csv", manifest=sequences, threads=1)
    made.succeed("cluster", sequences=sequences, state=here / "state", manifest=clusters, **CLUSTER, **previous)
    return {"sequences": sequences, "clusters": clusters}


@pytest.fixture(scope="module")
def update(tmp_path_factory):
    """The folder with corpora `old` and `new` and the delta between them."""
    folder = tmp_path_factory.mktemp("update")
    old, new = releases()
    before = corpus(folder, "old", old)
    after = corpus(folder, "new", new, previous=before["clusters"])
    was = [
        ("random", "test", "a", "corpus", "forward", "x", 0.72),
        ("random", "test", "b", "corpus", "forward", "x", 1.0),
    ]
    now = [
        ("random", "test", "a", "corpus", "forward", "y", 1.0),
        ("random", "test", "b", "corpus", "forward", "z", 0.85),
    ]
    same = [
        ("random", "test", "c", "corpus", "forward", None, None),
        ("random", "test", "a", "train", "forward", "t", 0.9),
        ("random", "test", "a", "corpus", "reverse", "r", 0.6),
    ]
    flags = {f"previous_{name}": path for name, path in before.items()} | after
    flags |= {"leakage": nearest(folder / "leakage/new", now + same)}
    flags |= {"previous_leakage": nearest(folder / "leakage/old", was + same)}
    made.succeed(
        "delta", corpus="new", previous="old", manifest=folder / "new/delta/manifest.json", **flags, **HOLD_OUT
    )
    return folder


@pytest.fixture(scope="module")
def found(update):
    return json.loads((update / "new/delta/delta.json").read_text())


def digest(name: str, release: int) -> str:
    return made.digest(releases()[release]["ensembl" if name == "born" else "rfam"][name][0])


def table(update, name: str) -> pl.DataFrame:
    return pl.read_parquet(update / f"new/delta/{name}.parquet")


def test_sequences(update, found):
    new, withdrawn = table(update, "new"), table(update, "withdrawn")
    expected = [digest(name, 1) for name in ("F0/new", "F2/1", "whole", "born")]
    assert new["digest"].to_list() == sorted(expected)
    assert withdrawn["digest"].to_list() == sorted(digest(name, 0) for name in ("gone/0", "F1/2", "F2/1"))
    born = new.row(by_predicate=pl.col("digest") == digest("born", 1), named=True)
    assert born["sources"] == [{"source": "ensembl", "accession": "born"}]
    assert (born["length"], born["rna_type"]) == (180, None)
    assert found["sequences"] == {"before": 94, "after": 95, "new": 4, "withdrawn": 3, "unchanged": 91}


def test_records(update, found):
    changed = table(update, "changed").rows()
    assert changed == [("rfam", "F2/1", digest("F2/1", 0), digest("F2/1", 1))]
    rfam, ensembl = found["sources"]["rfam"], found["sources"]["ensembl"]
    assert rfam["records"] == {"before": 94, "after": 94, "unchanged": 90, "changed": 1, "new": 3, "withdrawn": 3}
    assert rfam["sequences"] == {"before": 94, "after": 94, "new": 3, "withdrawn": 3}
    assert ensembl["records"] == {"before": 1, "after": 2, "unchanged": 0, "changed": 0, "new": 2, "withdrawn": 1}
    assert found["records"] == {name: rfam["records"][name] + ensembl["records"][name] for name in rfam["records"]}
    assert found["releases"] == {when: dict.fromkeys(("rfam", "ensembl"), name) for when, name in NAMES.items()}


NAMES = {"before": "old", "after": "new"}


def test_types(found):
    assert found["rna_types"] == {
        "not stated": {"before": 0, "after": 1, "new": 1, "withdrawn": 0},
        "type0": {"before": 30, "after": 31, "new": 1, "withdrawn": 0},
        "type1": {"before": 30, "after": 29, "new": 0, "withdrawn": 1},
        "type2": {"before": 30, "after": 30, "new": 1, "withdrawn": 1},
        "typeGone": {"before": 1, "after": 0, "new": 0, "withdrawn": 1},
        "whole": {"before": 0, "after": 1, "new": 1, "withdrawn": 0},
    }


def test_clusters(update, found):
    before = dict(pl.read_parquet(update / "old/clusters.parquet").iter_rows())
    after = dict(pl.read_parquet(update / "new/clusters.parquet").iter_rows())
    assert before[digest("left/0", 0)] != before[digest("right/0", 0)]
    fates = {row["cluster"]: row for row in table(update, "clusters").iter_rows(named=True)}
    left, right = before[digest("left/0", 0)], before[digest("right/0", 0)]
    assert {name: row["what"] for name, row in fates.items()} == {
        before[digest("F0/0", 0)]: "grown",
        before[digest("F1/0", 0)]: "shrunk",
        before[digest("F2/0", 0)]: "exchanged",
        before[digest("gone/0", 0)]: "died",
        after[digest("born", 1)]: "born",
        left: "grown",
        right: "merged",
    }
    assert (fates[left]["came_from"], fates[right]["went_to"]) == ([right], [left])
    assert after[digest("whole", 1)] == after[digest("right/0", 1)] == left
    expected = {"before": 33, "after": 32, "unchanged": 27, "born": 1, "died": 1, "merged": 1, "split": 0}
    assert found["clusters"] == expected | {"grown": 2, "shrunk": 1, "exchanged": 1}


def test_draws_of_untouched_clusters_stay_and_the_others_are_counted(update, found, tmp_path):
    touched = table(update, "clusters")["cluster"]
    chosen = {}
    for name in ("old", "new"):
        inputs = {
            "sequences": update / name / "sequences/manifest.json",
            "clusters": update / name / "clusters.manifest.json",
        }
        made.succeed("hold_out", manifest=tmp_path / name / "validation/manifest.json", **inputs, **DRAW)
        for epoch in (0, 1):
            made.succeed("draw", epoch=epoch, manifest=tmp_path / name / f"{epoch}/manifest.json", **inputs, **DRAW)
        for part in ("validation", "0", "1"):
            chosen[name, part] = pl.read_parquet(tmp_path / name / part / "shard-*.parquet").drop("row")
    for part in ("validation", "0", "1"):
        old, new = (chosen[name, part].filter(~pl.col("cluster").is_in(touched.implode())) for name in ("old", "new"))
        assert old.height > 2 and old.equals(new)
    for side, part in (("training", "0"), ("validation", "validation")):
        old, new = chosen["old", part], chosen["new", part]
        both = old.join(new, on="cluster")
        numbers = found["draws"][side]
        assert (numbers["before"], numbers["after"]) == (old.height, new.height)
        assert numbers["redrawn"] == both.filter(pl.col("digest") != pl.col("digest_right")).height
        assert numbers["unchanged"] + numbers["touched"] == both.height
        assert numbers["new"] == new.height - both.height and numbers["gone"] == old.height - both.height


def test_benchmark_items(update, found):
    rows = {(row["strand"], row["identity"]): row for row in found["leakage"]["structure"]}
    assert rows["forward", 0.8] == {
        "split": "random",
        "part": "test",
        "strand": "forward",
        "items": 3,
        "before": 1,
        "after": 2,
        "newly": 1,
        "no_longer": 0,
        "identity": 0.8,
    }
    assert (rows["forward", 1.0]["newly"], rows["forward", 1.0]["no_longer"]) == (1, 1)
    assert (rows["reverse", 0.5]["before"], rows["reverse", 0.5]["newly"]) == (1, 0)
    assert table(update, "items").select("task", "id", "strand", "nearest_before", "nearest_after").rows() == [
        ("structure", "a", "forward", "x", "y"),
        ("structure", "b", "forward", "x", "z"),
    ]


def test_page_holds_the_numbers_and_asks_for_nothing(update):
    page = (update / "new/delta/index.html").read_text()
    assert "94 distinct sequences before, 95 now" in page
    assert "<td>old → new</td>" in page
    assert digest("F2/1", 1) in page
    assert "default-src 'none'" in page


def test_manifest(update):
    manifest = made.provenance.load(update / "new/delta/manifest.json")
    assert manifest["counts"]["records.changed"] == 1 and manifest["counts"]["clusters.merged"] == 1
    names = ["changed", "clusters", "items", "new", "withdrawn"]
    expected = sorted([*(f"{name}.parquet" for name in names), "delta.json", "index.html"])
    assert [item["path"] for item in manifest["outputs"]] == expected
    assert len(manifest["inputs"]) == 6
    assert made.provenance.verify(update / "new/delta/manifest.json") == []


def test_a_corpus_compared_with_itself_has_no_differences(update, tmp_path):
    inputs = {"sequences": update / "old/sequences/manifest.json", "clusters": update / "old/clusters.manifest.json"}
    flags = inputs | {f"previous_{name}": path for name, path in inputs.items()} | HOLD_OUT
    made.succeed("delta", corpus="same", previous="old", manifest=tmp_path / "delta/manifest.json", **flags)
    found = json.loads((tmp_path / "delta/delta.json").read_text())
    assert found["records"]["unchanged"] == found["records"]["after"] == 95
    assert found["clusters"]["unchanged"] == found["clusters"]["before"] == found["clusters"]["after"]
    assert found["rna_types"] == found["leakage"] == {}
    for name in ("new", "withdrawn", "changed", "clusters"):
        assert pl.read_parquet(tmp_path / f"delta/{name}.parquet").is_empty()


def test_what_is_excluded_leaves_the_draws_and_not_the_clusters(update, tmp_path):
    (tmp_path / "excluded").mkdir()
    family = [digest(f"F5/{member}", 0) for member in range(3)]
    pl.DataFrame({"digest": family}).write_parquet(tmp_path / "excluded/excluded.parquet")
    excluded = made.write_manifest("exclude", tmp_path / "excluded", {}, {})
    inputs = {"sequences": update / "old/sequences/manifest.json", "clusters": update / "old/clusters.manifest.json"}
    flags = inputs | {f"previous_{name}": path for name, path in inputs.items()} | HOLD_OUT | {"excluded": excluded}
    made.succeed("delta", corpus="same", previous="old", manifest=tmp_path / "delta/manifest.json", **flags)
    found = json.loads((tmp_path / "delta/delta.json").read_text())
    assert found["clusters"]["unchanged"] == found["clusters"]["before"] == 33
    sides = found["draws"].values()
    assert [sum(side[name] for side in sides) for name in ("before", "after", "gone", "new")] == [33, 32, 1, 0]


def test_without_an_earlier_corpus_ids_are_representatives(update, tmp_path):
    sequences = update / "new/sequences/manifest.json"
    made.succeed("cluster", sequences=sequences, state=tmp_path / "state", manifest=tmp_path / "m.json", **CLUSTER)
    clusters = pl.read_parquet(tmp_path / "clusters.parquet")
    assert clusters.filter(pl.col("digest") == pl.col("cluster")).height == clusters["cluster"].n_unique()
    named = pl.read_parquet(update / "new/clusters.parquet")
    both = clusters.join(named, on="digest").select("cluster", "cluster_right").unique()
    assert both["cluster"].is_unique().all() and both["cluster_right"].is_unique().all()
    assert both.filter(pl.col("cluster") != pl.col("cluster_right")).height > 0


def test_missing_earlier_corpus(update, tmp_path):
    flags = {"sequences": update / "new/sequences/manifest.json", "clusters": update / "new/clusters.manifest.json"}
    flags |= {"previous_sequences": tmp_path / "none/manifest.json", "previous_clusters": flags["clusters"]} | HOLD_OUT
    result = made.run("delta", corpus="new", previous="none", manifest=tmp_path / "delta/manifest.json", **flags)
    assert "none/manifest.json" in made.one_line_error(result)
    assert not (tmp_path / "delta").exists()


def record_parts(folder, rows):
    """A part with one row per (digest, [accessions])."""
    frame = pl.DataFrame(
        [(digest, 10, None, [{"source": "s", "accession": name} for name in names]) for digest, names in rows],
        schema={
            "digest": pl.String,
            "length": pl.Int32,
            "rna_type": pl.String,
            "sources": pl.List(pl.Struct({"source": pl.String, "accession": pl.String})),
        },
        orient="row",
    )
    folder.mkdir(parents=True)
    frame.sort("digest").write_parquet(folder / "part-00000.parquet")
    return [folder / "part-00000.parquet"]


def test_an_accession_with_several_sequences(tmp_path):
    """Those that came replace those that went one by one; what is left over is new or withdrawn."""
    before = record_parts(tmp_path / "a", [("0a", ["x", "y"]), ("1b", ["x"]), ("2c", ["z", "z"]), ("3d", ["w"])])
    after = record_parts(tmp_path / "b", [("1b", ["x"]), ("5e", ["x", "y"]), ("2c", ["z"]), ("f0", ["x", "w"])])
    (tmp_path / "out").mkdir()
    found = delta.compare_sequences(before, after, tmp_path / "out", tmp_path / "working")
    changed = pl.read_parquet(tmp_path / "out/changed.parquet").rows()
    assert changed == [("s", "w", "3d", "f0"), ("s", "x", "0a", "5e"), ("s", "y", "0a", "5e")]
    assert found["records"] == {"before": 6, "after": 6, "unchanged": 2, "changed": 3, "new": 1, "withdrawn": 1}


def test_ranges_do_not_matter(update, tmp_path, monkeypatch):
    parts = [made.provenance.outputs(update / name / "sequences/manifest.json", ".parquet") for name in ("old", "new")]
    (tmp_path / "small").mkdir()
    monkeypatch.setattr(delta, "ROWS_PER_RANGE", 1)
    monkeypatch.setattr(delta, "RECORDS_PER_BUCKET", 2)
    delta.compare_sequences(*parts, tmp_path / "small", tmp_path / "working")
    for name in ("new", "withdrawn", "changed"):
        assert pl.read_parquet(tmp_path / f"small/{name}.parquet").equals(table(update, name))
