"""The `rnalm` command on real tRNAs and small models: what it writes, and how it refuses."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from rnalm import provenance
from rnalm.models import registry
from rnalm.models.directory import save
from rnalm.models.heads import PairModel
from rnalm.structure.files import read
from rnalm.structure.notation import parse_dot_bracket
from small_models import TINY, encoder, transfer_rnas, weights_by_rule

RNAS = transfer_rnas()[:6]
PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVVHSLAKWKRQTLGQHDFSAGEGLYTHM"


def rnalm(*arguments, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from rnalm.cli import main; main()", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)


def succeed(*arguments) -> None:
    done = rnalm(*arguments)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """plain: an encoder; folding: one with a structure head whose threshold lets many pairs through."""
    folder = tmp_path_factory.mktemp("models")
    save(folder / "plain", encoder(TINY), "# card")
    model = weights_by_rule(PairModel(registry.build(TINY), 8, 1))
    save(
        folder / "folding",
        model.encoder,
        "# card",
        model,
        {"task": "structure", "width": 8, "blocks": 1, "threshold": 0.3},
    )
    return folder


def fasta(path, records):
    path.write_text("".join(f">{name} a description\n{sequence}\n" for name, sequence in records))
    return path


@pytest.fixture
def rnas(tmp_path):
    """As RNA, some in lower case, one with IUPAC letters and one of a single nucleotide."""
    sequences = [record.sequence.replace("T", "U") for record in RNAS]
    sequences[1] = sequences[1].lower()
    named = [(record.id, sequence) for record, sequence in zip(RNAS, sequences, strict=True)]
    return fasta(tmp_path / "in.fa", [*named, ("iupac", "GGGRNNYAAACCCX"), ("one", "A"), ("file", "GGGAAACCC")])


def test_fold(models, rnas, tmp_path):
    succeed("fold", models / "folding", rnas, "-o", tmp_path / "out.dbn")
    lines = (tmp_path / "out.dbn").read_text().splitlines()
    assert len(lines) == 3 * 9
    assert lines[0::3] == [*(f">{record.id}" for record in RNAS), ">iupac", ">one", ">file"]
    sequences = [record.sequence.replace("T", "U") for record in RNAS]
    assert lines[1::3] == [*sequences, "GGGRNNYAAACCCN", "A", "GGGAAACCC"]
    paired = 0
    for sequence, structure in zip(lines[1::3], lines[2::3], strict=True):
        assert len(structure) == len(sequence)
        for i, j in parse_dot_bracket(structure):
            assert j - i >= 4
            assert "".join(sorted(sequence[i] + sequence[j])) in ("AU", "CG", "GU")
            paired += 1
    assert paired > 20


def test_embed(models, rnas, tmp_path):
    for model in ("plain", "folding"):
        output = tmp_path / model / "out.npz"
        succeed("embed", models / model, rnas, "-o", output)
        with np.load(output) as arrays:
            lengths = {**{record.id: record.length for record in RNAS}, "iupac": 14, "one": 1, "file": 9}
            assert {name: arrays[name].shape for name in arrays} == {n: (size + 2, 32) for n, size in lengths.items()}
            assert {arrays[name].dtype for name in arrays} == {np.dtype(np.float32)}
            assert all(np.isfinite(arrays[name]).all() for name in arrays)
        assert [path.name for path in output.parent.iterdir()] == ["out.npz"]


def test_embed_in_bf16(models, rnas, tmp_path):
    for precision in ("fp32", "bf16"):
        succeed("embed", models / "plain", rnas, "-o", tmp_path / f"{precision}.npz", "--precision", precision)
    with np.load(tmp_path / "fp32.npz") as exact, np.load(tmp_path / "bf16.npz") as close:
        for name in exact:
            assert close[name].dtype == np.float32
            assert 1e-5 < np.linalg.norm(close[name] - exact[name]) / np.linalg.norm(exact[name]) < 0.02


def test_verify(tmp_path):
    output = tmp_path / "run" / "numbers.csv"
    output.parent.mkdir()
    output.write_text("1,2\n")
    with provenance.stage("made", output.parent / "manifest.json", [], {}) as record:
        record.outputs.append(output)
    done = rnalm("verify", tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 manifests, 0 files missing or changed\n")
    output.write_text("1,3\n")
    done = rnalm("verify", tmp_path)
    assert done.returncode == 1
    assert "numbers.csv: differs" in done.stdout
    output.unlink()
    done = rnalm("verify", output.parent / "manifest.json")
    assert done.returncode == 1
    assert "numbers.csv: missing" in done.stdout


def test_fold_writes_connect_tables(models, rnas, tmp_path):
    succeed("fold", models / "folding", rnas, "-o", tmp_path / "out.dbn")
    succeed("fold", models / "folding", rnas, "-o", tmp_path / "out.ct")
    assert read(tmp_path / "out.ct") == read(tmp_path / "out.dbn")


def test_fold_writes_the_pairs_of_one_rna(models, rnas, tmp_path):
    one = fasta(tmp_path / "one.fa", [(RNAS[0].id, RNAS[0].sequence)])
    for name in ("one.dbn", "one.bpseq"):
        succeed("fold", models / "folding", one, "-o", tmp_path / name)
    (pairs,), (expected,) = read(tmp_path / "one.bpseq"), read(tmp_path / "one.dbn")
    assert pairs.pairs == expected.pairs != [] and pairs.sequence == expected.sequence
    refused(rnalm("fold", models / "folding", rnas, "-o", tmp_path / "all.bpseq"), "all.bpseq", "one RNA", "not 9")
    succeed("fold", models / "folding", one, "-o", tmp_path / "upper.CT")
    assert read((tmp_path / "upper.CT").rename(tmp_path / "lower.ct")) == [expected]


def test_verify_finds_inputs_from_any_folder(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    for folder in (tmp_path / "run", elsewhere):  # the same layout where the command is called
        for name in ("a.txt", "b.txt"):
            path = folder / "resources" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(folder))
    monkeypatch.chdir(tmp_path / "run")
    manifest = Path("results/made/manifest.json")
    with provenance.stage("made", manifest, ["resources/a.txt", "resources/b.txt"], {}):
        pass
    inside = tmp_path / "run" / "results" / "made"
    for cwd, name in ((elsewhere, tmp_path / "run"), (inside, "manifest.json"), (tmp_path / "run", "results")):
        done = rnalm("verify", name, cwd=cwd)
        assert (done.returncode, done.stdout) == (0, "1 manifests, 0 files missing or changed\n")
    Path("resources/a.txt").write_text("changed")
    done = rnalm("verify", tmp_path / "run", cwd=elsewhere)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{tmp_path}/run/resources/a.txt: differs") and "1 files missing" in done.stdout


def test_verify_what_was_copied_without_its_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in.txt", "made/out.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    with provenance.stage("made", "made/manifest.json", ["in.txt"], {}) as record:
        record.outputs.append(Path("made/out.txt"))
    Path("made").rename("moved")
    Path("in.txt").unlink()
    done = rnalm("verify", "moved", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"{tmp_path}/in.txt: not here, read for moved/manifest.json",
            "1 manifests, 0 files missing or changed, 1 inputs not here",
        ],
    )
    Path("moved/out.txt").unlink()
    done = rnalm("verify", "moved", cwd=tmp_path)
    assert done.returncode == 1
    assert "moved/out.txt: missing, named by moved/manifest.json" in done.stdout.splitlines()


def test_verify_nothing(tmp_path):
    refused(rnalm("verify", tmp_path), "holds no manifest")


# Wrong inputs


def refused(done: subprocess.CompletedProcess, *words) -> None:
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def test_plain_encoder_cannot_fold(models, rnas, tmp_path):
    refused(rnalm("fold", models / "plain", rnas, "-o", tmp_path / "out"), "without a structure head")
    assert not (tmp_path / "out").exists()


BAD = {
    "protein": ([("good", "GGGAAACCC"), ("P12345", PROTEIN)], "P12345"),
    "duplicate": ([("twice", "GGGAAACCC"), ("twice", "GGGAAACCU")], "twice"),
    "without-sequence": ([("hollow", "")], "hollow"),
    "only-gaps": ([("gaps", "--..--")], "gaps"),
    "empty": ([], "is empty"),
}


@pytest.mark.parametrize("command", ["fold", "embed"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_fasta(models, tmp_path, command, kind):
    records, word = BAD[kind]
    path = fasta(tmp_path / "bad.fa", records)
    refused(rnalm(command, models / "folding", path, "-o", tmp_path / "out"), "bad.fa", word)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["fold", "embed"])
@pytest.mark.parametrize("output", ["", "in.fa/out", "/dev/null", "/proc/x/y", "n" * 300])
def test_impossible_output(models, rnas, command, output):
    before = rnas.read_text()
    refused(rnalm(command, models / "folding", rnas, "-o", rnas.parent / output), output)
    assert [path.name for path in rnas.parent.iterdir()] == ["in.fa"] and rnas.read_text() == before


@pytest.mark.parametrize("command", ["fold", "embed"])
def test_the_input_is_not_written_over(models, rnas, command):
    before = rnas.read_bytes()
    (rnas.parent / "link.fa").symlink_to(rnas)
    for output in (rnas, rnas.parent / "link.fa"):
        refused(rnalm(command, models / "folding", rnas, "-o", output), "is the input itself")
    assert rnas.read_bytes() == before


@pytest.mark.parametrize("names", [("a\0b", "a\0c"), ("n" * 65532, "b"), ("a", "a.npy")])
def test_names_that_an_npz_file_cannot_hold(models, tmp_path, names):
    path = fasta(tmp_path / "in.fa", [(name, "GGGAAACCC") for name in names])
    refused(rnalm("embed", models / "plain", path, "-o", tmp_path / "out.npz"), "in.fa, record", "name")
    assert not (tmp_path / "out.npz").exists()


def test_output_is_checked_before_the_model_is_loaded(rnas):
    refused(rnalm("fold", "no model", rnas, "-o", rnas.parent), f"{rnas.parent}: is a folder")


def test_folder_instead_of_fasta(models, tmp_path):
    refused(rnalm("fold", models / "folding", tmp_path, "-o", tmp_path / "out"), f"{tmp_path}: is a folder")


@pytest.mark.parametrize("command", ["fold", "embed"])
def test_earlier_output_stays(models, tmp_path, command):
    (tmp_path / "out").write_text("earlier")
    refused(rnalm(command, models / "folding", tmp_path / "missing.fa", "-o", tmp_path / "out"), "missing.fa")
    assert (tmp_path / "out").read_text() == "earlier"


def test_missing_model_directory(models, rnas, tmp_path):
    refused(rnalm("fold", models / "nowhere", rnas, "-o", tmp_path / "out"), "nowhere", "config.json")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["fold", "model", "missing.fa", "-o", "out"]])
def test_help_and_wrong_files_do_not_wait_for_torch(arguments):
    code = """
        import sys
        from rnalm.cli import main
        try:
            main(sys.argv[1:])
        finally:
            print("torch" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
