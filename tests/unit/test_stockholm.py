"""Stockholm and the projection of a consensus structure, on the embedded alignments."""

import gzip
from pathlib import Path

import pytest
from real_data import from_data
from rnalm.errors import InputError
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.readers import read_fasta, read_stockholm
from rnalm.sequences.stockholm import consensus_pairs, project
from rnalm.structure.notation import parse_dot_bracket

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/rfam"
SEED = DEMO / "Rfam.seed.gz"
CANONICAL = {"AT", "TA", "GC", "CG", "GT", "TG"}
BLOCK = """# STOCKHOLM 1.0
#=GF ID   hairpin
one          GGG-AAAACCC
two          GGGGAAAAC-C
#=GC SS_cons {}
//
"""


@pytest.fixture(scope="module")
def families():
    return {family.identifier: family for family in read_stockholm(SEED)}


def test_records_distinct_sequences_and_letters_of_the_demo_data(families):
    raw = [project(row, [])[0] for family in families.values() for _, row in family.rows]
    distinct = {digest(sequence): sequence for sequence in map(normalise, raw)}
    assert len(raw) == 3251
    assert len(distinct) == 2357
    assert sum(map(len, distinct.values())) == 434_141
    joined = "".join(raw).upper()
    assert (joined.count("X"), joined.count("N")) == (12, 90)
    assert set("SWKMRY") <= set(joined)


def test_accessions_where_rfam_has_one(families):
    assert families["tRNA"].accession == "RF00005"
    assert families["SSU_bact"].accession == ""
    assert len(families) == 11


def test_fasta_and_stockholm_hold_the_same_sequences(families):
    for identifier, family in families.items():
        in_fasta = [record.sequence for record in read_fasta(DEMO / "fasta_files" / f"{identifier}.fa.gz")]
        assert in_fasta == [project(row, [])[0] for _, row in family.rows]


@pytest.mark.parametrize(
    ("identifier", "low", "high"),
    [
        ("tRNA", 0.92, 0.97),
        ("tRNA_1415", 0.92, 0.97),
        ("Vault", 0.91, 0.97),
        ("SRP_plant", 0.82, 0.90),
        ("SRP_euk", 0.82, 0.90),
        ("RNaseP_bact", 0.92, 0.97),
        ("U1", 0.92, 0.97),
        ("U2", 0.92, 0.97),
        ("U3", 0.69, 0.75),
        ("SSU_bact", 0.92, 0.97),
    ],
)
def test_projected_pairs_are_mostly_canonical(families, identifier, low, high):
    family = families[identifier]
    pairs, found = consensus_pairs(family.ss_cons), []
    for _, row in family.rows:
        sequence, own = project(row, pairs)
        letters = normalise(sequence)
        assert len(letters) == len(sequence)
        found += [letters[i] + letters[j] in CANONICAL for i, j in own]
    assert low <= sum(found) / len(found) <= high


def test_consensus_pairs_agree_with_the_structure_room(families):
    for family in families.values():
        assert consensus_pairs(family.ss_cons) == parse_dot_bracket(family.ss_cons)


def test_the_pseudoknots_of_rnase_p_are_read(families):
    pairs = consensus_pairs(families["RNaseP_bact"].ss_cons)
    assert any(i < k < j < m for i, j in pairs for k, m in pairs)


def test_a_pair_with_a_gap_on_either_side_is_dropped():
    pairs = consensus_pairs("<<<<...>>>>")
    assert project("GGG-AAAACCC", pairs) == ("GGGAAAACCC", [(0, 9), (1, 8), (2, 7)])
    assert project("GGGGAAA-CC.", pairs) == ("GGGGAAACC", [(1, 8), (2, 7)])


def test_rfam_as_released():
    path = from_data("rfam/Rfam.14.2.seed.gz")
    families = list(read_stockholm(path))
    assert len(families) == 3026
    assert sum(len(family.rows) for family in families) == 72_262
    assert (families[0].identifier, families[0].accession) == ("5S_rRNA", "RF00001")


@pytest.mark.parametrize("ss_cons", ["<<<....>>>>", "<<<<....>>>", "<<<[...>>>>", ">>>.....<<<"])
def test_unbalanced_brackets_name_file_and_family(tmp_path, ss_cons):
    path = tmp_path / "x.sto"
    path.write_text(BLOCK.format(ss_cons))
    with pytest.raises(InputError, match=r"x\.sto, family hairpin: has unbalanced brackets in SS_cons") as caught:
        list(read_stockholm(path))
    assert "\n" not in str(caught.value)


def broken_files():
    whole = BLOCK.format("<<<.....>>>")
    seed = SEED.read_bytes()
    return {
        "empty.sto": (b"", "holds no alignment"),
        "text.sto": (b"hello\n//\n", "is no Stockholm file: its first line is 'hello'"),
        "fasta.sto.gz": (gzip.compress(b">a\nACGU\n"), "is no Stockholm file: its first line is '>a'"),
        "garbled.sto": (b"# STOCKHOLM 1.0\nhello\n//\n", "is no valid Stockholm alignment"),
        "unfinished.sto": (whole.removesuffix("//\n").encode(), "family hairpin: does not end in '//'"),
        "joined.sto": ((whole.removesuffix("//\n") + whole).encode(), "family hairpin: does not end in '//'"),
        "uneven.sto": (whole.replace("one          GGG-", "one          GGG").encode(), "family hairpin"),
        "cut.sto.gz": (seed[: len(seed) // 2], "truncated or corrupt"),
        "plain.sto.gz": (gzip.decompress(seed), "truncated or corrupt"),
    }


@pytest.mark.parametrize("name", broken_files())
def test_broken_files_end_in_one_line(tmp_path, name):
    content, problem = broken_files()[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        list(read_stockholm(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
