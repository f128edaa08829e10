"""`rnalm intake`: what a benchmark holds, and what stops it before anything is trained on it."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from real_data import DATA, from_data
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


def test_deep_pseudoknots_in_letters_are_read_and_counted(capsys, task, folder):
    """RiNALMo's reader stops at a letter."""
    deep = ("g", "GGGGGAAAACCCCC", "([{<A....)]}>a"), ("h", "GGGGGAAAACCCCC"[::-1], "([{.....)]}...")
    row = rows(capsys, task(expected={}), "--data", folder(VL0=deep))["VL0"]
    assert (row["with pseudoknots"], row["with pseudoknots of four kinds or more"], row["pairs"]) == (2, 1, 8)


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
    error = refused(capsys, task(expected={"TEST": 7}), "--data", folder())[1]
    assert "set TEST has 0 records where 7 are expected" in error


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


# Tasks of other kinds of labels, by their own readers
SIZES = {
    "classes": {"width": 8, "activation": "gelu"},
    "scalar": {"width": 8, "blocks": 1},
    "positions": {"width": 8},
}


@pytest.fixture
def own(tmp_path, task):
    """A function that writes a table and a task of a kind of head; returns the arguments of the command."""

    def write(kind: str, text: str, **changes) -> tuple:
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / "mine.csv").write_text(text)
        least = 2 if kind == "scalar" else 1
        splits = {"random": {"rule": "random", "valid": least, "test": least}}
        settings = {"reader": "table", "head": {"kind": kind, **SIZES[kind]}, "splits": splits} | changes
        return task(expected={}, expected_without_pairs={}, **settings), "--data", tmp_path / "own"

    return write


def found(capsys, arguments) -> dict:
    main(["intake", *map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


def test_classes_are_counted(capsys, own):
    text = "sequence,label\nACGU,a\nACGA,a\nACGC,b\nACGG,a\nACUU,b\n"
    (row,) = found(capsys, own("classes", text))["sets"]
    assert (row["records"], row["classes"], row["in the smallest class"]) == (5, 2, 2)
    assert (row["class a"], row["class b"]) == (3, 2)


def test_numbers_have_a_range_and_a_mean(capsys, own):
    (row,) = found(capsys, own("scalar", "sequence,label\nACGU,-1\nACGA,2.5\nACGC,6\nACGG,1\nACUU,4\n"))["sets"]
    assert (row["smallest label"], row["mean label"], row["largest label"]) == (-1, 2.5, 6)


def test_nucleotides_have_a_share(capsys, own):
    (row,) = found(capsys, own("positions", "sequence,label\nACGU,0110\nACGA,0000\nAC,11\n"))["sets"]
    assert (row["without a 1"], row["nt"], row["nt with a 1"], row["share of 1"]) == (1, 10, 4, 0.4)


def test_a_pair_of_molecules_is_a_duplicate_only_if_both_are(capsys, own):
    text = "sequence,partner,label\nACGU,GGG,a\nacgt,ggg,a\nACGU,GGC,b\nGGG,ACGU,b\nACGA,G,a\nACGA,C,b\n"
    (row,) = found(capsys, own("classes", text))["sets"]
    assert (row["records"], row["distinct"]) == (6, 5)
    assert (row["nt of the partner, shortest"], row["nt of the partner, longest"]) == (1, 4)


def test_one_sequence_with_two_labels_is_counted(capsys, own):
    text = "sequence,label\nACGU,1\nACGT,2\nACGA,1\nACGC,1\nACGC,1\nACGG,1\nACUU,3\n"
    (row,) = found(capsys, own("scalar", text))["sets"]
    assert (row["records"], row["distinct"], row["with several labels"]) == (7, 5, 1)


def test_u_beside_t_is_seen_by_file_and_column(capsys, own):
    """As in miTAR's files: microRNAs in RNA letters, targets in DNA letters."""
    text = "sequence,partner,label\nACGUACGU,GGGTTT,a\nACGUacguN,GGGTTA,a\nACGUACGA,GGGTCC,a\n"
    text += "UUUUUU,TTTTTT,a\nUUCUUC,TTATTA,a\n"
    first, second = found(capsys, own("scalar", text.replace(",a", ",1")))["letters"]
    assert (first["column"], first["with U"], first["with T"], first["with lower case"]) == ("sequence", 5, 0, 1)
    assert first["with other letters than ACGTU"] == 1
    assert (second["column"], second["with U"], second["with T"]) == ("partner", 0, 5)


def test_lengths_have_a_histogram(capsys, own):
    sizes = (50, 51, 100, 101, 3001)
    text = "sequence,label\n" + "".join(f"{'ACGT' * 800:.{size}},{size}\n" for size in sizes)
    (row,) = found(capsys, own("scalar", text))["sets"]
    assert {name: row.get(name) for name in ("nt to 50", "nt to 100", "nt to 200", "nt to 500", "nt above 3000")} == {
        "nt to 50": 1, "nt to 100": 2, "nt to 200": 1, "nt to 500": None, "nt above 3000": 1,
    }  # fmt: skip


def test_splits_say_which_part_is_for_what_and_where_the_data_come_from(capsys, own):
    made = found(capsys, own("scalar", "sequence,label\nACGU,1\nACGA,2\nACGC,3\nACGG,4\nACUU,5\n"))
    assert made["splits"] == [{"split": "random", "train": 1, "valid": 2, "test": 2}]
    assert made["source"] == {"name": "bprna", "release": "TS0"}


def test_the_same_pair_in_train_and_test_is_refused(capsys, own):
    text = "sequence,partner,label,set\nACGU,GG,a,TR0\nACGA,GG,b,TR0\nACGA,CC,a,VL0\nacgt,gg,a,TS0\n"
    given = {"x": {"rule": "given", "train": "TR0", "valid": "VL0", "test": "TS0"}}
    printed, error = refused(capsys, *own("classes", text, splits=given))
    assert "split x: TS0:1 in TS0 and TR0:1 in TR0 are the same sequence" in error
    assert "in other sets" in printed, "what is there is shown all the same"


def test_a_class_that_is_not_trained_on_is_refused(capsys, own):
    text = "sequence,label,set\nACGU,a,TR0\nACGA,b,TR0\nACGC,a,VL0\nACGG,c,TS0\n"
    given = {"x": {"rule": "given", "train": "TR0", "valid": "VL0", "test": "TS0"}}
    assert "TS0:1 in test is of class 'c'" in refused(capsys, *own("classes", text, splits=given))[1]


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        ("classes", "ACGU,a,TR0\nACGC,a,VL0\nACGG,a,TS0\n", "has records of 1 class in train"),
        ("positions", "ACGU,0110,TR0\nACGC,0110,VL0\nAAAAAAAAA,011000000,TS0\n", "has 0 records in test"),
        ("scalar", "ACGU,1,TR0\nACGC,2,VL0\nACGA,3,VL0\nACGG,4,TS0\n", "has 1 records in test"),
    ],
)
def test_a_part_that_cannot_be_trained_on_or_scored_is_refused(capsys, own, kind, text, problem):
    given = {"x": {"rule": "given", "train": "TR0", "valid": "VL0", "test": "TS0"}}
    arguments = own(kind, "sequence,label,set\n" + text, splits=given, max_test_length=8)
    assert problem in refused(capsys, *arguments)[1]


