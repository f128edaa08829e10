"""Two molecules as one sequence of tokens: what the heads of pair tasks read.

Each molecule begins with a `<cls>`. Tokenisers of letters write one anyway; RNAret's does not, and its published input
for a miRNA and its target is `<cls>`, the miRNA, `<cls>`, the target (official code DrBlackZJU/RNAret, `rri.py`), there
with padding up to 81 tokens.
"""

import numpy as np

from rnalm.tokens.tokeniser import Tokeniser


def encode_record(tokeniser: Tokeniser, sequence: str, partner: str = "") -> np.ndarray:
    """Ids of a sequence, or of a sequence and its partner, both 5' -> 3', one after the other."""
    if not partner:
        return tokeniser.encode(sequence)
    return np.concatenate([begun(tokeniser, part) for part in (sequence, partner)])


def begun(tokeniser: Tokeniser, sequence: str) -> np.ndarray:
    """Ids of one molecule, the first of them `<cls>`."""
    ids, first = tokeniser.encode(sequence), tokeniser.tokens.index("<cls>")
    return ids if ids[:1] == first else np.concatenate((np.array([first], ids.dtype), ids))
