"""What the families' masked-language modelling has in common: 15 % selected; of these 80 % masked, 10 % replaced.

The rest of the selected keep their token. Random numbers are counted by (row, position), see `rnalm.randomness`.
"""

import numpy as np

SELECTED, MASKED, REPLACED = 0.15, 0.8, 0.1
MAXIMUM_LENGTH = 1 << 20


def counters(row: int, length: int) -> np.ndarray:
    """(length,) uint64: row and position in one counter; at most 2^20 positions."""
    return np.uint64(row) * np.uint64(MAXIMUM_LENGTH) + np.arange(length, dtype=np.uint64)


def conceal(ids, selected, fate, choice, mask: int, replacements: np.ndarray) -> np.ndarray:
    """A copy of `ids` in which the selected tokens are masked, replaced or kept.

    selected: (n,) positions; fate, choice: (n,) uniform in [0, 1): which of the three, and which replacement
    """
    masked = ids.copy()
    replacement = replacements[(choice * len(replacements)).astype(np.int64)]
    masked[selected] = np.where(fate < MASKED, mask, np.where(fate < MASKED + REPLACED, replacement, ids[selected]))
    return masked
