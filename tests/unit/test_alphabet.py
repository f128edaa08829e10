"""Normalisation and digest: one spelling per molecule, and RNAcentral's own hash."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from rnalm.sequences.alphabet import LETTERS, digest, is_protein, normalise

HBB = "MVHLTPEEKSAVTALWGKVNVDEVGGEALGRLLVVYPWTQRFFESFGDLSTPDAVMGNPKVKAHGKKVLGAFSDGLAHLDNLKGTFATLSELHCDKLHVDPENFRLL"


def test_every_rule_of_the_alphabet():
    assert normalise("acguACGU") == "ACGTACGT"
    assert normalise("RYKMSWBDHVNI") == "RYKMSWBDHVNI"
    assert normalise("A-C.G U\n") == "ACGT"
    assert normalise("AXaxF*1é") == "ANANNNNN"
    assert normalise(b"ac\r\ngu") == "ACGT"


@given(st.text(alphabet="ACGUNRYSWKMBDHVIXacgunx-.", max_size=200))
def test_rna_and_dna_spelling_are_one_sequence(raw):
    dna = raw.replace("U", "T").replace("u", "t")
    assert normalise(raw) == normalise(dna)
    assert digest(normalise(raw)) == digest(normalise(dna))


@given(st.text(max_size=200))
def test_idempotent_and_closed(raw):
    once = normalise(raw)
    assert normalise(once) == once
    assert set(once) <= set(LETTERS)


def test_digest_is_the_md5_of_the_upper_case_dna():
    assert digest(normalise("gcgcgcguaa")) == hashlib.md5(b"GCGCGCGTAA").hexdigest()


def test_a_reverse_complement_is_another_molecule():
    assert digest(normalise("GGAU")) != digest(normalise("AUCC"))


def test_proteins_are_recognised_and_rna_with_a_stray_letter_is_not():
    assert is_protein(HBB)
    assert is_protein(HBB.lower())
    assert is_protein("MKVTAWYRSDGHCKMNVTA*")
    assert not is_protein("ACGUNRYSWKMBDHVIX" * 3)
    assert not is_protein("ACGU" * 50 + "F")
    assert not is_protein("")
