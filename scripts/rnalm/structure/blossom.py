"""Exact maximum-weight matching of pairing probabilities: the set of pairs with the largest sum of probabilities.

Each base has at most one partner and pairs may cross, as in greedy decoding, but no strong pair takes a base from two
pairs that are stronger together. RNAret's published decoder solves a bipartite assignment instead, in which a pair
counts twice and rivals drop each other; a general graph needs blossoms (Galil, ACM Computing Surveys 18:23, 1986).

A trained model's map leaves most pairs without a rival: those are taken at once, the blossom algorithm sees the rest.
"""

import numpy as np
import rustworkx

from rnalm.structure.decoding import allowed

# The library takes whole-number weights; a probability below 2**-40 weighs nothing.
UNIT = 2.0**40


def matching(probabilities: np.ndarray, sequence: str, threshold: float) -> list[tuple[int, int]]:
    """Base pairs of an RNA: canonical, at least 4 nt apart, at most one partner per base, crossing allowed.

    probabilities: (L, L), symmetric; only cells i < j are read
    sequence:      L letters, U or T, either case
    threshold:     a pair needs a probability above it
    """
    cells, strengths = allowed(probabilities, sequence, threshold)
    rivals = np.bincount(cells.ravel(), minlength=len(sequence))
    alone = (rivals[cells] == 1).all(axis=1)
    pairs = cells[alone].tolist()
    if not alone.all():
        weights = (strengths[~alone].astype(np.float64) * UNIT).astype(np.int64)
        pairs += heaviest(cells[~alone], weights)
    return sorted((i, j) for i, j in pairs)


def heaviest(cells: np.ndarray, weights: np.ndarray) -> list[tuple[int, int]]:
    """Maximum-weight matching of edges (n, 2) with whole-number weights (n,)."""
    bases, renumbered = np.unique(cells, return_inverse=True)
    graph = rustworkx.PyGraph(multigraph=False)
    graph.add_nodes_from(bases.tolist())
    edges = renumbered.reshape(-1, 2)
    graph.add_edges_from(list(zip(*edges.T.tolist(), weights.tolist(), strict=True)))
    found = rustworkx.max_weight_matching(graph, weight_fn=int)
    return [tuple(sorted((int(bases[a]), int(bases[b])))) for a, b in found]
