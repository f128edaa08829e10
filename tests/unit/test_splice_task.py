"""Splice sites: Spliceator's archive as it is published, made small; plain files of windows; folds; what is refused."""

import gzip
import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from real_data import from_data
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.tasks import archives, dataset, splice
from sklearn.model_selection import StratifiedKFold

ROOT = Path(__file__).parents[2]
SETTINGS = {"source": {"name": "spliceator"}, "data": {"site": "donor"}}
LETTERS = random.Random(7)


def letters(number: int) -> str:
    return "".join(LETTERS.choices("ACGT", k=number))


def archive(folder: Path, files: dict[str, str], junk=()) -> Path:
    """data.tar.gz of {path below spliceator/: text}, and members of other kinds."""
    with tarfile.open(folder / "data.tar.gz", "w:gz") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(f"data/spliceator/{name}")
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
        for member, content in junk:
            made.addfile(member, io.BytesIO(content))
    return folder / "data.tar.gz"


@pytest.fixture
def files() -> dict[str, str]:
    """The published files, short: 20 positives and 30 negatives for training, 3 windows of each kind per test."""
    found = {}
    for site in ("donor", "acceptor"):
        positive = [f"P{n}_Homo_sapiens_human;{n};{letters(600)};x" for n in range(20)]
        negative = [f"N{n}_mouse;{letters(600)}" for n in range(30)]
        found[f"Training_data/Positive/GS/POS_{site}_600.csv"] = "ID_uniprot;ID;Sequence;x\n" + "\n".join(positive)
        found[f"Training_data/Negative/GS/GS_1/NEG_600_{site}.csv"] = "\n".join([*negative, ""])
        for species in splice.SPECIES:
            for kind, label in splice.KINDS.items():
                lines = [f"{species}:{n};{label};{letters(400)}\n" for n in range(3)]
                found[f"Benchmarks/{species}/SA_sequences_{site}_400_Final_3.{kind}.txt"] = "".join(lines)
    return found


def test_the_archive_has_train_valid_and_four_tests(tmp_path, files):
    sets = splice.from_archive([archive(tmp_path, files)], SETTINGS)
    assert {name: len(records) for name, records in sets.items()} == {
        **{"train": 45, "valid": 5},
        **dict.fromkeys(splice.SPECIES, 6),
    }
    assert {record.length for records in sets.values() for record in records} == {400}
    labels = [record.label for record in sets["Worm"]]
    assert labels == ["yes"] * 3 + ["no"] * 3
    assert {record.family for record in sets["Worm"]} == {"Worm"}
    assert {record.family for record in sets["train"]} == {"human", "mouse"}


def test_the_middle_400_of_600_from_the_second_field_or_the_third(files):
    positive = "P1_human;12;" + "a" * 100 + "ACGU" * 100 + "a" * 100
    (record,) = splice.training_windows(f"ID_uniprot;x;y\n{positive}\n", "POS", "file")
    assert (record.sequence, record.label, record.family) == ("ACGT" * 100, "yes", "human")
    negative = "N1_fish;" + "a" * 100 + "CCGU" * 100 + "a" * 100 + ";" + "g" * 600
    (record,) = splice.training_windows(negative, "NEG", "file")
    assert (record.sequence, record.label) == ("CCGT" * 100, "no")


def test_folds_are_those_of_stratified_kfold_on_positives_then_negatives(tmp_path, files):
    path = archive(tmp_path, files)
    labels = np.array([1] * 20 + [0] * 30)
    published = list(StratifiedKFold(10, shuffle=True, random_state=2020).split(labels, labels))
    windows = [f"GS_POS_{n}" for n in range(2, 22)] + [f"GS_NEG_{n}" for n in range(1, 31)]  # by line, one is a header
    for fold in (1, 10):
        settings = {**SETTINGS, "data": {"site": "donor", "fold": fold}}
        sets = splice.from_archive([path], settings)
        train, valid = published[fold - 1]
        assert [record.id for record in sets["train"]] == [windows[row] for row in train]
        assert [record.id for record in sets["valid"]] == [windows[row] for row in valid]
    assert splice.from_archive([path], SETTINGS)["valid"] != sets["valid"], "db_1 is the default"


def test_donor_and_acceptor_are_two_data_sets(tmp_path, files):
    path = archive(tmp_path, files)
    donors = splice.from_archive([path], SETTINGS)
    acceptors = splice.from_archive([path], {**SETTINGS, "data": {"site": "acceptor"}})
    for name in donors:
        assert not {record.sequence for record in donors[name]} & {record.sequence for record in acceptors[name]}


@pytest.mark.parametrize("site", ["donor", "acceptor"])
def test_the_shipped_configs_test_four_organisms_after_one_training_set(tmp_path, files, site):
    settings = yaml.safe_load((ROOT / "config" / "tasks" / f"splice_{site}.yaml").read_text())
    outputs = [provenance.describe(archive(tmp_path, files), tmp_path)]
    (tmp_path / "manifest.json").write_text(json.dumps({"inputs": [], "outputs": outputs}))
    _, counts = dataset.build(settings, tmp_path / "manifest.json", 42, tmp_path / "data")
    for split, published in settings["published"]["splits"].items():
        assert published == f"{site}_{split}"
        assert [counts[f"{split}.{part}"] for part in ("train", "valid", "test")] == [45, 5, 6]


