"""Mean ribosome load: GSE114002 by the rules of RiNALMo and of ERNIE-RNA, roles of the sets; Smart5UTR's table."""

import gzip
import io
import random
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from real_data import from_data
from rnalm.errors import InputError
from rnalm.tasks import dataset, ribosome_load, splits

ROOT = Path(__file__).parents[2]
SETTINGS = {"source": {"name": "gse114002"}}
PER_LENGTH = 3


def row(kind, utr, reads, load="5.5") -> dict:
    return {"utr": utr, "0": "0.1", "total_reads": reads, "rl": load, "set": kind, "total": "0.3", "len": len(utr)}


def archive(folder: Path, rows: list[dict]) -> Path:
    """GSE114002_RAW.tar, whose members are compressed tables with a column of numbers before the first name."""
    table = pl.DataFrame(rows, infer_schema_length=None).with_row_index("")
    with tarfile.open(folder / "GSE114002_RAW.tar", "w") as made:
        for name in ("GSM3130435_egfp_unmod_1.csv.gz", ribosome_load.LIBRARY):
            content = gzip.compress(table.write_csv().encode())
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return folder / "GSE114002_RAW.tar"


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(ribosome_load, "PER_LENGTH", PER_LENGTH)


@pytest.fixture
def rows() -> list[dict]:
    """40 random and 8 human UTRs of 25, 60 and 100 nt each with 10 reads or more, in random order."""
    draw = random.Random(3)
    made = [
        row(kind, "".join(draw.choices("ACGT", k=length)), float(10 + draw.randrange(500)), str(draw.uniform(1, 9)))
        for kind, number in (("random", 40), ("human", 8))
        for length in (25, 60, 100)
        for _ in range(number)
    ]
    draw.shuffle(made)
    return made


def utrs(records) -> set[str]:
    return {record.sequence for record in records}


def best(rows: list[dict], kind: str, length: int) -> set[str]:
    chosen = [row for row in rows if row["set"] == kind and row["len"] == length]
    return {row["utr"] for row in sorted(chosen, key=lambda row: -row["total_reads"])[:PER_LENGTH]}


def test_tests_are_the_best_covered_of_every_length_and_train_the_other_random_ones(tmp_path, rows):
    sets = ribosome_load.rinalmo([archive(tmp_path, rows)], SETTINGS)
    assert {name: len(records) for name, records in sets.items()} == {
        "train": 3 * (40 - PER_LENGTH),
        "Random7600": 3 * PER_LENGTH,
        "Human7600": 3 * PER_LENGTH,
    }
    for name, kind in (("Random7600", "random"), ("Human7600", "human")):
        assert utrs(sets[name]) == {utr for length in (25, 60, 100) for utr in best(rows, kind, length)}
    assert utrs(sets["train"]) | utrs(sets["Random7600"]) == {row["utr"] for row in rows if row["set"] == "random"}
    loads = {row["utr"]: float(row["rl"]) for row in rows}
    assert all(loads[record.sequence] == record.label for records in sets.values() for record in records)
    assert {record.family for record in sets["Human7600"]} == {"human"}


def test_all_copies_of_a_repeated_utr_are_dropped_also_across_random_and_human(tmp_path, rows):
    rows += [row("random", "A" * 25, 9000.0), row("random", "A" * 25, 8000.0)]
    rows += [row("random", "C" * 25, 9000.0), row("human", "C" * 25, 9000.0)]
    found = utrs(
        record for part in ribosome_load.rinalmo([archive(tmp_path, rows)], SETTINGS).values() for record in part
    )
    assert not {"A" * 25, "C" * 25} & found


def test_a_copy_with_too_few_reads_does_not_count_as_one(tmp_path, rows):
    rows += [row("random", "A" * 25, 9000.0), row("random", "A" * 25, 9.0)]
    assert "A" * 25 in utrs(ribosome_load.rinalmo([archive(tmp_path, rows)], SETTINGS)["Random7600"])


def test_rows_without_load_with_few_reads_or_of_another_set_are_not_used(tmp_path, rows):
    rows += [row("random", "A" * 25, 9000.0, ""), row("random", "C" * 25, 9.0), row("snv", "G" * 25, 9000.0)]
    rows += [row("random", "T" * 24, 9000.0), row("random", "T" * 101, 9000.0), row("random", "AT" * 30, 10.0)]
    sets = ribosome_load.rinalmo([archive(tmp_path, rows)], SETTINGS)
    assert not {"A" * 25, "C" * 25, "G" * 25} & utrs(record for part in sets.values() for record in part)
    assert {"T" * 24, "T" * 101, "AT" * 30} <= utrs(sets["train"]), "10 reads are enough; no test has these lengths"


