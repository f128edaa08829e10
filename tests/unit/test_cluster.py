"""Clustering: what the pinned MMseqs2 does to real RNAs, and that the stage loses nothing and goes on after a kill."""

import fcntl
import itertools
import os
import random
import signal
import subprocess

import made_corpus as made
import numpy as np
import polars as pl
import pytest
from rnalm import files, provenance
from rnalm.corpus import clustering, mmseqs
from rnalm.errors import InputError

COMPLEMENT = str.maketrans("ACGTRYKMSWBDHVN", "TGCAYRMKSWVHDBN")
SETTINGS = {"min_seq_id": 0.7, "coverage": 0.8, "split_memory_limit": "0"}
FLAGS = SETTINGS | {"threads": 2}


def cluster(manifest, state, threads=2, **changed) -> pl.DataFrame:
    """digest, cluster of the sequences that a manifest of deduplicate names."""
    parts = provenance.outputs(manifest, ".parquet")
    hashes = [output["sha256"] for output in provenance.load(manifest)["outputs"]]
    representatives = clustering.cluster(parts, hashes, state, SETTINGS | changed, threads)
    return clustering.named(representatives, clustering.read_digests(parts))


def linclust(folder, sequences: dict[str, str]) -> dict[str, str]:
    """{name: name of its cluster}"""
    manifest = made.write_sequences(folder / "sequences", sequences)
    return dict(cluster(manifest, folder / "state").iter_rows())


@pytest.fixture(scope="module")
def originals():
    """60 real RNAs of 100 nt and more, from all families."""
    long = [sequence for sequence in made.real_sequences() if len(sequence) >= 100]
    return random.Random(1).sample(long, 60)


def together(folder, originals, variant) -> int:
    """How many originals share a cluster with their variant, all of them clustered at once."""
    sequences = {f"{number}.original": sequence for number, sequence in enumerate(originals)}
    sequences |= {f"{number}.variant": variant(sequence) for number, sequence in enumerate(originals)}
    clusters = linclust(folder, sequences)
    return sum(clusters[f"{number}.original"] == clusters[f"{number}.variant"] for number in range(len(originals)))


def test_no_sequence_is_lost_and_representatives_are_members(originals, tmp_path):
    """Down to the shortest length of a corpus, below the k-mers of linclust, and with nothing but N."""
    sequences = {f"{number}.whole": sequence for number, sequence in enumerate(originals)}
    sequences |= {f"{number}.short": sequence[:16] for number, sequence in enumerate(originals)}
    sequences |= {
        f"{number}.gap": f"{sequence[:20]}{60 * 'N'}{sequence[80:]}" for number, sequence in enumerate(originals)
    }
    sequences |= {"unknown": 100 * "N", "repeat": 100 * "A", "codes": 10 * "RYKMSWBDHVNI"}
    clusters = linclust(tmp_path, sequences)
    assert set(clusters) == set(sequences)
    assert all(clusters[representative] == representative for representative in clusters.values())


def test_identical_is_one_cluster(originals, tmp_path):
    """But not surely: ties of linclust have left one of 60 pairs apart. It takes the digest to find all of them."""
    assert together(tmp_path, originals, str) >= 57


def test_lower_case_is_one_cluster(originals, tmp_path):
    assert together(tmp_path, originals, str.lower) >= 55


def test_reverse_complement_is_one_cluster(originals, tmp_path):
    """Known and unwanted (RNA has one strand); pinned so that an MMseqs2 that behaves otherwise is noticed."""
    assert together(tmp_path, originals, lambda sequence: sequence.translate(COMPLEMENT)[::-1]) >= 57


