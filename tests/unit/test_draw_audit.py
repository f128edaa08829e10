"""Audit of draws: right ones are described as they are, a wrong row of any kind is named with its file."""

import math
import shutil

import made_corpus as made
import numpy as np
import polars as pl
import pytest
from rnalm import provenance
from rnalm.corpus import draw_audit
from rnalm.errors import InputError
from test_draw import grouped

EPOCHS = 12
FLAGS = {"seed": 42, "validation_fraction": 0.2, "crop": 90, "rows_per_shard": 200}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Folder of sequences, clusters, excluded sequences and the draws of EPOCHS epochs from the others."""
    folder = tmp_path_factory.mktemp("corpus")
    sequences = {made.digest(sequence): sequence for sequence in made.real_sequences()}
    clusters = grouped(list(sequences.values()), 8).sort("cluster", "digest")
    inputs = {
        "sequences": made.write_sequences(folder / "sequences", sequences),
        "clusters": made.write_clusters(folder / "clusters", clusters),
        "excluded": write_excluded(folder / "excluded", clusters),
    }
    made.succeed("hold_out", manifest=folder / "draws/validation/manifest.json", **inputs, **FLAGS)
    for epoch in range(EPOCHS):
        name = f"epoch-{epoch:03d}"
        made.succeed("draw", epoch=epoch, manifest=folder / "draws" / name / "manifest.json", **inputs, **FLAGS)
    return folder


def write_excluded(folder, clusters: pl.DataFrame):
    """Every twentieth sequence, and one cluster whole."""
    whole = clusters.filter(pl.len().over("cluster") == 4)["cluster"][0]
    out = clusters.filter((pl.int_range(pl.len()) % 20 == 3) | (pl.col("cluster") == whole))
    folder.mkdir()
    out.write_parquet(folder / "excluded.parquet")
    return made.write_manifest("exclude", folder, {}, {})


def manifests(folder) -> dict:
    names = ("sequences", "clusters", "excluded")
    epochs = sorted((folder / "draws").glob("epoch-*/manifest.json"))
    inputs = {name: folder / name / "manifest.json" for name in names}
    return inputs | {"validation": folder / "draws/validation/manifest.json", "epochs": epochs}


@pytest.fixture(scope="module")
def audited(corpus):
    manifest = made.succeed("draw_audit", manifest=corpus / "draws/audit/manifest.json", **manifests(corpus))
    return corpus, manifest, {path.stem: pl.read_csv(path) for path in (corpus / "draws/audit").glob("*.csv")}


def rows(folder, name: str) -> pl.DataFrame:
    return pl.read_parquet(sorted((folder / "draws" / name).glob("shard-*.parquet")))


def test_counts(audited):
    folder, manifest, _ = audited
    clusters = pl.read_parquet(folder / "clusters/clusters.parquet")
    out = pl.read_parquet(folder / "excluded/excluded.parquet")
    left = clusters.join(out, on="digest", how="anti")
    held_out = rows(folder, "validation")["cluster"]
    training = left.filter(~pl.col("cluster").is_in(held_out.implode()))
    drawn = {digest for epoch in range(EPOCHS) for digest in rows(folder, f"epoch-{epoch:03d}")["digest"]}
    counts = manifest["counts"]
    assert 0.8 < counts.pop("dispersion") < 1.2
    assert counts == {
        "epochs": EPOCHS,
        "training_clusters": training["cluster"].n_unique(),
        "validation_clusters": len(held_out),
        "training_sequences": training.height,
        "drawn_sequences": len(drawn),
        "excluded_sequences": out.height,
    }
    assert left["cluster"].n_unique() < clusters["cluster"].n_unique()


def test_coverage(audited):
    folder, manifest, tables = audited
    table = tables["coverage"]
    names = ["validation", *(f"epoch-{epoch:03d}" for epoch in range(EPOCHS))]
    assert table["draw"].to_list() == names
    for row in table.to_dicts():
        counts = provenance.load(folder / "draws" / row["draw"] / "manifest.json")["counts"]
        assert {name: row[name] for name in counts} == counts
        assert row["rows"] == row["clusters"] == row["drawn_once"]
        assert (row["drawn_repeatedly"], row["not_drawn"]) == (0, 0)
        assert row["shards"] == -(-row["rows"] // 200)
    assert table["clusters"][1] == manifest["counts"]["training_clusters"]


def test_composition(audited):
    folder, manifest, tables = audited
    table = tables["composition"]
    sets = ["corpus", "clusters", "validation", *(f"epoch-{epoch:03d}" for epoch in range(EPOCHS))]
    assert table["set"].unique(maintain_order=True).to_list() == sets
    totals = table.group_by("by", "set").agg(pl.col("sequences", "fraction").sum())
    assert totals.filter(pl.col("fraction").is_between(0.99999, 1.00001)).height == 2 * len(sets)
    sequences = pl.read_parquet(folder / "sequences/part-00000.parquet")
    for name in sets:
        some = sequences if name == "corpus" else None
        if some is None and name != "clusters":
            some = rows(folder, name).select("digest").join(sequences, on="digest")
        found = dict(table.filter(by="rna_type", set=name).select("class", "sequences").iter_rows())
        lengths = table.filter(by="length", set=name).filter(pl.col("class").is_in(["50-99", "100-199"]))
        if name == "clusters":
            assert sum(found.values()) == pytest.approx(manifest["counts"]["training_clusters"])
        else:
            assert found == {
                "rRNA": some["rna_type"].is_not_null().sum(),
                "not stated": some["rna_type"].is_null().sum(),
            }
            assert lengths["sequences"].to_list() == [
                some["length"].is_between(50, 99).sum(),
                some["length"].is_between(100, 199).sum(),
            ]
    # An epoch is like the mean of all, but not like the corpus, whose large clusters weigh more.
    drawn = table.filter(pl.col("set").str.starts_with("epoch"), by="length")
    mean = drawn.group_by("class", maintain_order=True).agg(pl.col("sequences").mean())["sequences"]
    expected = table.filter(by="length", set="clusters")["sequences"]
    assert ((mean - expected).abs() < 4 * (expected / EPOCHS).sqrt() + 1).all()


def test_members(audited):
    folder, _, tables = audited
    table = tables["members"]
    drawn = pl.concat(rows(folder, f"epoch-{epoch:03d}").select("digest") for epoch in range(EPOCHS))
    times = drawn.group_by("digest").agg(times=pl.len())
    left = pl.read_parquet(folder / "clusters/clusters.parquet").join(
        pl.read_parquet(folder / "excluded/excluded.parquet"), on="digest", how="anti"
    )
    left = left.with_columns(size=pl.len().over("cluster")).join(times, on="digest", how="left")
    left = left.filter(pl.col("times").is_not_null().any().over("cluster"))
    pairs = left.filter(pl.col("size").is_in([2, 3]))["times"].fill_null(0).value_counts()
    found = table.filter(size_from=2, size_to=3)
    found = dict(found.filter(pl.col("members") > 0).select("draws", "members").iter_rows())
    assert found == dict(pairs.iter_rows())
    several = left.filter(pl.col("size") > 1)
    assert table["members"].sum() == several.height == pytest.approx(table["expected"].sum(), abs=1)
    assert set(table["draws"]) == set(range(EPOCHS + 1))


def test_expected_draws_are_binomial():
    table = draw_audit.members(np.array([2, 2, 5, 5, 5, 5, 5]), np.array([3, 0, 1, 1, 1, 0, 0], np.uint16), 3)
    two, five = table.filter(size_from=2).to_dicts(), table.filter(size_from=4).to_dicts()
    assert [row["members"] for row in two] == [1, 0, 0, 1]
    assert [row["expected"] for row in two] == [0.25, 0.75, 0.75, 0.25]
    assert [row["members"] for row in five] == [2, 3, 0, 0]
    assert [row["expected"] for row in five] == [
        round(5 * math.comb(3, draws) * 0.2**draws * 0.8 ** (3 - draws), 2) for draws in range(4)
    ]


def test_dispersion_sees_draws_that_are_not_fair():
    sizes = np.full(4000, 4)
    assert draw_audit.dispersion(sizes, np.tile([4, 0, 0, 0], 1000), 4) == pytest.approx(4)
    assert draw_audit.dispersion(sizes, np.tile([1, 1, 1, 1], 1000), 4) == pytest.approx(0)
    fair = np.random.default_rng(1).binomial(4, 0.25, 4000)
    assert draw_audit.dispersion(sizes, fair, 4) == pytest.approx(1, abs=0.1)
    assert draw_audit.dispersion(sizes[:0], fair[:0], 4) is None


# Faults


def replaced(frame: pl.DataFrame, place: int, **values) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) == place).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def twice(frame, folder):
    return replaced(frame, 17, **frame.row(30, named=True) | {"row": 17})


def from_validation(frame, folder):
    return replaced(frame, 17, **rows(folder, "validation").row(5, named=True) | {"row": 17})


def dropped(frame, folder):
    return frame.head(-1)


def missing_row(frame, folder):
    return frame.filter(pl.col("row") != 17)


def other_cluster(frame, folder):
    return replaced(frame, 17, cluster=frame["cluster"][18])


def unknown(frame, folder):
    return replaced(frame, 17, digest=32 * "0")


def excluded(frame, folder):
    out = pl.read_parquet(folder / "excluded/excluded.parquet").filter(
        pl.col("cluster").is_in(frame["cluster"].implode())
    )
    digest, cluster = out.row(0)
    row = frame["cluster"].to_list().index(cluster)
    return replaced(frame, row, digest=digest)


def shorter(frame, folder):
    return replaced(frame, 17, sequence=frame["sequence"][17][1:])


def whole(frame, folder):
    return frame.with_columns(is_fragment=pl.lit(False))


FAULTS = {
    twice: "comes from a cluster that was drawn before",
    from_validation: "draws validation cluster",
    dropped: "lacks cluster",
    missing_row: "does not hold rows",
    other_cluster: "is not in its cluster",
    unknown: "is not in the corpus",
    excluded: "is excluded",
    shorter: "is not cropped as it should be",
    whole: "is not cropped as it should be",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_names_its_file(corpus, tmp_path, fault):
    draw = tmp_path / "epoch-001"
    shutil.copytree(corpus / "draws/epoch-001", draw)
    shards = sorted(draw.glob("shard-*.parquet"))
    number = -1 if fault is dropped else 0
    fault(pl.read_parquet(shards[number]), corpus).write_parquet(shards[number])
    made.write_manifest("draw", draw, provenance.load(draw / "manifest.json")["parameters"], {})
    inputs = manifests(corpus)
    loaded = draw_audit.load(inputs["sequences"], inputs["clusters"], inputs["excluded"])
    draw_audit.audit(loaded, inputs["validation"], inputs["epochs"][:2])
    where = draw / "manifest.json" if fault in (from_validation, dropped) else shards[number]
    with pytest.raises(InputError, match=FAULTS[fault]) as error:
        draw_audit.audit(loaded, inputs["validation"], [inputs["epochs"][0], draw / "manifest.json"])
    assert str(error.value).startswith(f"{where}: ")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda clusters: clusters.head(-1), "members for"),
        (lambda clusters: pl.concat([clusters, clusters.tail(1)]), "members for"),
        (lambda clusters: clusters.reverse(), "not sorted"),
        (lambda clusters: replaced(clusters, 3, digest=32 * "0"), "not in the corpus"),
    ],
)
def test_clusters_that_do_not_fit_the_corpus(corpus, tmp_path, change, problem):
    clusters = pl.read_parquet(corpus / "clusters/clusters.parquet")
    manifest = made.write_clusters(tmp_path, change(clusters))
    with pytest.raises(InputError, match=problem):
        draw_audit.load(corpus / "sequences/manifest.json", manifest)


def test_pieces_of_the_table_of_clusters_change_nothing(corpus, monkeypatch):
    inputs = manifests(corpus)
    one = draw_audit.load(inputs["sequences"], inputs["clusters"])
    monkeypatch.setattr(draw_audit, "ROWS", 7)
    many = draw_audit.load(inputs["sequences"], inputs["clusters"])
    assert (one.home == many.home).all() and (one.clusters == many.clusters).all()
    clusters = dict(pl.read_parquet(corpus / "clusters/clusters.parquet").iter_rows())
    for place in (0, 100, 500):
        cluster = bytes(many.clusters[many.home[place]]).ljust(16, b"\0").hex()
        assert cluster == clusters[bytes(many.digests[place]).ljust(16, b"\0").hex()]


def test_digests_that_end_in_zeros():
    """NumPy drops them where it shows text; places must not."""
    digests = pl.Series(["0" * 32, "ab" + "00" * 15, "ab" + "00" * 14 + "01", "ff" * 16])
    known = draw_audit.keys(digests)
    assert draw_audit.places(known, known).tolist() == [0, 1, 2, 3]
    assert draw_audit.places(known, draw_audit.keys(pl.Series(["ab" + "00" * 14 + "02", "f" * 31 + "e"]))).tolist() == [
        -1,
        -1,
    ]
