"""Translation efficiency and expression level: UTR-LM's tables as they are published, made small, and their folds."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import yaml
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.tasks import dataset, kinds, splits, utr
from rnalm.tasks.records import Record
from sklearn.model_selection import KFold

ROOT = Path(__file__).parents[2]
SETTINGS = {"source": {"name": "utr_lm"}}
KFOLD = {"folds": 10, "kfold_seed": 42}


@pytest.fixture
def paths(tmp_path):
    """Tables of 40, 30 and 20 genes; their UTRs are filled up with `<pad>` in front."""
    draw, made = random.Random(5), []
    for name, number in (("Muscle", 40), ("pc3", 30), ("HEK", 20)):
        lines = ["Unnamed: 0,utr,te_log,rnaseq_log,utr_size"]
        for gene in range(number):
            letters = "".join(draw.choices("ACGT", k=draw.randrange(30, 100)))
            padded = "<pad>" * (100 - len(letters)) + letters
            lines.append(f"{gene},{padded},{gene / 7},{-gene / 3},{len(letters)}")
        (tmp_path / f"{name}_sequence.csv").write_text("\n".join(lines) + "\n")
        made.append(tmp_path / f"{name}_sequence.csv")
    return made


def test_a_cell_line_is_a_set_and_the_two_targets_are_two_tasks(paths):
    efficiency, level = (utr.READERS[name](paths, SETTINGS) for name in ("translation_efficiency", "expression_level"))
    assert {line: len(records) for line, records in efficiency.items()} == {"Muscle": 40, "PC3": 30, "HEK": 20}
    for line, records in efficiency.items():
        for gene, (one, other) in enumerate(zip(records, level[line], strict=True)):
            assert (one.id, one.sequence, one.family) == (other.id, other.sequence, line)
            assert (one.label, other.label) == (gene / 7, -gene / 3)


def test_literal_pad_is_stripped_and_never_becomes_letters(paths):
    sets = utr.READERS["expression_level"](paths, SETTINGS)
    tables = [path.read_text().splitlines()[1:] for path in paths]
    for lines, records in zip(tables, sets.values(), strict=True):
        written = [line.split(",")[1].replace("<pad>", "") for line in lines]
        assert [record.sequence for record in records] == written
    assert all(set(record.sequence) <= set("ACGT") for records in sets.values() for record in records)


def test_published_folds_have_the_fold_before_the_test_for_validation_and_wrap_around(paths):
    sets = utr.READERS["translation_efficiency"](paths, SETTINGS)
    made = splits.kfold(sets, {**KFOLD, "sets": ["Muscle"]}, np.uint64(0))
    tests = [test for _, test in KFold(10, shuffle=True, random_state=42).split(range(40))]
    names = [record.id for record in sets["Muscle"]]
    assert list(made) == [f"_{fold}" for fold in range(10)]
    for fold, parts in enumerate(made.values()):
        assert [record.id for record in parts["test"]] == [names[row] for row in tests[fold]]
        assert [record.id for record in parts["valid"]] == [names[row] for row in tests[fold - 1]]
        assert {record.id for record in parts["train"]} == set(names) - {
            record.id for part in ("valid", "test") for record in parts[part]
        }
        assert len(parts["train"]) == 32


def test_what_comes_twice_in_the_table_moves_no_row_and_is_in_one_part():
    records = [Record(f"r{n}", "", "ACGT" * (n + 3), float(n)) for n in range(20)]
    twice = [*records, Record("again", "", records[3].sequence, 3.0)]
    made = splits.kfold({"all": twice}, {"folds": 3, "kfold_seed": 42}, np.uint64(0))
    rows = [test for _, test in KFold(3, shuffle=True, random_state=42).split(range(21))]
    for fold, parts in enumerate(made.values()):
        assert [record.id for record in parts["test"]] == [twice[row].id for row in rows[fold]]
        seen = [{record.molecules for record in parts[part]} for part in ("train", "valid", "test")]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    with pytest.raises(InputError, match="has 2 records for 3 folds"):
        splits.kfold({"all": records[:2]}, {"folds": 3, "kfold_seed": 42}, np.uint64(0))


@pytest.mark.parametrize("name", ["translation_efficiency", "expression_level"])
def test_the_shipped_configs_make_ten_folds_of_each_cell_line(paths, tmp_path, name):
    settings = yaml.safe_load((ROOT / "config" / "tasks" / f"{name}.yaml").read_text())
    (tmp_path / "manifest.json").write_text(
        json.dumps({"inputs": [], "outputs": [provenance.describe(path, tmp_path) for path in paths]})
    )
    _, counts = dataset.build(settings, tmp_path / "manifest.json", 42, tmp_path / "data")
    for line, number in (("muscle", 40), ("pc3", 30), ("hek", 20)):
        for fold in range(10):
            parts = [counts[f"{line}_{fold}.{part}"] for part in ("train", "valid", "test")]
            assert parts == [8 * number // 10, number // 10, number // 10]


@pytest.mark.parametrize("name", ["translation_efficiency", "expression_level"])
def test_targets_are_not_standardised(paths, name):
    settings = yaml.safe_load((ROOT / "config" / "tasks" / f"{name}.yaml").read_text())
    head = kinds.module(settings["head"]).described(settings["head"], utr.READERS[name](paths, SETTINGS)["Muscle"])
    assert (head["mean"], head["std"], settings["training"]["loss"]) == (0.0, 1.0, "huber")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0,<pad><pad>,1,1,0", "line 2: has nothing but <pad> in column 'utr'"),
        ("0,,1,1,0", "line 2: has no sequence in column 'utr'"),
        ("0,ACGT,low,1,4", "line 2: has 'low' in column 'te_log'"),
        ("0,ACGT,,1,4", "line 2: has no value in column 'te_log'"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, said):
    path = tmp_path / "HEK_sequence.csv"
    path.write_text(f"Unnamed: 0,utr,te_log,rnaseq_log,utr_size\n{row}\n")
    with pytest.raises(InputError, match=said):
        utr.READERS["translation_efficiency"]([path], SETTINGS)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "muscle.csv").write_text("utr,te_log\n")
    with pytest.raises(InputError, match=r"give Muscle_sequence.csv, pc3_sequence.csv, HEK_sequence.csv"):
        utr.READERS["translation_efficiency"]([tmp_path / "muscle.csv"], SETTINGS)
