"""RiNALMo's tokeniser and masks: one token per nucleotide letter, `<cls>` before and `<eos>` after.

The alphabet is DNA: `U` is read as `T`, any other unknown letter (X too) as `<unk>`. Every nucleotide is selected
with probability 0.15; replacements come from A, C, G, T and N (paper, appendix A).
Source: official code lbcb-sci/RiNALMo, `rinalmo/data/constants.py` and `rinalmo/data/alphabet.py`.
"""

import numpy as np

from rnalm.randomness import bits
from rnalm.tokens.letters import LetterTokeniser
from rnalm.tokens.masking import SELECTED, conceal, counters

TOKENS = (
    *("<cls>", "<pad>", "<eos>", "<unk>", "<mask>"),
    *("A", "C", "G", "T", "I", "R", "Y", "K", "M", "S", "W", "B", "D", "H", "V", "N", "-"),
)
CLS, PAD, EOS, UNKNOWN, MASK = range(5)
REPLACEMENTS = np.array([TOKENS.index(letter) for letter in "ACGTN"], dtype=np.uint8)


def mask(ids: np.ndarray, row: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """One encoded sequence -> (ids with masks and replacements, indices of the selected positions).

    ids: (length,) uint8, at most 2^20 tokens; special tokens are never selected.
    """
    random = bits(key, counters(row, len(ids)))
    # One number says all: its high bits whether and what, its low eleven which replacement.
    share = (random >> np.uint64(11)) * 2.0**-53
    selected = np.flatnonzero((share < SELECTED) & (ids > MASK))
    choice = (random[selected] & np.uint64(0x7FF)) * 2.0**-11
    return conceal(ids, selected, share[selected] / SELECTED, choice, MASK, REPLACEMENTS), selected


TOKENISER = LetterTokeniser(TOKENS, "T", mask)