def test_half_length_fragment_is_another_cluster(originals, tmp_path):
    assert together(tmp_path, originals, lambda sequence: sequence[: len(sequence) // 2]) == 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's sequences and the folder in which the stage has clustered them."""
    folder = tmp_path_factory.mktemp("demo")
    made.write_sequences(folder / "sequences", {made.digest(sequence): sequence for sequence in made.real_sequences()})
    made.succeed(
        "cluster",
        sequences=folder / "sequences/manifest.json",
        state=folder / "state",
        manifest=folder / "clusters.manifest.json",
        **FLAGS,
    )
    return folder


def test_stage_counts_and_order(demo):
    clusters = pl.read_parquet(demo / "clusters.parquet")
    assert clusters.equals(clusters.sort("cluster", "digest"))
    assert sorted(clusters["digest"]) == pl.read_parquet(demo / "sequences/part-*.parquet")["digest"].to_list()
    manifest = provenance.load(demo / "clusters.manifest.json")
    sizes = [len(list(group)) for _, group in itertools.groupby(clusters["cluster"])]
    assert manifest["counts"] == {
        "sequences": clusters.height,
        "clusters": len(sizes),
        "singletons": sizes.count(1),
        "largest": max(sizes),
    }
    assert 700 < len(sizes) < 1200, "the demo's families have about 950 clusters at 70 % identity"
    histogram = manifest["notes"]["cluster_sizes"]
    assert histogram["1"] == sizes.count(1)
    assert histogram["4"] == sum(4 <= size < 8 for size in sizes)
    assert sum(histogram.values()) == len(sizes)
    assert manifest["notes"]["mmseqs"].startswith("8cc5c")
    assert not (demo / "state").exists()


def test_thread_count_does_not_matter_on_the_demo(demo, tmp_path):
    clusters = cluster(demo / "sequences/manifest.json", tmp_path / "state", threads=1)
    assert clusters.equals(pl.read_parquet(demo / "clusters.parquet"))


def test_killed_run_goes_on_from_its_last_step(demo, tmp_path, monkeypatch, capfd):
    """MMseqs2 stops before its alignments; the rerun matches no k-mers again. Other parameters start afresh."""
    started = mmseqs.subprocess.Popen

    def stopping(command, **named):
        process = started(command, **named, start_new_session=True)
        if "linclust" in command:
            next(line for line in process.stdout if line.startswith("rescorediagonal"))
            os.killpg(process.pid, signal.SIGKILL)
        return process

    manifest, state = demo / "sequences/manifest.json", tmp_path / "state"
    with monkeypatch.context() as patch, pytest.raises(InputError, match="status -9"):
        patch.setattr(mmseqs.subprocess, "Popen", stopping)
        cluster(manifest, state)
    capfd.readouterr()
    resumed = cluster(manifest, state)
    assert resumed.equals(pl.read_parquet(demo / "clusters.parquet"))
    assert "\nkmermatcher" not in capfd.readouterr().out
    (state / "left").touch()
    cluster(manifest, state, coverage=0.9)
    assert "\nkmermatcher" in capfd.readouterr().out
    assert not (state / "left").exists()


def test_one_writer_at_a_time(tmp_path):
    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process"), mmseqs.state(tmp_path, {}):
            pass


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b""])
def test_a_damaged_fingerprint_starts_afresh(tmp_path, content):
    (tmp_path / "fingerprint.json").write_bytes(content)
    (tmp_path / "left").touch()
    with mmseqs.state(tmp_path, {"sequences": ["x"]}):
        assert not (tmp_path / "left").exists()
    assert files.read_json(tmp_path / "fingerprint.json") == {"sequences": ["x"]}


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([(0, 0), (1, 0), (1, 2), (2, 2)], "two clusters"),
        ([(0, 0), (1, 0)], "clustered 2 of 3"),
        ([(0, 0), (1, 0), (7, 0)], "clustered 3 of 3"),
        ([(0, 0), (1, 0), (2, 7)], "clustered 3 of 3"),
        ([(0, 0), (1, 2), (2, 0)], "without its representative"),
    ],
)
def test_broken_clusterings_are_refused(pairs, problem, tmp_path):
    rows, of_rows = np.array(pairs, np.uint32).T
    with pytest.raises(InputError, match=problem):
        clustering.representatives(rows, of_rows, 3, tmp_path)


