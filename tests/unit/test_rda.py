"""Sequences in R's own files, as R and Biostrings wrote them (`data/families.R`), and what is refused."""

import lzma
from pathlib import Path

import numpy as np
import pytest
from rnalm.errors import InputError
from rnalm.sequences.readers import read_fasta
from rnalm.tasks.rda import Thing, letters, read_string_sets

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["families_v2.RDa", "families_v3.RDa"])
def test_sets_are_those_that_r_saved(name):
    sets = read_string_sets(DATA / name)
    assert {name: len(found) for name, found in sets.items()} == {"x_train": 17, "x_val": 7, "x_test": 6}
    as_r_wrote_it = [(record.accession, record.sequence) for record in read_fasta(DATA / "families_test.fasta")]
    assert sets["x_test"] == as_r_wrote_it
    assert sets["x_train"][1] == ("RF00001", "ACGTRYKMSWBDHVN-")
    assert [name for name, _ in sets["x_train"]] == [
        *["RF00001"] * 6, *["RF00005"] * 4, *["RF00010"] * 5, *["RF00099"] * 2
    ]  # fmt: skip


def test_both_versions_of_the_format_say_the_same():
    assert read_string_sets(DATA / "families_v2.RDa") == read_string_sets(DATA / "families_v3.RDa")


def test_codes_of_letters_are_those_of_biostrings():
    assert letters(Thing(np.array([1, 2, 4, 8, 15, 16], np.uint8))) == "ACGTN-"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unnamed.RDa", "object unnamed: has sequences without names"),
        ("numbers.RDa", "object number: is another object"),
        ("families.R", "is no data file of R in its binary form"),
    ],
)
def test_what_is_no_set_of_named_sequences_is_refused(name, said):
    with pytest.raises(InputError, match=said):
        read_string_sets(DATA / name)


def test_a_damaged_file_is_one_line_wherever_it_breaks(tmp_path):
    whole = lzma.decompress((DATA / "families_v2.RDa").read_bytes())
    for end in range(7, len(whole), 97):
        (tmp_path / "cut.RDa").write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"cut\.RDa"):
            read_string_sets(tmp_path / "cut.RDa")
    packed = (DATA / "families_v3.RDa").read_bytes()
    (tmp_path / "cut.RDa").write_bytes(packed[:-20])
    with pytest.raises(InputError, match="is truncated or corrupt"):
        read_string_sets(tmp_path / "cut.RDa")
