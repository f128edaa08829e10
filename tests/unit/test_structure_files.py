"""Files of secondary structures: what is written is read back, in every format; wrong files end in one line."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import DATA
from rnalm.errors import InputError
from rnalm.structure.files import Structure, read, write_bpseq, write_ct, write_dbn, write_st

SHARED = DATA / "structure"


def made(seed: int, length: int, name: str) -> Structure:
    """A random structure, with pseudoknots."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(length)[: 2 * (length // 3)].reshape(-1, 2)
    pairs = sorted((int(min(pair)), int(max(pair))) for pair in order)
    return Structure(name, "".join(rng.choice(list("ACGUNacgu"), length)), pairs)


@given(seed=st.integers(0, 10**6), length=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_written_is_read_back(tmp_path_factory, seed, length):
    folder = tmp_path_factory.mktemp("files")
    first, second = made(seed, length, "first"), made(seed + 1, length + 1, "second of two")
    write_dbn(folder / "both.dbn", [first, second])
    write_ct(folder / "both.ct", [first, second])
    write_bpseq(folder / "first.bpseq", first)
    write_st(folder / "first.st", first)
    assert read(folder / "both.dbn") == [first, second]
    assert read(folder / "both.ct") == [first, second]
    assert read(folder / "first.bpseq") == [first]
    assert read(folder / "first.st") == [first]


def test_the_last_base_of_a_connect_table_is_followed_by_none(tmp_path):
    write_ct(tmp_path / "a.ct", [Structure("a", "GAAAC", [(0, 4)])])
    assert (tmp_path / "a.ct").read_text().splitlines() == [
        "5 a", "1 G 0 2 5 1", "2 A 1 3 0 2", "3 A 2 4 0 3", "4 A 3 5 0 4", "5 C 4 0 1 5",
    ]  # fmt: skip


def test_every_kind_of_bracket_is_read_and_pseudoknots_are_written_with_kinds_of_their_own(tmp_path):
    sequence, brackets = "GGGGGGAAAAAACCCCCC", "([{<A........>}])a"
    (tmp_path / "a.dbn").write_text(f">a\n{sequence}\n{brackets}\n")
    (item,) = read(tmp_path / "a.dbn")
    assert item.pairs == [(0, 16), (1, 15), (2, 14), (3, 13), (4, 17)]
    for suffix, write in (("dbn", write_dbn), ("ct", write_ct)):
        write(tmp_path / f"b.{suffix}", [item])
        assert read(tmp_path / f"b.{suffix}") == [item]
    write_st(tmp_path / "a.st", item)
    assert (tmp_path / "a.st").read_text().splitlines() == [
        "#Name: a", "#Length: 18", sequence, "(((([........))))]",
    ]  # fmt: skip
    assert read(tmp_path / "a.st") == [item]


def test_viennarnas_output_is_read(tmp_path):
    (tmp_path / "a.dbn").write_text("GGGAAACCC\n(((...))) ( -1.20)\n")
    assert read(tmp_path / "a.dbn") == [Structure("a", "GGGAAACCC", [(0, 8), (1, 7), (2, 6)])]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real data beside the checkout")
def test_real_files():
    for path in sorted((SHARED / "ct_examples").glob("*.ct")):
        (found,) = read(path)
        assert found.pairs and set(found.sequence) <= set("ACGUacguNn")
        assert len(found.sequence) == int(re.search(r"\d+", path.read_text())[0])


WRONG = {
    "a.dbn": ("ACGU\n(..)\n>b\nACG\n", "three lines"),
    "b.dbn": (">b\nACGU\n(..\n", "record b"),
    "c.bpseq": ("1 A 0\n2 C\n", "1 complete rows of 2"),
    "d.bpseq": ("1 A 2\n2 C 0\n", "but not 2 with 1"),
    "e.ct": ("3 e\n1 A 0 2 0 1\n", "1 complete rows of 3"),
    "f.ct": ("name first\n", "length is due"),
    "g.ct": ("", "empty"),
    "k.ct": ("3 e\n1 A 0 2 3 1\n2 C 1 3 0 2\n3 U 2 0 0 3\n", "but not 3 with 1"),
    "h.bpseq": ("2 A 0\n3 C 0\n", "from 1 to 2"),
    "i.txt": ("ACGU", "no known kind"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_ends_in_one_line(tmp_path, name):
    text, problem = WRONG[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)
