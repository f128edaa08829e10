"""ERNIE-RNA's tokeniser and masks: one token per nucleotide letter, `<cls>` before and `<eos>` after.

The alphabet is RNA: `T` is read as `U`. Ambiguity codes have the ids of pre-training; the published inference
scripts read N as `<unk>` (`extract_embedding.py`), as `N` (`predict_MRL.py`) or as padding (its training).
Masks fall on `<cls>` and `<eos>` too; replacements are any of the 21 ids from 4 on, as published.
Source: official code Bruce-ywj/ERNIE-RNA, `src/dict/dict.txt` and `tasks/ernie_rna.py`.
"""

import numpy as np

from rnalm.randomness import bits, uniform
from rnalm.randomness import key as derived
from rnalm.tokens.letters import LetterTokeniser
from rnalm.tokens.masking import SELECTED, conceal, counters

TOKENS = (
    *("<cls>", "<pad>", "<eos>", "<unk>"),
    *("G", "A", "U", "C", "N", "Y", "R", "S", "K", "W", "M", "D", "H", "V", "B", "X", "I"),
    *("madeupword0000", "madeupword0001", "madeupword0002", "<mask>"),
)
MASK = 24
REPLACEMENTS = np.arange(4, len(TOKENS), dtype=np.uint8)


def mask(ids: np.ndarray, row: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """One encoded sequence -> (ids with masks and replacements, indices of the selected positions).

    0.15 of the tokens, rounded up or down at random, without replacement; ids: (T,) uint8, at most 2^20.
    """
    places = counters(row, len(ids))
    rounding = uniform(derived(int(key), "number"), places[:1])
    number = int(SELECTED * len(ids) + rounding[0])
    selected = np.sort(np.argsort(bits(key, places), kind="stable")[:number])
    fate, choice = (uniform(derived(int(key), purpose), places[selected]) for purpose in ("fate", "choice"))
    return conceal(ids, selected, fate, choice, MASK, REPLACEMENTS), selected


TOKENISER = LetterTokeniser(TOKENS, "U", mask)
