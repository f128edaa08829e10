"""The one interface of all families: packed ids in, packed hidden states out.

Pre-training, fine-tuning, embedding and export know a model only through it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch

from rnalm.tokens.packing import PackedBatch
from rnalm.tokens.tokeniser import Tokeniser


class Block(Protocol):
    """One layer. Tokens see each other between its two parts, of which each takes every token by itself."""

    before: Callable
    after: Callable


class Encoder(Protocol):
    """A torch module.

    config: the family's dataclass, with at least `dim` (d), `layers` and `heads`; blocks: its layers, first to last
    """

    config: object
    tokeniser: Tokeniser
    blocks: Sequence[Block]

    def __call__(self, batch: PackedBatch) -> torch.Tensor:
        """Packed ids -> (tokens, d) representation, special tokens included."""

    def levels(self, batch: PackedBatch) -> Iterator[torch.Tensor]:
        """The embedding and what each layer makes of it, each (tokens, d); the last is the representation."""

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Representations of some tokens (n, d) -> (n, vocabulary) scores of the tokens that stand there."""

    def attention_maps(self, batch: PackedBatch) -> list[list[torch.Tensor]]:
        """Per sequence, per layer: (heads, length, length), what every token takes from every other."""
