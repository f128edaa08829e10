"""The decoders of ERNIE-RNA and RNAret: what they find, and the traits for which they are not the default."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.structure import matching
from rnalm.structure.published import assignment, constrained, unrolled

SEQUENCE = "GGGGAAAACCCCAGGGGAAAACCCC"
STEMS = [(0, 11), (1, 10), (2, 9), (3, 8), (13, 24), (14, 23), (15, 22), (16, 21)]


def map_of(pairs: dict, length: int = len(SEQUENCE)) -> np.ndarray:
    matrix = np.zeros((length, length))
    for (i, j), value in pairs.items():
        matrix[i, j] = matrix[j, i] = value
    return matrix


def test_without_rivals_all_find_the_stems():
    probabilities = map_of(dict.fromkeys(STEMS, 0.9))
    assert assignment(probabilities, SEQUENCE) == STEMS
    logits = np.where(probabilities > 0, 6.0, -6.0)
    assert unrolled(logits, SEQUENCE) == STEMS


def test_the_assignment_drops_rivals_that_a_matching_keeps():
    rng = np.random.default_rng(3)
    sequence = "".join(rng.choice(list("ACGU"), 150))
    upper = np.triu(np.where(rng.random((150, 150)) < 0.02, rng.uniform(0.5, 1, (150, 150)), 0), 1)
    probabilities = upper + upper.T
    total = {f: sum(probabilities[pair] for pair in f(probabilities, sequence, 0.5)) for f in (assignment, matching)}
    assert total[assignment] < 0.7 * total[matching]


@given(seed=st.integers(0, 10**6), length=st.integers(1, 80), threshold=st.sampled_from([0.3, 0.5, 0.8]))
@settings(max_examples=40, deadline=None)
def test_a_matching_is_never_lighter_than_the_assignment(seed, length, threshold):
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("ACGU"), length))
    upper = np.triu(rng.random((length, length)), 1)
    probabilities = upper + upper.T
    total = {}
    for decoder in (assignment, matching):
        pairs = decoder(probabilities, sequence, threshold)
        bases = [base for pair in pairs for base in pair]
        assert len(bases) == len(set(bases)) and all(j - i >= 4 for i, j in pairs)
        total[decoder] = sum(probabilities[pair] for pair in pairs)
    assert total[matching] >= total[assignment] - 1e-9


def test_the_unrolled_solver_knows_no_smallest_loop_but_pairs_only_canonical_bases():
    logits = np.full((6, 6), -6.0)
    for i, j in ((0, 1), (2, 3)):
        logits[i, j] = logits[j, i] = 6.0
    assert unrolled(logits, "GCAGAA") == [(0, 1)]


def test_the_unrolled_solver_leaves_a_base_one_partner():
    rng = np.random.default_rng(0)
    sequence = "".join(rng.choice(list("ACGU"), 80))
    logits = 2 * rng.standard_normal((80, 80)) - 1
    logits = (logits + logits.T) / 2
    strengths = constrained(logits, sequence)
    assert strengths == pytest.approx(strengths.T)
    bases = [base for pair in unrolled(logits, sequence) for base in pair]
    assert bases and len(bases) == len(set(bases))
