"""The exact decoders: against brute force, against the greedy one, and where they must differ from it."""

import itertools

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.structure import greedy, matching, nested
from rnalm.structure.decoding import CANONICAL, CODES, allowed


def random_map(seed: int, length: int, spread: float = 2.0):
    """(symmetric probabilities, sequence) with many rivals."""
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("ACGU"), length))
    upper = np.triu(1 / (1 + np.exp(1 - spread * rng.standard_normal((length, length)))), 1)
    return upper + upper.T, sequence


def total(probabilities, pairs) -> float:
    return sum(probabilities[i, j] for i, j in pairs)


def assert_structure(pairs, probabilities, sequence, threshold):
    cells = {tuple(cell) for cell in allowed(probabilities, sequence, threshold)[0].tolist()}
    assert set(pairs) <= cells and pairs == sorted(pairs)
    bases = [base for pair in pairs for base in pair]
    assert len(bases) == len(set(bases))


def crossing(pairs) -> bool:
    return any(i < k < j < m for i, j in pairs for k, m in pairs)


def best_nested(cells: dict, i: int, j: int) -> float:
    """By plain recursion over all structures of bases i ... j."""
    if i >= j:
        return 0.0
    choices = [best_nested(cells, i + 1, j)]
    for k in range(i + 1, j + 1):
        if (i, k) in cells:
            choices.append(cells[i, k] + best_nested(cells, i + 1, k - 1) + best_nested(cells, k + 1, j))
    return max(choices)


@given(seed=st.integers(0, 10**6), length=st.integers(0, 40), threshold=st.sampled_from([0.1, 0.5, 0.8]))
@settings(max_examples=60, deadline=None)
def test_matching_is_the_heaviest_of_all(seed, length, threshold):
    probabilities, sequence = random_map(seed, length)
    pairs = matching(probabilities, sequence, threshold)
    assert_structure(pairs, probabilities, sequence, threshold)
    graph = networkx.Graph()
    for (i, j), strength in zip(*allowed(probabilities, sequence, threshold), strict=True):
        graph.add_edge(int(i), int(j), weight=float(strength))
    optimum = total(probabilities, networkx.max_weight_matching(graph))
    assert total(probabilities, pairs) == pytest.approx(optimum, abs=1e-9)
    assert total(probabilities, pairs) >= total(probabilities, greedy(probabilities, sequence, threshold)) - 1e-9


@given(seed=st.integers(0, 10**6), length=st.integers(8, 60), rivals=st.floats(0.005, 0.06))
@settings(max_examples=60, deadline=None)
def test_matching_of_few_rivals_with_ties_is_the_heaviest(seed, length, rivals):
    """Few pairs, many of one weight: what a trained model leaves, and where ties are."""
    rng = np.random.default_rng(seed)
    upper = np.triu(np.where(rng.random((length, length)) < rivals, rng.integers(1, 5, (length, length)) / 4, 0), 1)
    probabilities, sequence = upper + upper.T, "".join(rng.choice(list("GU"), length))
    pairs = matching(probabilities, sequence, 0.1)
    assert_structure(pairs, probabilities, sequence, 0.1)
    graph = networkx.Graph()
    for (i, j), strength in zip(*allowed(probabilities, sequence, 0.1), strict=True):
        graph.add_edge(int(i), int(j), weight=float(strength))
    assert total(probabilities, pairs) == total(probabilities, networkx.max_weight_matching(graph))


def test_every_canonical_pair_is_one_of_a_purine_and_a_pyrimidine():
    """Why an assignment is a matching here: no cycle of rivals is odd."""
    for a, b in itertools.product("ACGU", repeat=2):
        if CANONICAL[CODES[ord(a)], CODES[ord(b)]]:
            assert (a in "AG") != (b in "AG")


@given(seed=st.integers(0, 10**6), length=st.integers(0, 13))
@settings(max_examples=40, deadline=None)
def test_nested_is_the_heaviest_without_a_crossing(seed, length):
    probabilities, sequence = random_map(seed, length)
    pairs = nested(probabilities, sequence, 0.2)
    assert_structure(pairs, probabilities, sequence, 0.2)
    assert not crossing(pairs)
    cells, strengths = allowed(probabilities, sequence, 0.2)
    weights = {tuple(cell): float(value) for cell, value in zip(cells.tolist(), strengths, strict=True)}
    assert total(probabilities, pairs) == pytest.approx(best_nested(weights, 0, length - 1), abs=1e-9)


def test_a_strong_pair_does_not_take_two_that_are_stronger_together():
    sequence = "GGGGGGCAAAAAACCCCCC"
    probabilities = np.zeros((len(sequence), len(sequence)))
    for (i, j), value in {(1, 17): 0.9, (0, 17): 0.8, (1, 18): 0.8}.items():
        probabilities[i, j] = probabilities[j, i] = value
    assert greedy(probabilities, sequence, 0.5) == [(1, 17)]
    assert matching(probabilities, sequence, 0.5) == [(0, 17), (1, 18)]


def test_a_pseudoknot_is_kept_by_matching_and_cut_by_nested():
    sequence = "GGGGAAACCCCAAACCCCAAAGGGG"
    probabilities = np.zeros((len(sequence), len(sequence)))
    for (i, j), value in {(0, 17): 0.9, (1, 16): 0.9, (8, 24): 0.7}.items():
        probabilities[i, j] = probabilities[j, i] = value
    assert matching(probabilities, sequence, 0.5) == [(0, 17), (1, 16), (8, 24)]
    assert nested(probabilities, sequence, 0.5) == [(0, 17), (1, 16)]


def test_lower_case_and_u_and_t_are_one():
    probabilities, sequence = random_map(5, 60)
    for decoder in (matching, nested):
        wanted = decoder(probabilities, sequence, 0.3)
        assert wanted and decoder(probabilities, sequence.lower().replace("u", "t"), 0.3) == wanted


def test_a_map_of_another_size_is_refused():
    for decoder in (greedy, matching, nested):
        with pytest.raises(ValueError, match="shape"):
            decoder(np.zeros((5, 5)), "ACGU", 0.5)
