"""Two molecules as one sequence of tokens, for every family."""

import numpy as np
import pytest
from rnalm.tokens import ernie_rna, rinalmo
from rnalm.tokens.kmer import KmerTokeniser
from rnalm.tokens.pairs import encode_record

TOKENISERS = {"rinalmo": rinalmo.TOKENISER, "ernie_rna": ernie_rna.TOKENISER, "rnaret": KmerTokeniser(3)}


def test_rnaret_reads_a_mirna_and_its_target_as_published():
    """[3] + tok(miRNA) + [3] + tok(target); the goldens of the published tokeniser."""
    for k, tokens in ((1, [6, 7, 9, 9, 8, 7]), (3, [1, 13, 37, 68, 63, 1]), (5, [1, 1, 132, 511, 1, 1])):
        assert encode_record(KmerTokeniser(k), "AUGGCU", "AUGGCU").tolist() == [3, *tokens, 3, *tokens]


@pytest.mark.parametrize("family", TOKENISERS)
def test_each_molecule_begins_with_one_cls(family):
    tokeniser = TOKENISERS[family]
    ids = encode_record(tokeniser, "ACGGTA", "GGCATTC")
    cls = tokeniser.tokens.index("<cls>")
    ends = 0 if family == "rnaret" else 2
    assert np.flatnonzero(ids == cls).tolist() == [0, 1 + 6 + ends // 2]
    assert len(ids) == 2 + 6 + 7 + ends
    assert ids.dtype == tokeniser.encode("A").dtype
    first, second = np.split(ids, [len(ids) - 7 - ends // 2 - 1])
    assert first[1:7].tolist() == tokeniser.encode("ACGGTA")[tokeniser.nucleotides].tolist()
    assert second[1:8].tolist() == tokeniser.encode("GGCATTC")[tokeniser.nucleotides].tolist()


@pytest.mark.parametrize("family", TOKENISERS)
def test_without_a_partner_a_record_is_its_sequence(family):
    tokeniser = TOKENISERS[family]
    assert encode_record(tokeniser, "ACGGTA").tolist() == tokeniser.encode("ACGGTA").tolist()


@pytest.mark.parametrize("family", TOKENISERS)
def test_which_molecule_is_first_is_seen(family):
    tokeniser = TOKENISERS[family]
    assert encode_record(tokeniser, "ACGG", "TTCA").tolist() != encode_record(tokeniser, "TTCA", "ACGG").tolist()
