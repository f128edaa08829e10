"""Dot-brackets: every kind of bracket, round trips on real and on random structures, one line for wrong ones."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rnalm.errors import InputError
from rnalm.structure.files import parse_st, read_dbn, read_st, write_dbn
from rnalm.structure.notation import dot_bracket, parse_dot_bracket

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "structure"
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


def test_st_file_as_bprna_writes_it(tmp_path):
    path = tmp_path / "bpRNA_RFAM_7.st"
    path.write_text("#Name: bpRNA_RFAM_7\n#Length:  10\nGGGaaaUCCC\n(((....)))\nSSSHHHHSSS\nNNNNNNNNNN\n")
    item = read_st(path)
    assert (item.name, item.sequence, item.pairs) == ("bpRNA_RFAM_7", "GGGaaaUCCC", [(0, 9), (1, 8), (2, 7)])


@pytest.mark.parametrize("text", ["", "#only\n", "GGCC\n", "GGAACC\n((..)\n", "GGAACC\n((..)(\n"])
def test_broken_st_is_an_input_error_that_names_the_file(text):
    with pytest.raises(InputError, match=r"^TR0/x\.st"):
        parse_st(text, "x", "TR0/x.st")


def test_dbn_round_trip_and_rnafold_energies(tmp_path):
    path = tmp_path / "a.dbn"
    path.write_text(">one two\nGGGAAAUCCC\n(((....))) (-3.20)\n>b\nACGU\n....\n")
    read = list(read_dbn(path))
    assert [item.name for item in read] == ["one two", "b"]
    write_dbn(tmp_path / "b.dbn", read)
    assert list(read_dbn(tmp_path / "b.dbn")) == read


def test_unbalanced_file_ends_with_exit_code_2_and_one_line(tmp_path):
    path = tmp_path / "bad.dbn"
    path.write_text(">rna\nGGGAAAUCCC\n(((....)).\n")
    code = "import sys; from rnalm.errors import exits; from rnalm.structure.files import read_dbn\n"
    code += "exits(lambda: list(read_dbn(sys.argv[1])))()"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "bad.dbn, rna" in done.stderr and "unbalanced" in done.stderr


@real
@pytest.mark.parametrize(("name", "number", "without_pairs"), [("TR0", 10814, 5), ("VL0", 1300, 1), ("TS0", 1305, 1)])
def test_all_bprna_structures_round_trip(name, number, without_pairs, tmp_path):
    path = tmp_path / f"{name}.dbn"
    path.write_bytes(gzip.decompress((REAL / f"{name}.dbn.gz").read_bytes()))
    items = list(read_dbn(path))
    assert len(items) == number
    assert sum(not item.pairs for item in items) == without_pairs
    for item in items:
        assert parse_dot_bracket(dot_bracket(item.pairs, len(item.sequence))) == item.pairs
    if name == "TS0":
        assert any(crossing(item.pairs) for item in items), "TS0 holds pseudoknots"
