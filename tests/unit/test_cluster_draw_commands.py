"""`rnalm cluster` and `rnalm draw` continue from `rnalm corpus` and make what the workflow's stages make."""

import shutil

import made_corpus as made
import polars as pl
import pytest
from rnalm import provenance
from test_cli import refused, rnalm, succeed

FILES = ("shard-00000.parquet", "manifest.json")
FLAGS = ("--seed", 7, "--validation-fraction", 0.1, "--crop", 90, "--rows-per-shard", 300)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder with 400 real RNAs in sequences, clusters and two epochs, all by commands."""
    folder = tmp_path_factory.mktemp("commands")
    records = "".join(f">{name}\n{sequence}\n" for name, sequence in made.real_records()[:400])
    (folder / "in.fasta").write_text(records)
    succeed("corpus", folder / "in.fasta", "--out", folder / "made")
    succeed("cluster", folder / "made", "--threads", 2)
    succeed("draw", folder / "made", "--epochs", 2, *FLAGS)
    return folder / "made"


def test_what_the_commands_leave(corpus):
    left = {str(path.relative_to(corpus)) for path in corpus.rglob("*") if path.is_file()}
    draws = {f"draws/{name}/{file}" for name in ("validation", "epoch-000", "epoch-001") for file in FILES}
    assert {"clusters.parquet", "strands.csv", "clusters.manifest.json"} | draws <= left
    assert not [path for path in left if path.startswith(".") or "/." in path]
    assert rnalm("verify", corpus).returncode == 0


def test_stages_make_the_same_bytes(corpus, tmp_path):
    sequences = corpus / "manifest.json"
    made.succeed(
        "cluster",
        sequences=sequences,
        min_seq_id=0.7,
        coverage=0.8,
        split_memory_limit="0",
        threads=2,
        state=tmp_path / "state",
        manifest=tmp_path / "clusters.manifest.json",
    )
    flags = {"seed": 7, "validation_fraction": 0.1, "crop": 90, "rows_per_shard": 300, "sequences": sequences}
    flags["clusters"] = tmp_path / "clusters.manifest.json"
    made.succeed("hold_out", manifest=tmp_path / "draws/validation/manifest.json", **flags)
    for epoch in (0, 1):
        made.succeed("draw", epoch=epoch, manifest=tmp_path / f"draws/epoch-00{epoch}/manifest.json", **flags)
    paths = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.parquet"))
    assert len(paths) == 4
    assert all((tmp_path / path).read_bytes() == (corpus / path).read_bytes() for path in paths)
    for name in ("clusters.manifest.json", "draws/validation/manifest.json", "draws/epoch-001/manifest.json"):
        stage, command = provenance.load(tmp_path / name), provenance.load(corpus / name)
        for key in ("stage", "parameters", "outputs", "counts", "notes"):
            assert stage[key] == command[key]


def test_every_cluster_is_drawn_or_held_out(corpus):
    clusters = set(pl.read_parquet(corpus / "clusters.parquet")["cluster"])
    held_out = set(pl.read_parquet(corpus / "draws/validation/*.parquet")["cluster"])
    for epoch in range(2):
        drawn = pl.read_parquet(corpus / f"draws/epoch-{epoch:03d}/*.parquet")["cluster"]
        assert drawn.is_unique().all()
        assert set(drawn) == clusters - held_out


def test_split_strands(tmp_path):
    rna = made.real_sequences()[-1]
    complement = rna.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    manifest = made.write_sequences(tmp_path, {made.digest(text): text for text in (rna, rna[1:], complement)})
    assert manifest == tmp_path / "manifest.json"
    clusters = []
    for flags in ([], ["--split-strands"]):
        succeed("cluster", tmp_path, *flags)
        clusters.append(pl.read_parquet(tmp_path / "clusters.parquet")["cluster"].n_unique())
    assert clusters == [1, 2]


def test_one_after_the_other(tmp_path):
    refused(rnalm("cluster", tmp_path), "manifest.json: does not exist")
    made.write_sequences(tmp_path, {made.digest("ACGT" * 10): "ACGT" * 10})
    refused(rnalm("draw", tmp_path, "--epochs", 1, *FLAGS), "clusters.manifest.json: does not exist")
    for option in ("--epochs", "--crop", "--rows-per-shard"):
        refused(rnalm("draw", tmp_path, "--epochs", 1, *FLAGS, option, 0), option)


def test_few_clusters(tmp_path):
    """None of two is held out at 1 %: all are drawn, and an earlier validation is gone."""
    made.write_sequences(tmp_path, {made.digest(text): text for text in ("ACGT" * 10, "TTGCA" * 10)})
    succeed("cluster", tmp_path)
    (tmp_path / "draws/validation").mkdir(parents=True)
    succeed("draw", tmp_path, "--epochs", 1, "--seed", 1)
    assert [path.name for path in (tmp_path / "draws").iterdir()] == ["epoch-000"]
    assert pl.read_parquet(tmp_path / "draws/epoch-000/shard-00000.parquet").height == 2


def test_clusters_of_an_earlier_corpus_are_not_drawn_from(tmp_path):
    made.write_sequences(tmp_path, {made.digest("ACGT" * 10): "ACGT" * 10})
    succeed("cluster", tmp_path)
    made.write_sequences(tmp_path, {made.digest(text): text for text in ("ACGT" * 10, "TTGCA" * 10)})
    refused(rnalm("draw", tmp_path, "--epochs", 1, *FLAGS), "made from other sequences", "rnalm cluster")
    assert not (tmp_path / "draws").exists()


def test_draws_of_another_seed_are_not_mixed_with_new_ones(corpus, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(corpus, folder)
    succeed("draw", folder, "--epochs", 1, *FLAGS)
    assert (folder / "draws/epoch-001").is_dir()
    succeed("draw", folder, "--epochs", 1, *FLAGS, "--seed", 8)
    assert sorted(path.name for path in (folder / "draws").iterdir()) == ["epoch-000", "validation"]


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("cluster", ["--min-seq-id", "2"]),
        ("cluster", ["--coverage", "nan"]),
        ("cluster", ["--threads", "0"]),
        ("cluster", ["--split-memory-limit", "much"]),
        ("draw", ["--epochs", "1", "--seed", "-1"]),
        ("draw", ["--epochs", "1", "--seed", "1", "--validation-fraction", "1"]),
        ("draw", ["--epochs", "1", "--seed", "1", "--validation-fraction", "nan"]),
    ],
)
def test_wrong_settings_leave_everything(corpus, command, flags):
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    refused(rnalm(command, corpus, *flags), flags[-2])
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


@pytest.mark.parametrize(
    "content", ["[]", '{"outputs": []}', '{"outputs": ["x"]}', '{"stage": "leakage", "outputs": []}']
)
def test_what_is_no_manifest_of_a_corpus(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    refused(rnalm("cluster", tmp_path), "manifest.json: is no")
    refused(rnalm("draw", tmp_path, "--epochs", 1, *FLAGS), "manifest.json: is no")
    (tmp_path / "x.fa").write_text(">x\nGGAUCCGGAUCCGGAUCC\n")
    refused(
        rnalm("leakage", tmp_path / "x.fa", "--corpus", tmp_path, "--out", tmp_path / "out"), "manifest.json: is no"
    )


def test_a_search_does_not_replace_the_corpus(corpus, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(corpus, folder)
    (tmp_path / "x.fa").write_text(">x\nGGAUCCGGAUCCGGAUCC\n")
    before = (folder / "manifest.json").read_bytes()
    refused(rnalm("leakage", tmp_path / "x.fa", "--corpus", folder, "--out", folder), "is no manifest of the stage")
    assert (folder / "manifest.json").read_bytes() == before
