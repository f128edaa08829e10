"""What every family's tokeniser can do; `Encoder.tokeniser` is one.

Loader, masks, inference and model directories know tokens only through it.
"""

from typing import Protocol

import numpy as np


class Tokeniser(Protocol):
    """tokens: by id; pad: id of padding; thymine: the letter, T or U, under which tokens name both;
    nucleotides: where an encoded sequence has its nucleotides, between its special tokens if it has any."""

    tokens: tuple[str, ...]
    pad: int
    thymine: str
    nucleotides: slice

    def encode(self, sequence: str) -> np.ndarray:
        """Sequence of L letters -> its ids (unsigned integers), special tokens included."""

    def encode_fragment(self, sequence: str) -> np.ndarray:
        """Sequence of L letters, a window of a longer molecule -> L ids, without special tokens."""

    def mask(self, ids: np.ndarray, row: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray]:
        """The family's masked-language modelling of one encoded sequence.

        Returns (ids with masks and replacements, indices of the selected positions, ascending): a function of
        (key, row, position) alone, so that any process can compute the masks of any row.
        """
