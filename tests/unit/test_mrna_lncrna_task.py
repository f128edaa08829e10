"""Messenger and long non-coding RNAs: labels of nucleotides from the headers, classes from the files."""

import io
import random
import tarfile

import pytest
from real_data import from_data
from rnalm.errors import InputError
from rnalm.tasks.mrna_lncrna import READERS
from rnalm.tasks.records import Record

read = READERS["cds_headers"]
SETTINGS = {"source": {"name": "rnaret"}}
RELEASED = SETTINGS | {"data": {"crop": 3000}}
MRNA = "ENST1.5|ENSG1.19|OTTHUMG1|OTTHUMT1|LGALS8-215|LGALS8|12|UTR5:1-3|CDS:4-9|UTR3:10-12| pc"
LNCRNA = "ENST2.1|ENSG2.1|OTTHUMG2|OTTHUMT2|ENST2|ENSG2|5| lnc"


@pytest.fixture
def fasta(tmp_path):
    def write(*records, name="train.fa"):
        path = tmp_path / name
        path.write_text("".join(f">{header}\n{sequence}\n" for header, sequence in records))
        return path

    return write


def late(start: int, end: int, length: int) -> tuple[str, str]:
    return f"late|CDS:{start}-{end}|", "A" * length


def test_the_coding_region_counts_from_1_with_both_ends_in_it(fasta):
    (records,) = read([fasta((MRNA, "acgAUGAAATAA"), (LNCRNA, "ACGUN"))], SETTINGS).values()
    assert records == [
        Record("ENST1.5", "mRNA", "ACGATGAAATAA", [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]),
        Record("ENST2.1", "lncRNA", "ACGTN", [0, 0, 0, 0, 0]),
    ]


def test_as_released_an_mrna_whose_cds_starts_late_has_no_coding_nucleotide(fasta):
    """The label rule of RNAret's released code: any CDS base within the first 3,000."""
    path = fasta(late(3001, 3300, 4000), late(3000, 3300, 4000), name="a.fa")
    (late_one, in_time) = read([path], RELEASED)["a"]
    assert len(late_one.sequence) == len(late_one.label) == 3000
    assert not any(late_one.label) and sum(in_time.label) == 1
    assert late_one.family == "mRNA", "what it is by its header is kept"


def test_as_described_the_same_mrna_is_one(fasta):
    (records,) = read([fasta(late(3001, 3300, 4000))], SETTINGS).values()
    assert records[0].length == 4000 and sum(records[0].label) == 300


WRONG = {
    "beyond the end": (late(5, 11, 10), r"record late: has CDS:5-11 in a sequence of 10 nt"),
    "from 0": (late(0, 5, 10), "has CDS:0-5"),
    "backwards": (late(5, 4, 10), "has CDS:5-4"),
    "joined": (("late|CDS:1-3,7-9|", "A" * 10), "'CDS:1-3,7-9' where CDS:start-end is due"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_coding_region_outside_of_the_sequence_is_refused(fasta, name):
    record, problem = WRONG[name]
    with pytest.raises(InputError, match=problem):
        read([fasta(record)], SETTINGS)


def test_a_file_without_any_cds_field_is_refused(fasta):
    """It would be read as lncRNAs alone: other sources of the same transcripts drop the field."""
    with pytest.raises(InputError, match="no 'CDS:start-end' in any header"):
        read([fasta((LNCRNA, "ACGU"), ("ENST3.1|cds:1-3|", "ACGU"))], SETTINGS)


def test_rnarets_archive_names_sets_by_species_and_part(tmp_path):
    text = f">{MRNA}\nACGATGAAATAA\n>{LNCRNA}\nACG\nTN\n".encode()
    with tarfile.open(tmp_path / "datasets.tar.gz", "w:gz") as archive:
        for name in ("data/lncRNA_H/train.fa", "data/lncRNA_H/test.fa", "data/lncRNA_M/test.fa", "data/other/test.fa"):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    sets = read([tmp_path / "datasets.tar.gz"], SETTINGS)
    assert list(sets) == ["lncRNA_H_train", "lncRNA_H_test", "lncRNA_M_test"]
    assert sets["lncRNA_H_test"][1] == Record("ENST2.1", "lncRNA", "ACGTN", [0] * 5)


def test_an_archive_that_is_cut_off_is_refused(tmp_path):
    noise = "".join(random.Random(1).choices("ACGT", k=10**5)).encode()
    path = tmp_path / "datasets.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("data/lncRNA_H/train.fa")
        member.size = len(noise)
        archive.addfile(member, io.BytesIO(noise))
    path.write_bytes(path.read_bytes()[:10000])
    with pytest.raises(InputError, match="is no readable archive"):
        read([path], SETTINGS)


def test_classes_by_file(fasta):
    paths = [fasta(("a x", "ACGU"), name="coding.fa"), fasta(("b", "GGU"), name="other.fa"), fasta(("c", "A"))]
    settings = SETTINGS | {"data": {"classes": {"coding": "mRNA", "other": "lncRNA"}}}
    assert READERS["class_files"](paths, settings) == {
        "coding": [Record("a", "mRNA", "ACGT", "mRNA")],
        "other": [Record("b", "lncRNA", "GGT", "lncRNA")],
    }
    with pytest.raises(InputError, match="classes: other: is no FASTA file of the data"):
        READERS["class_files"](paths[:1], settings)


def test_real_transcripts_without_coding_regions():
    paths = sorted(from_data("mrna_lncrna").iterdir())
    classes = {"Human_test_coding_mRNA": "mRNA", "Human_test_noncoding_RNA": "lncRNA"}
    sets = READERS["class_files"](paths, SETTINGS | {"data": {"classes": classes}})
    assert {name: len(records) for name, records in sets.items()} == dict.fromkeys(classes, 4000)
    with pytest.raises(InputError, match="in any header"):
        read(paths, SETTINGS)
