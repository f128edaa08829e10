"""Pseudoknot-free decoding: the nested set of pairs with the largest sum of probabilities.

The dynamic program of Nussinov et al. (SIAM Journal on Applied Mathematics 35:68, 1978), with probabilities for
weights. Only cells above the threshold are candidates, so a row costs its candidates times its length. ViennaRNA's
MEA takes probabilities of one ensemble, whose sum over a base is at most 1; a network's may be more, where it fails.
"""

import numba
import numpy as np

from rnalm.structure.decoding import allowed


def nested(probabilities: np.ndarray, sequence: str, threshold: float) -> list[tuple[int, int]]:
    """Base pairs of an RNA: canonical, at least 4 nt apart, at most one partner per base, none crossing.

    probabilities: (L, L), symmetric; only cells i < j are read
    sequence:      L letters, U or T, either case
    threshold:     a pair needs a probability above it
    """
    cells, strengths = allowed(probabilities, sequence, threshold)
    # Cells come in row order: row i's candidates are cells[starts[i] : starts[i + 1]].
    starts = np.searchsorted(cells[:, 0], np.arange(len(sequence) + 1))
    best = fill(starts, cells[:, 1], strengths.astype(np.float64), len(sequence))
    return sorted(traceback(best, starts, cells[:, 1].tolist(), strengths.astype(np.float64)))


@numba.njit(cache=True)
def fill(starts, partners, weights, length):
    """best[i, j]: the largest sum of nested pairs within i ... j - 1; (L + 1, L + 1)."""
    best = np.zeros((length + 1, length + 1))
    for i in range(length - 1, -1, -1):
        for j in range(i + 1, length + 1):
            best[i, j] = best[i + 1, j]
        for cell in range(starts[i], starts[i + 1]):
            k = partners[cell]
            inside = weights[cell] + best[i + 1, k]
            for j in range(k + 1, length + 1):
                best[i, j] = max(best[i, j], inside + best[k + 1, j])
    return best


def traceback(best, starts, partners: list[int], weights) -> list[tuple[int, int]]:
    """The pairs behind best[0, L]; of equal choices the first: unpaired, then the nearest partner."""
    pairs, stretches = [], [(0, len(best) - 1)]
    while stretches:
        i, j = stretches.pop()
        while i < j and best[i, j] == best[i + 1, j]:
            i += 1
        if i == j:
            continue
        for cell in range(starts[i], starts[i + 1]):
            k = partners[cell]
            if k < j and weights[cell] + best[i + 1, k] + best[k + 1, j] == best[i, j]:
                pairs.append((i, k))
                stretches += [(i + 1, k), (k + 1, j)]
                break
    return pairs
