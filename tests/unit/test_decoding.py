"""The greedy decoder against a literal restatement of the published procedure, and its promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.structure import greedy, score
from rnalm.structure.decoding import candidates
from rnalm.structure.tuning import THRESHOLDS, tune_threshold

CANONICAL = {"AU", "UA", "GC", "CG", "GU", "UG"}


def published(matrix, sequence, threshold):
    """RiNALMo's procedure, word by word, on an upper-cased sequence."""
    sequence = sequence.upper().replace("T", "U")
    left = matrix.copy()
    for i in range(len(sequence)):
        for j in range(len(sequence)):
            if abs(i - j) < 4 or sequence[i] + sequence[j] not in CANONICAL:
                left[i, j] = 0
    left[left <= threshold] = 0
    pairs = []
    while (left > 0).any():
        i, j = np.unravel_index(np.argmax(left), left.shape)
        pairs.append((int(min(i, j)), int(max(i, j))))
        left[[i, j], :] = 0
        left[:, [i, j]] = 0
    return sorted(pairs)


def symmetric(rng, length, levels):
    """A probability matrix; few levels make many ties."""
    upper = np.triu(rng.integers(0, levels, (length, length)) / levels, 1)
    return upper + upper.T


cases = st.builds(
    lambda seed, length, levels: (
        symmetric(np.random.default_rng(seed), length, levels),
        "".join(np.random.default_rng(seed + 1).choice(list("ACGUTNacgutRX"), length)),
    ),
    seed=st.integers(0, 2**32),
    length=st.integers(0, 40),
    levels=st.sampled_from([2, 5, 100, 10**6]),
)
thresholds = st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.5, 0.9, 1.0])


@settings(max_examples=150, deadline=None)
@given(cases, thresholds)
def test_equal_to_the_published_procedure(case, threshold):
    matrix, sequence = case
    assert greedy(matrix, sequence, threshold) == published(matrix, sequence, threshold)


@settings(max_examples=100, deadline=None)
@given(cases, thresholds)
def test_promises(case, threshold):
    matrix, sequence = case
    pairs = greedy(matrix, sequence, threshold)
    bases = [base for pair in pairs for base in pair]
    assert len(bases) == len(set(bases)), "one partner per base"
    rna = sequence.upper().replace("T", "U")
    for i, j in pairs:
        assert j - i >= 4
        assert rna[i] + rna[j] in CANONICAL
        assert matrix[i, j] > threshold


@settings(max_examples=60, deadline=None)
@given(cases)
def test_one_sweep_holds_every_higher_threshold(case):
    matrix, sequence = case
    pairs, strengths = candidates(matrix, sequence, THRESHOLDS[0])
    assert (np.diff(strengths) <= 0).all()
    for threshold in THRESHOLDS:
        kept = sorted(map(tuple, pairs[strengths > threshold].tolist()))
        assert kept == published(matrix, sequence, threshold)


def test_long_rna_in_single_precision():
    rng = np.random.default_rng(7)
    length = 600
    sequence = "".join(rng.choice(list("ACGU"), length))
    upper = np.triu(2 * rng.standard_normal((length, length)) - 7, 1).astype(np.float32)
    matrix = 1 / (1 + np.exp(-(upper + upper.T)))
    assert matrix.dtype == np.float32
    pairs = greedy(matrix, sequence, 0.1)
    assert len(pairs) > 100
    assert pairs == published(matrix, sequence, 0.1)


def test_lower_case_and_t_pair_like_upper_case_and_u():
    matrix = np.zeros((12, 12))
    for i, j in ((0, 11), (1, 10), (2, 9)):
        matrix[i, j] = matrix[j, i] = 0.9
    for sequence in ("GCAAAAAAAUGC", "gcaaaaaaaugc", "GCAAAAAAATGC", "gcaaaaaaatgc"):
        assert greedy(matrix, sequence, 0.5) == [(0, 11), (1, 10), (2, 9)]
    assert greedy(matrix, "GCNAAAAAANGC", 0.5) == [(0, 11), (1, 10)]


def test_hairpin_of_three_bases_is_the_shortest():
    matrix = np.full((5, 5), 0.9)
    assert greedy(matrix, "GAAAC", 0.5) == [(0, 4)]
    assert greedy(matrix[:4, :4], "GAAC", 0.5) == []


def test_shape_must_fit():
    with pytest.raises(ValueError):
        greedy(np.zeros((4, 4)), "ACGUA", 0.5)


def test_tuned_threshold_is_the_best_of_the_grid():
    assert len(THRESHOLDS) == 29 and THRESHOLDS[0] == 0.01 and THRESHOLDS[-1] == 0.29
    rng = np.random.default_rng(3)
    rnas = []
    for length in (30, 45, 60):
        sequence = "".join(rng.choice(list("ACGU"), length))
        matrix = symmetric(rng, length, 997) * 0.4
        true = [(i, j) for i, j in greedy(matrix, sequence, 0.21) if (i + j) % 3]
        rnas.append((sequence, matrix, true))
    means = [
        np.mean([score(published(m, s, threshold), true, len(s), relaxed=True)[2] for s, m, true in rnas])
        for threshold in THRESHOLDS
    ]
    decoded = [candidates(m, s, THRESHOLDS[0]) for s, m, _ in rnas]
    threshold, f1 = tune_threshold(decoded, [true for *_, true in rnas], [len(s) for s, *_ in rnas])
    assert f1 == pytest.approx(max(means), abs=1e-12)
    assert threshold == THRESHOLDS[int(np.argmax(means))]
