"""The decoders that ERNIE-RNA and RNAret were published with, and that their published heads are read by.

`greedy` (decoding.py) is RiNALMo's. Both below have properties that are no advantage: the assignment drops both of two
rivals, and the unrolled solver knows no smallest loop. `greedy`, `matching` and `nested` have neither.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from rnalm.structure.decoding import CANONICAL, CODES, allowed

STEPS = 100
SHIFT = 1.5  # logit that the solver starts from
STEP_PAIRS, STEP_MULTIPLIERS = 0.01, 0.1  # of the first step; each further one is 1 % shorter
DECAY = 0.99
SPARSITY = 1.6


def assignment(probabilities: np.ndarray, sequence: str, threshold: float = 0.5) -> list[tuple[int, int]]:
    """RNAret's decoder (official code: `ssp.py`, 154-195): linear sum assignment, mutual choices only.

    Arguments and result as for `greedy`. A base that keeps several partners takes the one with the lowest number.
    """
    cells, strengths = allowed(probabilities, sequence, threshold)
    lower = np.zeros((len(sequence), len(sequence)))
    lower[cells[:, 1], cells[:, 0]] = strengths
    rows, columns = linear_sum_assignment(lower, maximize=True)
    assigned = np.empty(len(sequence), dtype=int)
    assigned[rows] = columns
    mutual = [(c, r) for r, c in zip(rows, columns, strict=True) if c < r and assigned[c] == r and lower[r, c] > 0]
    return first_partners(mutual)


def first_partners(pairs) -> list[tuple[int, int]]:
    """Of pairs that share a base, the first in order of their bases."""
    taken, kept = set(), []
    for i, j in sorted((int(i), int(j)) for i, j in pairs):
        if not taken & {i, j}:
            kept.append((i, j))
            taken |= {i, j}
    return kept


def unrolled(logits: np.ndarray, sequence: str, threshold: float = 0.5) -> list[tuple[int, int]]:
    """ERNIE-RNA's decoder (official code: `predict_ss_rna.py`, 40-92, 128-188, 205): pairs above a threshold, greedily.

    logits: (L, L), symmetric, before the sigmoid. Returns pairs i < j; canonical, with no smallest loop.
    """
    strengths = constrained(np.asarray(logits, dtype=np.float64), sequence)
    i, j = np.nonzero(np.triu(strengths, 1) > threshold)
    order = np.argsort(-strengths[i, j], kind="stable")
    taken, pairs = set(), []
    for a, b in zip(i[order].tolist(), j[order].tolist(), strict=True):
        if not taken & {a, b}:
            pairs.append((a, b))
            taken |= {a, b}
    return sorted(pairs)


def constrained(logits: np.ndarray, sequence: str) -> np.ndarray:
    """(L, L) pair strengths after the unrolled primal-dual steps that push every base towards one partner."""
    codes = CODES[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]
    mask = CANONICAL[np.ix_(codes, codes)].astype(float)

    def strength(a):
        square = a * a
        return mask * (square + square.T) / 2

    u = soft_sign(logits - SHIFT) * logits
    a = sigmoid(u) * soft_sign(u - SHIFT)
    multipliers = np.maximum(strength(a).sum(1) - 1, 0)
    pairs_step, multipliers_step = STEP_PAIRS, STEP_MULTIPLIERS
    for _ in range(STEPS):
        excess = strength(a).sum(1) - 1
        gradient = (multipliers * soft_sign(excess))[:, None] - u / 2
        a = a - pairs_step * a * mask * (gradient + gradient.T)
        pairs_step *= DECAY
        a = np.maximum(np.abs(a) - SPARSITY * pairs_step, 0)
        multipliers = multipliers + multipliers_step * np.maximum(strength(a).sum(1) - 1, 0)
        multipliers_step *= DECAY
    return strength(a)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def soft_sign(x: np.ndarray) -> np.ndarray:
    return sigmoid(2 * x)
