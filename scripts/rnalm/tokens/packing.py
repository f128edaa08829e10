"""Packed batches: sequences end to end in one stream, none padded to the length of another.

A model sees `(tokens,)` ids and the places where sequences begin; padded tensors exist only at
the boundary to libraries that want them (`from_padded`, `to_padded`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch


@dataclass(frozen=True)
class PackedBatch:
    """ids: (tokens,) int64; lengths: tokens of each sequence, special tokens included, in stream order.

    selected: (tokens,) bool, True where masked-language modelling selected the token, or None outside of it. Of a
    token that was selected and kept, the ids alone do not say so; a model that sees pairs must not see its pairs.
    """

    ids: torch.Tensor
    lengths: tuple[int, ...]
    selected: torch.Tensor | None = None

    @cached_property
    def cu_seqlens(self) -> torch.Tensor:
        """(sequences + 1,) int32: where each sequence begins, and the end of the last."""
        ends = np.cumsum((0, *self.lengths), dtype=np.int32)
        return torch.from_numpy(ends).to(self.ids.device)

    @cached_property
    def positions(self) -> torch.Tensor:
        """(tokens,) int64: position of each token in its own sequence, from 0."""
        return torch.arange(len(self.ids), device=self.ids.device) - self.per_token(self.cu_seqlens[:-1].long())

    def per_token(self, values: torch.Tensor) -> torch.Tensor:
        """(sequences, ...) -> (tokens, ...): every token gets its sequence's value."""
        repeats = torch.tensor(self.lengths, device=values.device)
        return values.repeat_interleave(repeats, dim=0, output_size=len(self.ids))

    def split(self, stream: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(tokens, ...) -> one (length, ...) view per sequence."""
        return stream.split(self.lengths)

    def to(self, device) -> "PackedBatch":
        selected = None if self.selected is None else self.selected.to(device, non_blocking=True)
        return PackedBatch(self.ids.to(device, non_blocking=True), self.lengths, selected)


def pack(encoded: list[np.ndarray], selected: np.ndarray | None = None) -> PackedBatch:
    """Encoded sequences (1-D integer arrays) -> one PackedBatch in the same order; selected: positions in it."""
    ids = torch.from_numpy(np.concatenate(encoded).astype(np.int64))
    mark = None
    if selected is not None:
        mark = torch.zeros(len(ids), dtype=torch.bool)
        mark[torch.from_numpy(selected)] = True
    return PackedBatch(ids, tuple(map(len, encoded)), mark)


def from_padded(ids: torch.Tensor, keep: torch.Tensor) -> PackedBatch:
    """(batch, T) ids and a (batch, T) mask, True at real tokens -> PackedBatch."""
    return PackedBatch(ids[keep], tuple(keep.sum(dim=1).tolist()))


def to_padded(stream: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """(tokens, d) -> (batch, T, d) with zeros where `keep` is False: the inverse of `from_padded`."""
    padded = stream.new_zeros(*keep.shape, *stream.shape[1:])
    padded[keep] = stream
    return padded


def token_budget_batches(lengths, budget: int) -> list[list[int]]:
    """Indices of sequences in batches of at most `budget` tokens (a longer one stands alone), longest first.

    Neighbours in length share a batch, so equal lengths can share one attention call.
    """
    batches, used = [], budget + 1
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if used + lengths[index] > budget:
            batches.append([])
            used = 0
        batches[-1].append(index)
        used += lengths[index]
    return batches