def test_archive_members_that_lead_outside_links_and_junk_are_left_out(tmp_path, files):
    escape = tarfile.TarInfo("../spliceator/Benchmarks/Fly/SA_sequences_donor_400_Final_3.positive.txt")
    link = tarfile.TarInfo("spliceator/Benchmarks/Fly/SA_sequences_donor_400_Final_3.positive.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    apple = tarfile.TarInfo("__MACOSX/data/spliceator/._Benchmarks")
    junk = [(escape, b""), (link, b""), (apple, b"")]
    sets = splice.from_archive([archive(tmp_path, files, junk)], SETTINGS)
    assert len(sets["Fly"]) == 6


def test_a_member_that_is_too_large_missing_or_double_is_refused(tmp_path, files, monkeypatch):
    path = archive(tmp_path, files)
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 1000)
    with pytest.raises(InputError, match=r"POS_donor_600.csv: unpacks to more than 1000 bytes"):
        splice.from_archive([path], SETTINGS)
    monkeypatch.undo()
    name = "Benchmarks/Worm/SA_sequences_donor_400_Final_3.negative.txt"
    again = tarfile.TarInfo(f"copy/spliceator/{name}")
    with pytest.raises(InputError, match="is not the only one of this name"):
        splice.from_archive([archive(tmp_path, files, [(again, b"")])], SETTINGS)
    del files[name]
    with pytest.raises(InputError, match=f"has no spliceator/{name}"):
        splice.from_archive([archive(tmp_path, files)], SETTINGS)


def test_a_truncated_archive_is_one_line(tmp_path, files):
    path = archive(tmp_path, files)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="is truncated or corrupt"):
        splice.from_archive([path], SETTINGS)
    path.write_text("not found")
    with pytest.raises(InputError, match="is truncated or corrupt"):
        splice.from_archive([path], SETTINGS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a;NEG;ACGT", "line 2: has the label 'NEG' in a file of POS windows"),
        ("a;pos;ACGT", "line 2: has the label 'pos' in a file of POS windows"),
        ("a;ACGT", "line 2: has 2 fields"),
        ("a;POS;", "line 2: has 3 fields"),
    ],
)
def test_a_wrong_line_of_a_test_is_named(line, said):
    with pytest.raises(InputError, match=said):
        splice.benchmark_windows(f"x;POS;ACGT\n{line}\n", "Worm", "POS", "worm.txt")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("P1_human;ACGT;ACGT", "line 1: has no sequence of 100 nt in its second or third field"),
        ("P1_human", "line 1: has no sequence of 100 nt in its second or third field"),
        ("P1_human;" + "A" * 399, "line 1: has a sequence of 399 nt where at least 400 are expected"),
    ],
)
def test_a_wrong_line_of_the_training_windows_is_named(line, said):
    with pytest.raises(InputError, match=said):
        splice.training_windows(line, "POS", "train.csv")


def test_plain_files_are_sets_by_folder_or_by_name(tmp_path):
    (tmp_path / "Worm").mkdir()
    published, other = (tmp_path / "Worm" / f"SA_sequences_{site}_400.positive.txt" for site in ("donor", "acceptor"))
    published.write_text("a;POS;ACGU\n")
    other.write_text("a;POS;CCCC\n")
    mine = tmp_path / "mine.negative.txt.gz"
    mine.write_bytes(gzip.compress(b"b;NEG;acgu\n"))
    sets = splice.from_files([published, other, mine, tmp_path / "notes.txt"], SETTINGS)
    found = {name: [(record.sequence, record.label) for record in records] for name, records in sets.items()}
    assert found == {"Worm": [("ACGT", "yes")], "mine": [("ACGT", "no")]}
    with pytest.raises(InputError, match="brought no file of donor sites"):
        splice.from_files([other], SETTINGS)


@pytest.mark.parametrize(("site", "place", "motif"), [("donor", 200, "GT"), ("acceptor", 198, "AG")])
def test_real_windows_have_the_intron_where_the_benchmark_has_it(site, place, motif):
    paths = list(from_data("splice/derived_400nt").rglob("*.txt.gz"))
    sets = splice.from_files(paths, {**SETTINGS, "data": {"site": site}})
    assert {name: len(records) for name, records in sets.items()} == {
        "donor": {"Fly": 842, "Thaliana": 3000, "Worm": 1830},
        "acceptor": {"Fly": 780, "Thaliana": 3016, "Worm": 1850},
    }[site]
    for records in sets.values():
        positives = [record.sequence for record in records if record.label == "yes"]
        assert len(positives) * 2 == len(records)
        assert sum(window[place : place + 2] == motif for window in positives) > 0.98 * len(positives)
