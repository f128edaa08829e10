"""`rnalm cluster` and `rnalm draw` go on from `rnalm corpus`, and make the very files of the workflow's stages."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
FASTA = ROOT / "resources" / "demo" / "rfam" / "fasta_files"


def rnalm(*arguments):
    command = [sys.executable, "-c", "from rnalm.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def stage(name, *arguments):
    subprocess.run([sys.executable, ROOT / "scripts" / f"{name}.py", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands") / "corpus"
    for command in (
        ("corpus", FASTA / "U1.fa.gz", FASTA / "U2.fa.gz", "--out", folder),
        ("cluster", folder, "--threads", 1),
        ("draw", folder, "--epochs", 2, "--seed", 7, "--validation-fraction", 0.2, "--crop", 100),
    ):
        done = rnalm(*command)
        assert done.returncode == 0, done.stderr
    return folder


def test_every_sequence_is_in_one_cluster_and_every_cluster_is_drawn_or_held_out(corpus):
    clusters = pl.read_parquet(corpus / "clusters.parquet")
    sequences = pl.read_parquet(corpus / "sequences" / "*.parquet")
    assert sorted(clusters["digest"]) == sorted(sequences["digest"])
    held_out = set(pl.read_parquet(corpus / "draws/validation/*.parquet")["cluster"])
    for epoch in range(2):
        drawn = pl.read_parquet(corpus / f"draws/epoch-{epoch:03d}/*.parquet")
        assert drawn["cluster"].is_unique().all()
        assert set(drawn["cluster"]) == set(clusters["cluster"]) - held_out


def test_the_stages_make_the_same_files(corpus, tmp_path):
    made = tmp_path / "clusters.manifest.json"
    stage(
        "cluster", "--sequences", corpus / "manifest.json", "--min-seq-id", 0.7, "--coverage", 0.8,
        "--split-memory-limit", 0, "--threads", 1, "--state", tmp_path / "state", "--manifest", made,
    )  # fmt: skip
    shared = ["--sequences", corpus / "manifest.json", "--clusters", made, "--seed", 7, "--validation-fraction", 0.2]
    shared += ["--crop", 100, "--rows-per-shard", 100_000]
    stage("draw", *shared, "--epoch", 1, "--manifest", tmp_path / "draws/epoch-001/manifest.json")
    stage("hold_out", *shared, "--manifest", tmp_path / "draws/validation/manifest.json")
    for path in ("clusters.parquet", "draws/epoch-001/shard-00000.parquet", "draws/validation/shard-00000.parquet"):
        assert (tmp_path / path).read_bytes() == (corpus / path).read_bytes(), path


@pytest.mark.parametrize("command", [("cluster",), ("draw", "--epochs", 1, "--seed", 1)])
def test_a_folder_without_a_corpus_ends_in_one_line(tmp_path, command):
    done = rnalm(command[0], tmp_path, *command[1:])
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert str(tmp_path) in done.stderr
