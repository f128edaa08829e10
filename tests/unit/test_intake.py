"""`rnalm intake`: what a benchmark holds, and what stops it before anything is trained on it."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from real_data import DATA
from rnalm.cli import main

REAL = DATA / "structure"
PAPER = Path(__file__).parents[2] / "config" / "tasks" / "structure.yaml"
RNAS = {
    "TR0": [
        ("a", "GGGGAAAACCCC", "((((....))))"),
        ("b", "ggggnaaacccc", "((((....))))"),
        ("c", "AAAAAAAA", "........"),
    ],
    "VL0": [("d", "GGAAAACCAGGU", "((.[..)).].."), ("e", "GATTTTTC", "(([..)])")],
    "TS0": [("f", "GGGCAAAAGCCC", "((((....))))")],
}


@pytest.fixture
def task(tmp_path):
    """A function that writes a task's config with other numbers and returns its path."""

    def write(**changes) -> str:
        settings = {
            "task": "structure",
            "source": {"name": "bprna", "release": "TS0"},
            "reader": "files",
            "expected": {name: len(items) for name, items in RNAS.items()},
            "expected_without_pairs": {"TR0": 1, "VL0": 0},
            "splits": {"TS0": {"rule": "given", "train": "TR0", "valid": "VL0", "test": "TS0"}},
            "head": {"width": 8, "blocks": 1},
            "training": {
                "epochs": 1,
                "batch_size": 1,
                "learning_rate": 0.001,
                "decay": {"end_factor": 0.1, "steps": 1},
                "unfrozen_factor": 0.1,
                "precision": "fp32",
                "unfreeze": {0: ["head"]},
            },
        }
        path = tmp_path / "task.yaml"
        path.write_text(yaml.safe_dump(settings | changes))
        return str(path)

    return write


@pytest.fixture
def folder(tmp_path):
    """A function that writes sets as dot-brackets and returns their folder."""

    def write(**changes):
        path = tmp_path / "data"
        path.mkdir()
        for name, items in {**RNAS, **changes}.items():
            path.joinpath(f"{name}.dbn").write_text("".join(f">{item}\n{a}\n{b}\n" for item, a, b in items))
        path.joinpath("splits.csv").write_text("id,fold\n")
        return path

    return write