def test_a_clustering_in_any_order():
    rows, of_rows = np.array([(2, 2), (1, 0), (3, 2), (0, 0)], np.uint32).T
    found = clustering.representatives(rows, of_rows, 4, None)
    assert found.tolist() == [0, 0, 2, 2]
    named = clustering.named(np.array([2, 1, 2], np.uint32), pl.Series(["a", "b", "c"]))
    assert named.rows() == [("b", "b"), ("a", "c"), ("c", "c")]


def test_unsorted_sequences_are_refused(tmp_path):
    pl.DataFrame({"digest": ["b", "a"]}).write_parquet(tmp_path / "part.parquet")
    with pytest.raises(InputError, match="not sorted"):
        clustering.read_digests([tmp_path / "part.parquet"])


def stage(sequences, folder):
    return made.run(
        "cluster", sequences=sequences, state=folder / "state", manifest=folder / "clusters.manifest.json", **FLAGS
    )


def test_missing_manifest(tmp_path):
    assert "none.json" in made.one_line_error(stage(tmp_path / "none.json", tmp_path))


def test_memory_limit_reaches_mmseqs_and_changes_no_cluster(demo, tmp_path, capfd):
    clusters = cluster(demo / "sequences/manifest.json", tmp_path / "state", split_memory_limit="500K")
    assert "Process file into 5 parts" in capfd.readouterr().out
    assert clusters.equals(pl.read_parquet(demo / "clusters.parquet"))


def test_clusters_are_those_of_easy_linclust(demo, tmp_path):
    fasta, flags = tmp_path / "in.fasta", ["--min-seq-id", "0.7", "-c", "0.8", "--dbtype", "2"]
    mmseqs.write_fasta(pl.scan_parquet(demo / "sequences/*.parquet").rename({"digest": "name"}), fasta)
    command = [mmseqs.binary(), "easy-linclust", fasta, tmp_path / "result", tmp_path / "tmp", *flags]
    subprocess.run(command, check=True, capture_output=True)
    columns = {"cluster": pl.String, "digest": pl.String}
    table = pl.read_csv(tmp_path / "result_cluster.tsv", separator="\t", has_header=False, schema=columns)
    clusters = table.select("digest", "cluster").sort("cluster", "digest")
    assert clusters.equals(pl.read_parquet(demo / "clusters.parquet"))


def test_failure_of_mmseqs_is_told_in_one_line(tmp_path, monkeypatch):
    manifest = made.write_sequences(tmp_path / "sequences", {"a": "ACGT" * 10})
    broken = tmp_path / "mmseqs"
    broken.write_text("#!/bin/sh\n[ $1 = version ] || { echo No space left on device; exit 1; }\n")
    broken.chmod(0o755)
    monkeypatch.setenv("MMSEQS2_PATH", str(broken))
    assert "No space left on device" in made.one_line_error(stage(manifest, tmp_path))
    monkeypatch.setenv("MMSEQS2_PATH", str(tmp_path / "absent"))
    assert "absent" in made.one_line_error(stage(manifest, tmp_path))
    assert not (tmp_path / "clusters.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "reasons"),
    [
        (["linclust", "x", "y", "z", "--split-memory-limit", 30 * "9"], "Error in value parsing --split-memory-limit"),
        (["linclust", "x", "y", "z", "--min-seq-id", 7], "Error in argument --min-seq-id"),
        (["createdb", "none.fa", "x"], "createdb none.fa x / Input none.fa does not exist"),
    ],
)
def test_reasons_are_those_of_mmseqs_and_not_its_manual(tmp_path, arguments, reasons):
    with pytest.raises(InputError) as raised, open(tmp_path / "lock", "w") as lock:
        mmseqs.run(arguments, lock)
    assert str(raised.value).startswith(f"mmseqs {arguments[0]}: ended with status 1: {reasons}; ")
