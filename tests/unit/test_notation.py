"""Dot-brackets: every kind of bracket, round trips on real and on random structures, one line for wrong ones."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_data import DATA
from rnalm.errors import InputError
from rnalm.structure.files import Structure, parse_st, write_dbn
from rnalm.structure.notation import dot_bracket, parse_dot_bracket

REAL = DATA / "structure"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the bpRNA sets are not on this machine")


def crossing(pairs):
    return any(i < k < j < m for i, j in pairs for k, m in pairs)


@st.composite
def structures(draw):
    """(pairs, length): any set of pairs with one partner per base, crossing as they like."""
    length = draw(st.integers(0, 60))
    order = draw(st.permutations(range(length)))
    number = draw(st.integers(0, length // 2))
    return sorted(tuple(sorted(order[2 * k : 2 * k + 2])) for k in range(number)), length


@given(structures())
def test_pairs_survive_the_notation(structure):
    pairs, length = structure
    text = dot_bracket(pairs, length)
    assert len(text) == length
    assert parse_dot_bracket(text) == pairs


@given(structures())
def test_pairs_of_one_kind_do_not_cross(structure):
    pairs, length = structure
    text = dot_bracket(pairs, length)
    kinds = {}
    for i, j in pairs:
        kinds.setdefault(text[i] + text[j], []).append((i, j))
    assert not any(crossing(same) for same in kinds.values())
    assert (len(kinds) > 1) == crossing(pairs)


def test_every_kind_of_bracket_and_letters():
    assert parse_dot_bracket("([{<A.a>}])") == [(0, 10), (1, 9), (2, 8), (3, 7), (4, 6)]
    assert parse_dot_bracket("((..[[..))..]]") == [(0, 9), (1, 8), (4, 13), (5, 12)]
    assert parse_dot_bracket("<<<__AA>>>-,aa:~") == [(0, 9), (1, 8), (2, 7), (5, 13), (6, 12)]
    assert dot_bracket([(0, 9), (1, 8), (4, 13), (5, 12)], 14) == "((..[[..))..]]"


@pytest.mark.parametrize("text", ["((.)", "(.))", "([)", "a..A", "(]", "((..))*", ")("])
def test_unbalanced_or_unknown_is_an_input_error(text):
    with pytest.raises(InputError):
        parse_dot_bracket(text)


def test_writer_refuses_two_partners_and_positions_outside():
    for pairs in ([(0, 5), (0, 7)], [(0, 5), (5, 9)], [(3, 12)], [(4, 4)]):
        with pytest.raises(ValueError):
            dot_bracket(pairs, 10)


def test_st_file_as_bprna_writes_it():
    text = "#Name: bpRNA_RFAM_7\n#Length:  10\nGGGaaaUCCC\n(((....)))\nSSSHHHHSSS\nNNNNNNNNNN\n"
    item = parse_st(text, "bpRNA_RFAM_7", "x.st")
    assert (item.name, item.sequence, item.pairs) == ("bpRNA_RFAM_7", "GGGaaaUCCC", [(0, 9), (1, 8), (2, 7)])


@pytest.mark.parametrize("text", ["", "#only\n", "GGCC\n", "GGAACC\n((..)\n", "GGAACC\n((..)(\n"])
def test_broken_st_is_an_input_error_that_names_the_file(text):
    with pytest.raises(InputError, match=r"^TR0/x\.st"):
        parse_st(text, "x", "TR0/x.st")


def test_dbn_has_three_lines_per_rna(tmp_path):
    write_dbn(tmp_path / "a.dbn", [Structure("one two", "GGGAAAUCCC", [(0, 9), (1, 8)]), Structure("b", "ACGU", [])])
    assert (tmp_path / "a.dbn").read_text() == ">one two\nGGGAAAUCCC\n((......))\n>b\nACGU\n....\n"


@real
@pytest.mark.parametrize(("name", "number", "without_pairs"), [("TR0", 10814, 5), ("VL0", 1300, 1), ("TS0", 1305, 1)])
def test_all_bprna_structures_round_trip(name, number, without_pairs):
    lines = gzip.decompress((REAL / f"{name}.dbn.gz").read_bytes()).decode().splitlines()
    found = [(parse_dot_bracket(brackets), len(brackets)) for brackets in lines[2::3]]
    assert len(found) == number
    assert sum(not pairs for pairs, _ in found) == without_pairs
    for pairs, length in found:
        assert parse_dot_bracket(dot_bracket(pairs, length)) == pairs
    if name == "TS0":
        assert any(crossing(pairs) for pairs, _ in found), "TS0 holds pseudoknots"
