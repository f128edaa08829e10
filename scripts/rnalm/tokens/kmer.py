"""RNAret's tokeniser and masks: token i is the k-mer centred on nucleotide i, no special tokens around.

The alphabet is A, T, C, G in this order, `U` is read as `T`; a k-mer with any other letter is `<unk>`, and the
k // 2 nucleotides at either end, which centre no k-mer, are `<fil>`. A sequence shorter than k is all `<fil>`.
Masks are windows of k tokens, `<fil>` included, anywhere with replacement. The published code draws replacements
from ids shifted by one (the unassigned id 5 can appear, the last k-mer never does); here they are the k-mers.
Source: official code DrBlackZJU/RNAret, `pretrain.py`.
"""

import math
from itertools import product

import numpy as np

from rnalm.randomness import key as derived
from rnalm.randomness import uniform
from rnalm.tokens.masking import SELECTED, conceal, counters

SPECIAL = ("<pad>", "<fil>", "<unk>", "<cls>", "<mask>", "<unused>")
PAD, FIL, UNKNOWN, CLS, MASK, _UNUSED = range(6)
ALPHABET = "ATCG"
# An even k has no centre, and the ids of a larger one need more than 16 bits.
SIZES = (1, 3, 5, 7)

_DIGITS = np.full(256, len(ALPHABET), dtype=np.uint8)
for _digit, _letter in enumerate(ALPHABET):
    _DIGITS[[ord(_letter), ord(_letter.lower())]] = _digit
_DIGITS[[ord("U"), ord("u")]] = ALPHABET.index("T")


class KmerTokeniser:
    """k: one of SIZES; ValueError for another."""

    pad = PAD
    thymine = "T"
    nucleotides = slice(None)

    def __init__(self, k: int):
        if k not in SIZES:
            raise ValueError(f"k {k!r} is not one of {SIZES}")
        self.k = k
        self.tokens = (*SPECIAL, *map("".join, product(ALPHABET, repeat=k)))

    def encode(self, sequence: str) -> np.ndarray:
        """Sequence of L letters -> L ids (uint16)."""
        digits = _DIGITS[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
        ids = np.full(len(digits), FIL, dtype=np.uint16)
        if len(digits) < self.k:
            return ids
        windows = np.lib.stride_tricks.sliding_window_view(digits, self.k)
        numbers = windows.astype(np.uint16) @ (len(ALPHABET) ** np.arange(self.k, dtype=np.uint16)[::-1])
        known = (windows < len(ALPHABET)).all(axis=1)
        ids[self.k // 2 : len(ids) - self.k // 2] = np.where(known, len(SPECIAL) + numbers, UNKNOWN)
        return ids

    # A window of a longer molecule has no tokens fewer: there are no special ones.
    encode_fragment = encode

    def mask(self, ids: np.ndarray, row: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray]:
        """One encoded sequence -> (ids with masks and replacements, indices of the selected positions).

        ceil(0.15 L / k) windows; what becomes of a token is drawn per token. ids: (L,), at most 2^20 tokens.
        """
        places = counters(row, len(ids))
        starts = uniform(key, places[: math.ceil(SELECTED * len(ids) / self.k)])
        starts = (starts * max(1, len(ids) - self.k + 1)).astype(np.int64)
        selected = np.unique(starts[:, None] + np.arange(min(self.k, len(ids))))
        fate, choice = (uniform(derived(int(key), purpose), places[selected]) for purpose in ("fate", "choice"))
        replacements = np.arange(len(SPECIAL), len(self.tokens), dtype=np.uint16)
        return conceal(ids, selected, fate, choice, MASK, replacements), selected