def test_role_trap_no_epoch_is_chosen_by_the_set_that_is_tested(tmp_path, rows):
    sets = ribosome_load.rinalmo([archive(tmp_path, rows)], SETTINGS)
    for valid, test in (("Random7600", "Human7600"), ("Human7600", "Random7600")):
        (parts,) = splits.given(sets, {"train": "train", "valid": valid, "test": test}, np.uint64(0)).values()
        splits.check_disjoint(parts, "ribosome_load")
    both = {"train": "train", "valid": "Random7600", "test": "Random7600"}
    (parts,) = splits.given(sets, both, np.uint64(0)).values()
    with pytest.raises(InputError, match="are the same sequence"):
        splits.check_disjoint(parts, "ribosome_load")


def test_ernie_rna_takes_random_utrs_alone_and_a_tenth_of_the_others_for_validation(tmp_path, rows):
    sets = ribosome_load.ernie_rna([archive(tmp_path, rows)], SETTINGS)
    others = 3 * (40 - PER_LENGTH)
    assert {name: len(records) for name, records in sets.items()} == {
        "train": others - others // 10,
        "valid": others // 10,
        "Random7600": 3 * PER_LENGTH,
    }
    assert {record.family for records in sets.values() for record in records} == {"random"}
    test = utrs(sets["Random7600"])
    by_reads = sorted((r for r in rows if r["set"] == "random"), key=lambda r: -r["total_reads"])
    left = [row["utr"] for row in by_reads if row["utr"] not in test]
    chosen = random.Random(1).sample(range(others), others // 10)
    assert [record.sequence for record in sets["valid"]] == [left[place] for place in chosen]
    assert utrs(sets["train"]) == set(left) - utrs(sets["valid"])


def test_published_sizes_follow_from_83919_random_utrs():
    lengths = range(ribosome_load.LENGTHS[0], ribosome_load.LENGTHS[1] + 1)
    assert len(lengths) * 100 == 7600
    assert 83_919 - 7600 == 76_319
    assert (76_319 // ribosome_load.VALID_SHARE, 76_319 - 76_319 // ribosome_load.VALID_SHARE) == (7_631, 68_688)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rl": "high"}, r"25to100.csv.gz, line 2: has 'high' in column 'rl'"),
        ({"total_reads": "many"}, "line 2: has 'many' in column 'total_reads'"),
        ({"utr": ""}, "line 2: has no sequence in column 'utr'"),
        ({"utr": "ACGT"}, "line 2: has a UTR of another length than the 25 nt in column 'len'"),
        ({"rl": "inf"}, "line 2: has 'inf' in column 'rl'"),
    ],
)
def test_a_wrong_row_of_the_library_is_named(tmp_path, change, said):
    rows = [{name: str(value) for name, value in (row("random", "A" * 25, 50) | change).items()}]
    with pytest.raises(InputError, match=said):
        ribosome_load.rinalmo([archive(tmp_path, rows)], SETTINGS)


def test_a_table_without_a_column_or_another_archive_is_one_line(tmp_path, rows):
    for name in ribosome_load.COLUMNS:
        renamed = [{key + "_2" * (key == name): value for key, value in row.items()} for row in rows]
        with pytest.raises(InputError, match=f"has no column '{name}'"):
            ribosome_load.rinalmo([archive(tmp_path, renamed)], SETTINGS)
    (tmp_path / "x.tar").write_bytes(b"")
    with pytest.raises(InputError, match="brought 2 files"):
        ribosome_load.rinalmo([archive(tmp_path, rows), tmp_path / "x.tar"], SETTINGS)
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(InputError, match="has no GSM4084997_varying_length_25to100"):
        ribosome_load.rinalmo([tmp_path / "empty.tar"], SETTINGS)


def test_smart5utrs_real_table_needs_no_reader_of_its_own():
    settings = yaml.safe_load((ROOT / "config" / "tasks" / "ribosome_load_50nt.yaml").read_text())
    sets = dataset.read([from_data("mrl/egfp_m1pseudo_2.testdata20k.csv.gz")], settings)
    assert {name: len(records) for name, records in sets.items()} == settings["expected"]
    (records,) = sets.values()
    assert (len(utrs(records)), Counter(r.length for r in records)) == (20_000, {50: 20_000})
    loads = [record.label for record in records]
    assert (round(min(loads), 2), round(max(loads), 2), round(sum(loads) / len(loads), 2)) == (0.86, 7.83, 5.62)
