"""Pairs of a microRNA and a target: every file is read 3' to 5' and given 5' to 3', in one alphabet."""

import io
import tarfile

import pytest
from real_data import from_data
from rnalm.errors import InputError
from rnalm.tasks.mirna_target import READERS
from rnalm.tasks.records import Record

read = READERS["mirna_pairs"]
SETTINGS = {"source": {"name": "mirtar"}}
STORED = "GAUGGACGUGACAUUCGUGAAAC"  # hsa-miR-17-5p as the published files have it
MIR17 = "CAAAGTGCTTACAGTGCAGGTAG"
ROWS = [
    ("hsa-miR-17-5p", STORED, "ENSG01", "GCATTTACTGGACTGACTGCACTTTG", "1"),
    ("MIMAT0000760", "AAGAUCCUAUCCGGGUCCCCG", "NM_1", "UUUUUCCAGGGGCCGAGGGGC", "0"),
]


@pytest.fixture
def text_file(tmp_path):
    """A function that writes rows as miTAR and RNAret have them."""

    def write(rows=ROWS, name="MirTar_test.txt", between="\t"):
        path = tmp_path / name
        path.write_text("".join(between.join(row) + "\n" for row in rows))
        return path

    return write


def test_the_mirna_is_turned_round(text_file):
    (records,) = read([text_file()], SETTINGS).values()
    assert records[0] == Record("MirTar_test:1:hsa-miR-17-5p", "ENSG01", MIR17, "yes", ROWS[0][3])
    assert records[1].label == "no"


def test_u_and_t_become_one_alphabet_and_any_blanks_divide(text_file):
    (records,) = read([text_file(between="   ")], SETTINGS).values()
    assert records[1].sequence == "GCCCCTGGGCCTATCCTAGAA" and records[1].partner == "TTTTTCCAGGGGCCGAGGGGC"


@pytest.mark.parametrize("name", ["hsa-miR-17-5p", "MIMAT0000070"])
@pytest.mark.parametrize("letters", ["CAAAGUGCUUACAGUGCAGGUAG", "caaagtgcttacagtgcaggtag"])
def test_a_file_that_writes_mirnas_the_other_way_is_refused(text_file, name, letters):
    path = text_file([ROWS[1], (name, letters, *ROWS[0][2:])])
    with pytest.raises(InputError, match=r"line 2: writes .* from 5' to 3'"):
        read([path], SETTINGS)


def test_csv_and_text_hold_the_same(tmp_path, text_file):
    path = tmp_path / "MirTar_test.csv"
    path.write_text("a_name,a_seq,b_name,b_seq,label\n" + "".join(",".join(row) + "\n" for row in ROWS))
    assert read([path], SETTINGS) == read([text_file()], SETTINGS)


def test_each_file_is_a_set_so_that_an_independent_test_stays_one(text_file):
    paths = [text_file(name="MirTarRAW.txt"), text_file(ROWS[:1], "DeepMirTar_IndTest.txt"), text_file(name="x.pdf")]
    sets = read(paths, SETTINGS)
    assert {name: len(records) for name, records in sets.items()} == {"MirTarRAW": 2, "DeepMirTar_IndTest": 1}
    ids = [record.id for records in sets.values() for record in records]
    assert len(set(ids)) == 3


def test_rnarets_archive_is_read_without_unpacking_it(tmp_path):
    rows = "".join(" ".join(row) + "\n" for row in ROWS).encode()
    with tarfile.open(tmp_path / "datasets.tar.gz", "w:gz") as archive:
        for name in ("data/../../data_DeepMirTar_test.txt", "data/._data_DeepMirTar_test.txt", "data/README.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(rows)
            archive.addfile(member, io.BytesIO(rows))
    assert list(read([tmp_path / "datasets.tar.gz"], SETTINGS)) == ["data_DeepMirTar_test"]
    assert [path.name for path in tmp_path.iterdir()] == ["datasets.tar.gz"]


WRONG = {
    "four fields": ([ROWS[0], ROWS[1][:4]], "line 2: has 4 fields of 5"),
    "label": ([(*ROWS[0][:4], "yes")], "line 1: has the label 'yes'"),
    "gap only": ([(ROWS[0][0], "-", *ROWS[0][2:])], "line 1: has an empty sequence"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_named(text_file, name):
    rows, problem = WRONG[name]
    with pytest.raises(InputError, match=problem):
        read([text_file(rows)], SETTINGS)


def test_a_table_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mirna,target\nACGU,ACGU\n")
    with pytest.raises(InputError, match="has no column 'a_name', only mirna, target"):
        read([path], SETTINGS)


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(InputError, match="mirtar: brought no pairs"):
        read([tmp_path / "a.pdf"], SETTINGS)


def test_real_pairs():
    (records,) = read([from_data("mirna_target/MirTarRAW.csv.gz")], SETTINGS).values()
    labels = [record.label for record in records]
    assert (labels.count("yes"), labels.count("no")) == (13859, 13860)
    assert {record.sequence for record in records if "miR-17-5p" in record.id} == {MIR17}
