"""Encoders that learn nothing: one-hot nucleotides and k-mers, what a language model has to beat.

Every head of sequences, tokens and pairs and the one fine-tuning loop run on them as on the others; they have no layers
to look into and predict no tokens. A token is the
one-hot of the k-mer centred on its nucleotide (RNAret's tokens, `tokens.kmer`): a head of tokens or pairs sees k // 2
neighbours on either side of it, and the mean of all tokens is the k-mer spectrum.
No token stands for the sequence: heads of sequences must pool by `mean`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.tokens.kmer import SPECIAL, KmerTokeniser
from rnalm.tokens.packing import PackedBatch


@dataclass(frozen=True)
class KmerConfig:
    """k: 1, 3, 5 or 7; dim, the tokens: 70 for k = 3, 1,030 for k = 5."""

    k: int = 3
    # No fields: a dataclass makes these of annotated names alone.
    layers = 0
    heads = 1

    @property
    def dim(self) -> int:
        return 4**self.k + len(SPECIAL)


@dataclass(frozen=True)
class OneHotConfig:
    """A letter each for A, C, G, T and any other (`<unk>`); dim 10, with the tokens of padding and the like."""

    k = 1
    layers = 0
    heads = 1
    dim = 4 + len(SPECIAL)


class Features(nn.Module):
    blocks = ()

    def __init__(self, config: KmerConfig | OneHotConfig):
        super().__init__()
        self.config = config
        self.tokeniser = KmerTokeniser(config.k)

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """Packed ids -> (tokens, d), one-hot."""
        return F.one_hot(batch.ids, self.config.dim).float()
