"""Masked-language modelling: 15 % of the nucleotides, of which 80 % masked, 10 % replaced, 10 % kept.

Replacements come from A, C, G, T and N (paper, appendix A). Which tokens and what happens to them is
a function of (key, row, position) alone: any process can compute the masks of any row.
"""

import numpy as np

from rnalm.randomness import bits
from rnalm.tokens.rinalmo import MASK, REPLACEMENTS

SELECTED, MASKED, REPLACED = 0.15, 0.8, 0.1
MAXIMUM_LENGTH = 1 << 20


def mask(ids: np.ndarray, row: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """One encoded sequence -> (ids with masks and replacements, indices of the selected positions).

    ids: (length,) uint8, at most 2^20 tokens; special tokens are never selected.
    """
    # Row and position share one 64-bit counter.
    counters = np.uint64(row) * np.uint64(MAXIMUM_LENGTH) + np.arange(len(ids), dtype=np.uint64)
    random = bits(key, counters)
    share = (random >> np.uint64(11)) * 2.0**-53
    selected = np.flatnonzero((share < SELECTED) & (ids > MASK))
    masked = ids.copy()
    chosen, share = random[selected], share[selected] / SELECTED
    replacement = REPLACEMENTS[((chosen & np.uint64(0x7FF)) * np.uint64(len(REPLACEMENTS))) >> np.uint64(11)]
    masked[selected] = np.where(share < MASKED, MASK, np.where(share < MASKED + REPLACED, replacement, ids[selected]))
    return masked, selected