def refused(capsys, *arguments) -> tuple[str, str]:
    """(what was printed, the one line of the error) of a command that ends with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["intake", *map(str, arguments)])
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.err.count("\n") == 1
    return printed.out, printed.err


def rows(capsys, *arguments) -> dict:
    main(["intake", *map(str, arguments), "--json"])
    found = json.loads(capsys.readouterr().out)
    return {row["set"]: row for row in found["sets"]} | {"files": found["files"]}


def test_what_the_sets_hold(capsys, task, folder):
    data = folder()
    found = rows(capsys, task(), "--data", data)
    train, valid = found["TR0"], found["VL0"]
    assert (train["RNAs"], train["distinct"], train["without pairs"], train["pairs"]) == (3, 3, 1, 8)
    assert (train["nt, shortest"], train["nt, median"], train["nt, longest"]) == (8, 12, 12)
    assert (train["with lower case"], train["with other letters than ACGTU"]) == (1, 1)
    assert (valid["with T"], valid["with U"], valid["with pseudoknots"]) == (1, 1, 2)
    assert (valid["pairs"], valid["pairs, not canonical"], valid["pairs, loop below 3 nt"]) == (6, 2, 0)
    sums = {file["path"].rpartition("/")[2]: file["sha256"] for file in found["files"]}
    assert sums == {f"{name}.dbn": hashlib.sha256((data / f"{name}.dbn").read_bytes()).hexdigest() for name in RNAS}


def test_the_table_names_what_was_left_out(capsys, task, folder):
    main(["intake", task(), "--data", str(folder())])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["set", "TR0", "TS0", "VL0"]
    assert lines[1].split() == ["RNAs", "3", "1", "2"]
    assert lines[-1] == "left out: splits.csv"


def test_a_partial_copy_is_refused_with_the_expected_number(capsys, task, folder):
    printed, error = refused(capsys, task(), "--data", folder(TR0=RNAS["TR0"][:2]))
    assert "set TR0 has 2 records where 3 are expected" in error
    assert "RNAs" in printed, "what is there is shown all the same"


def test_a_missing_set_is_refused(capsys, task, folder):
    assert (
        "set TEST has 0 records where 7 are expected" in refused(capsys, task(expected={"TEST": 7}), "--data", folder())[1]
    )


def test_rnas_without_pairs_are_counted(capsys, task, folder):
    error = refused(capsys, task(expected_without_pairs={"TR0": 5}), "--data", folder())[1]
    assert "set TR0 has 1 RNAs without pairs where 5 are expected" in error


@pytest.mark.parametrize("twin", ["GGGGAAAACCCC", "ggggaaaacccc"])
def test_a_training_sequence_in_the_test_is_refused(capsys, task, folder, twin):
    error = refused(capsys, task(), "--data", folder(TS0=[("x", twin, "((((....))))")]))[1]
    assert "split TS0" in error and "x in TS0" in error and "a in TR0" in error and "are the same sequence" in error


def test_t_for_u_is_the_same_sequence(capsys, task, folder):
    data = folder(VL0=[("e", "GAUUUUUC", "(......)")], TS0=[("x", "GATTTTTC", "(......)")])
    error = refused(capsys, task(expected={}), "--data", data)[1]
    assert "x in TS0" in error and "e in VL0" in error


def test_a_reverse_complement_is_another_molecule(capsys, task, folder):
    data = folder(TR0=[*RNAS["TR0"][1:], ("a", "GGGGAAAACCCA", "(((......)))")], TS0=[("x", "TGGGTTTTCCCC", "." * 12)])
    assert rows(capsys, task(), "--data", data)["TS0"]["in other sets"] == 0


def test_a_name_of_two_rnas_is_refused(capsys, task, folder):
    error = refused(capsys, task(), "--data", folder(TS0=[("a", "GGGCAAAAGCCC", "((((....))))")]))[1]
    assert "RNA a" in error and "two different sequences" in error


def test_the_published_archive_is_read(capsys, task, tmp_path):
    with zipfile.ZipFile(tmp_path / "bpRNA_dataset.zip", "w") as archive:
        archive.writestr("__MACOSX/bpRNA_dataset/TR0/._bpRNA_CRW_a.st", b"\x00\x05")
        for name, items in RNAS.items():
            for item, sequence, brackets in items:
                archive.writestr(f"bpRNA_dataset/{name}/bpRNA_CRW_{item}.st", f"#Name\n{sequence}\n{brackets}\n")
    found = rows(capsys, task(), "--data", tmp_path / "bpRNA_dataset.zip")
    assert {name: found[name]["RNAs"] for name in RNAS} == {"TR0": 3, "VL0": 2, "TS0": 1}
    assert found["TR0"]["with lower case"] == 1


def test_what_cannot_be_read_is_refused(capsys, task, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("other/RNA.st", "GGAAACC\n((...))\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "other.zip: has no bpRNA_dataset" in refused(capsys, task(), "--data", tmp_path / "other.zip")[1]
    assert "empty: holds no structures" in refused(capsys, task(), "--data", empty)[1]
    assert "nowhere: does not exist" in refused(capsys, task(), "--data", tmp_path / "nowhere")[1]
    assert "nonsense.yaml: is no task" in refused(capsys, "nonsense", "--data", empty)[1]


@pytest.mark.skipif(not REAL.is_dir(), reason="the bpRNA sets are not on this machine")
def test_bprna_is_complete(capsys):
    found = rows(capsys, PAPER, "--data", REAL)
    assert {name: found[name]["distinct"] for name in RNAS} == {"TR0": 10814, "VL0": 1300, "TS0": 1305}
    assert {name: found[name]["without pairs"] for name in RNAS} == {"TR0": 5, "VL0": 1, "TS0": 1}
    assert all(found[name]["in other sets"] == 0 for name in RNAS)
