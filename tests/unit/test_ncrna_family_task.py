"""Families of non-coding RNAs: the selection of 88 families from R's file, boundary noise; nRC's 13 types."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
import yaml
from real_data import from_data
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.tasks import dataset, families, ncrna_family, rda, splits
from rnalm.tasks.records import Record

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
RFAM = {"source": {"name": "rfam_novel"}, "data": {}}
NRC = yaml.safe_load((ROOT / "config" / "tasks" / "nrc.yaml").read_text())
TRAIN, TEST = "dataset_Rfam_6320_13classes", "dataset_Rfam_validated_2600_13classes"


def rnas(part: str, family: str, number: int, lengths, letters="ACGT") -> list[Record]:
    """Random RNAs of one family; lengths: nt, taken in turn."""
    draw = random.Random(f"{part}{family}")
    made = ("".join(draw.choices(letters, k=lengths[n % len(lengths)])) for n in range(number))
    return [Record(f"{part}_{family}_{n}", family, sequence, family) for n, sequence in enumerate(made)]


@pytest.fixture
def sets() -> dict[str, list[Record]]:
    """A and B have the same lengths; each of the others breaks one rule of the selection."""
    alike, sizes = [60, 70, 80, 90], {"train": 440, "valid": 60, "test": 50}
    made = {part: rnas(part, "A", number, alike) for part, number in sizes.items()}
    for part, number in sizes.items():
        made[part] += rnas(part, "B", number - 30, alike)
        made[part] += rnas(part, "given_away", number, [120])
        made[part] += rnas(part, "long", number, [190, 201, 250])
        made[part] += rnas(part, "long_too", number, [190, 201, 250])
        made[part] += rnas(part, "small", 399 if part == "train" else number, alike)
        made[part] += rnas(part, "absent", number, alike) if part != "valid" else []
        made[part] += rnas(part, "A", 5, alike, letters="ACGN")[1:]
    return made


def test_families_are_selected_by_every_published_rule(sets):
    found = families.selected(sets)
    assert list(dict.fromkeys(record.label for record in found["train"])) == ["A", "B"]
    assert all(set(record.sequence) <= set("ACGT") for records in found.values() for record in records)


def test_training_is_three_times_the_smallest_family_with_replacement(sets):
    found = families.selected(sets)
    assert Counter(record.label for record in found["train"]) == {"A": 3 * 410, "B": 3 * 410}
    assert len({record.id for record in found["train"] if record.label == "B"}) < 410, "drawn with replacement"
    assert Counter(record.label for record in found["valid"]) == {"A": 60, "B": 30}, "at most that many"
    assert Counter(record.label for record in found["test"]) == {"A": 50, "B": 20}, "all"


def test_a_large_validation_family_is_cut_without_replacement():
    records = rnas("valid", "A", 50, [60])
    kept = families.at_most(records, 20)
    assert len({record.id for record in kept}) == len(kept) == 20
    assert families.at_most(records, 50) != records == families.at_most(records, 51)


def test_rows_are_drawn_as_pandas_samples_them():
    pandas = pytest.importorskip("pandas")
    records = rnas("train", "A", 40, [60])
    frame = pandas.DataFrame({"id": [record.id for record in records]})
    for again, number in ((True, 120), (False, 15)):
        expected = frame.sample(n=number, replace=again, random_state=42)["id"].tolist()
        assert [record.id for record in families.drawn(records, number, again)] == expected


def test_a_family_of_one_length_is_given_away_and_two_of_one_length_are_not():
    alone = rnas("train", "alone", 50, [120])
    twins = rnas("train", "left", 50, [60, 61]) + rnas("train", "right", 50, [60, 61])
    assert families.given_away(alone + twins) == {"alone"}


def test_no_family_left_is_one_line(sets):
    small = {part: [r for r in records if r.label in ("small", "long")] for part, records in sets.items()}
    with pytest.raises(InputError, match="none with 400 training sequences of at most 200 nt"):
        families.selected(small)
    with pytest.raises(InputError, match="none in train, valid and test"):
        families.selected({"train": small["train"], "valid": [], "test": small["test"]})


@pytest.fixture
def few(monkeypatch):
    """The rules, for a file of a few sequences."""
    monkeypatch.setattr(families, "FEWEST", 4)
    monkeypatch.setattr(families, "given_away", lambda records: set())


def test_families_of_rs_file(few):
    sets = ncrna_family.from_rda([DATA / "families_v3.RDa"], RFAM)
    assert {part: len(records) for part, records in sets.items()} == {"train": 36, "valid": 7, "test": 6}
    assert {record.label for record in sets["train"]} == {"RF00001", "RF00005", "RF00010"}, "RF00099 is in train alone"
    assert "train_2" not in {record.id for record in sets["train"]}, "it has other letters than A, C, G, T"
    by_id = {record.id: record for record in sets["train"]}
    assert all(by_id[record.id] == record for record in sets["train"]), "copies are one record several times"


@pytest.mark.parametrize("name", ["ncrna_family", "ncrna_family_noisy"])
def test_the_shipped_configs_make_one_split(few, tmp_path, name):
    settings = yaml.safe_load((ROOT / "config" / "tasks" / f"{name}.yaml").read_text())
    settings |= {"expected": {}, "data": settings["data"] | {"families": 3}}
    outputs = [provenance.describe(DATA / "families_v3.RDa", tmp_path)]
    (tmp_path / "manifest.json").write_text(json.dumps({"inputs": [], "outputs": outputs}))
    _, counts = dataset.build(settings, tmp_path / "manifest.json", 42, tmp_path / "data")
    (split,) = settings["splits"]
    assert [counts[f"{split}.{part}"] for part in ("train", "valid", "test")] == [36, 7, 6]


def test_class_set_size_is_checked(few):
    with pytest.raises(InputError, match="gives 3 families where 88 are expected"):
        ncrna_family.from_rda([DATA / "families_v3.RDa"], {**RFAM, "data": {"families": 88}})
    assert ncrna_family.from_rda([DATA / "families_v3.RDa"], {**RFAM, "data": {"families": 3}})


def test_boundary_noise_is_about_one_length_per_side_of_the_rnas_own_dinucleotides():
    for length in (40, 100, 101, 200):
        sequence = "".join(random.Random(length).choices("ACGT", k=length))
        number = int(0.25 * length * 2)
        made = ncrna_family.between_noise(sequence, 200, "x")
        start = made.index(sequence)
        left, right = made[:start], made[start + length :]
        pieces = {sequence[n : n + 2] for n in range(0, length, 2)}
        for side in (left, right):
            assert number <= len(side) <= 2 * number
            assert len(side) == 2 * number or length % 2, "only the last piece of an odd length has one letter"
            if length % 2 == 0:
                assert {side[n : n + 2] for n in range(0, len(side), 2)} <= pieces
        assert left != right
        assert len(made) <= 600


def test_boundary_noise_is_seeded_and_differs_between_copies(few):
    path, settings = DATA / "families_v3.RDa", {**RFAM, "data": {"noise": 200}}
    first, second = (ncrna_family.from_rda([path], settings) for _ in range(2))
    assert first == second
    plain = ncrna_family.from_rda([path], RFAM)
    assert plain == ncrna_family.from_rda([path], {**RFAM, "data": {"noise": 0}})
    for part, records in first.items():
        assert len({record.id for record in records}) == len(records)
        for noisy, record in zip(records, plain[part], strict=True):
            assert noisy.id.startswith(f"{record.id}_") and noisy.label == record.label
            assert record.sequence in noisy.sequence
    twice = Counter(record.id for record in plain["train"]).most_common(1)[0][0]
    copies = [record for record in first["train"] if record.id.startswith(f"{twice}_")]
    assert len({record.sequence for record in copies}) == len(copies) > 1


def test_an_rna_of_the_test_is_not_trained_on_in_other_noise(few, monkeypatch):
    sets = {name: list(rnas) for name, rnas in rda.read_string_sets(DATA / "families_v3.RDa").items()}
    (family, sequence), *_ = sets["x_test"]
    sets["x_train"].append((family, sequence))
    sets["x_val"].append((family, sequence))
    monkeypatch.setattr(ncrna_family, "read_string_sets", lambda path: sets)
    made = ncrna_family.from_rda([DATA / "families_v3.RDa"], {**RFAM, "data": {"noise": 200}})
    holders = {part: [r for r in records if sequence in r.sequence] for part, records in made.items()}
    assert {part: len(records) for part, records in holders.items()} == {"train": 0, "valid": 0, "test": 1}


def test_noise_of_all_parts_does_not_depend_on_their_order():
    records = rnas("train", "A", 5, [60])
    forward, backward = ncrna_family.noisy(records, 200), ncrna_family.noisy(records[::-1], 200)
    assert forward == backward[::-1]


@pytest.fixture(scope="module")
def nrc():
    return dataset.read(sorted(from_data("ncrna_family").glob("*.fasta.gz")), NRC)


def test_label_is_the_last_word_of_an_nrc_header_and_the_family_its_beginning(nrc):
    first = nrc[TRAIN][0]
    assert (first.id, first.family, first.label) == ("RF00001_AF095839_1_346-228", "RF00001", "5S_rRNA")
    assert first.sequence.startswith("GCGTACGGCCATACTATGGGGAATACACC")


def test_nrc_has_13_types_500_per_type_in_training(nrc):
    counts = Counter(record.label for record in nrc[TRAIN])
    assert len(counts) == 13 and set(counts.values()) == {500, 320} and counts["IRES"] == 320
    assert Counter(record.label for record in nrc[TEST]) == dict.fromkeys(counts, 200)
    assert {name: len(records) for name, records in nrc.items()} == NRC["expected"]


def test_nrc_shares_347_sequences_between_training_and_test_which_its_split_drops(nrc):
    test = {record.sequence for record in nrc[TEST]}
    assert sum(record.sequence in test for record in nrc[TRAIN]) == 347
    (parts,) = splits.divide(nrc, NRC, 42).values()
    assert (len(parts["train"]) + len(parts["valid"]), len(parts["test"])) == (6320 - 347, 2600)
