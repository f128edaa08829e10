"""Exact maximum-weight matching of pairing probabilities: the set of pairs with the largest sum of probabilities.

Each base has at most one partner and pairs may cross, as in greedy decoding, but no strong pair takes a base from two
pairs that are stronger together. Every canonical pair is one of a purine and a pyrimidine, so that the pairs form a
bipartite graph, and a linear sum assignment of purines to pyrimidines (Crouse, IEEE Transactions on Aerospace and
Electronic Systems 52:1679, 2016) is this very matching. RNAret's published decoder assigns all bases to all bases
instead, where each counts twice and rivals drop each other.

A trained model's map leaves most pairs without a rival: those are taken at once, the assignment sees the rest.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from rnalm.structure.decoding import allowed


def matching(probabilities: np.ndarray, sequence: str, threshold: float) -> list[tuple[int, int]]:
    """Base pairs of an RNA: canonical, at least 4 nt apart, at most one partner per base, crossing allowed.

    probabilities: (L, L), symmetric; only cells i < j are read
    sequence:      L letters, U or T, either case
    threshold:     a pair needs a probability above it
    """
    cells, strengths = allowed(probabilities, sequence, threshold)
    rivals = np.bincount(cells.ravel(), minlength=len(sequence))
    alone = (rivals[cells] == 1).all(axis=1)
    chosen = cells[alone].tolist()
    if not alone.all():
        purine = np.isin(np.frombuffer(sequence.encode("ascii"), dtype=np.uint8), list(b"AGag"))
        chosen += heaviest(cells[~alone], strengths[~alone], purine)
    return sorted(map(tuple, chosen))


def heaviest(cells: np.ndarray, strengths: np.ndarray, purine: np.ndarray) -> list[tuple[int, int]]:
    """Maximum-weight matching of pairs (n, 2) with strengths (n,) above 0; purine: (L,) whether a base is one."""
    swapped = np.where(purine[cells[:, :1]], cells, cells[:, ::-1])
    purines, rows = np.unique(swapped[:, 0], return_inverse=True)
    pyrimidines, columns = np.unique(swapped[:, 1], return_inverse=True)
    table = np.zeros((len(purines), len(pyrimidines)))
    table[rows, columns] = strengths
    rows, columns = linear_sum_assignment(table, maximize=True)
    found = zip(purines[rows], pyrimidines[columns], table[rows, columns] > 0, strict=True)
    return [(int(min(a, b)), int(max(a, b))) for a, b, pairs in found if pairs]