def test_labels_of_another_kind_are_refused(capsys, own, tmp_path):
    settings, *data = own("classes", "", reader="stockholm")
    (tmp_path / "own" / "a.sto").write_text("# STOCKHOLM 1.0\n#=GF ID a\nx GGAAACC\n#=GC SS_cons <<...>>\n//\n")
    assert "which a head of kind classes cannot predict" in refused(capsys, settings, *data)[1]


def test_files_in_folders_below_are_found(capsys, own, tmp_path):
    arguments = own("scalar", "sequence,label\nACGU,1\nACGA,2\nACGC,3\nACGG,4\nACUU,5\n")
    (tmp_path / "own" / "below").mkdir()
    (tmp_path / "own" / "mine.csv").rename(tmp_path / "own" / "below" / "mine.csv")
    assert found(capsys, arguments)["sets"][0]["records"] == 5


def test_an_empty_folder_is_refused(capsys, own, tmp_path):
    arguments = own("scalar", "")
    (tmp_path / "own" / "mine.csv").unlink()
    assert "own: is empty; put the files of bprna into it" in refused(capsys, *arguments)[1]


CONFIGS = Path(__file__).parents[2] / "config" / "tasks"


def test_real_mirna_pairs_without_the_independent_set_are_partial(capsys):
    printed, error = refused(capsys, CONFIGS / "mirna_target.yaml", "--data", from_data("mirna_target"))
    assert "set data_DeepMirTar_IndTest_noRepeats_3folds has 0 records where 828 are expected" in error
    lines = {line.split("  ")[0]: line.split()[-1] for line in printed.splitlines() if line}
    assert lines["records"] == "27,719" and lines["distinct"] == "27,323"
    assert (lines["class yes"], lines["class no"]) == ("13,859", "13,860")


def test_real_mrnas_and_lncrnas(capsys):
    made = found(capsys, (CONFIGS / "mrna_lncrna_cpat.yaml", "--data", from_data("mrna_lncrna")))
    assert [row["records"] for row in made["sets"]] == [4000, 4000]
    assert all(row["with T"] == 4000 and not row["with U"] for row in made["letters"])


def test_real_archive2_folds(capsys):
    made = found(capsys, (CONFIGS / "structure_archive2.yaml", "--data", from_data("structure")))
    tests = {row["split"]: row["test"] for row in made["splits"]}
    assert tests == {
        "grp1": 74, "tmRNA": 462, "tRNA": 557, "5s": 1283, "srp": 918, "telomerase": 35, "RNaseP": 454, "16s": 66,
        "23s": 15,
    }  # fmt: skip
    assert sum(tests.values()) == 3864
