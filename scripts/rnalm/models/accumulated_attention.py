"""Attention whose logits add up over the layers: softmax(b + sum over m <= l of Q_m K_m^T) V in layer l (ERNIE-RNA).

b is a bias of token pairs that depends on their classes alone, b_h[i, j] = table_h[class i, class j]. Two exact ways:

- `Carried` keeps the running logits, a (T, T) matrix per head: least work where T is small.
- `Concatenated` keeps the queries and keys of all layers so far, since the sum of Q_m K_m^T is
  [Q_1 .. Q_l] [K_1 .. K_l]^T, and b = table[class i] . onehot(class j) is one more such term. It attends in tiles of
  queries, so no (T, T) matrix exists, not even for the backward pass.

The logits are summed in fp32 whatever the precision around.
"""

from itertools import groupby

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

# Longest sequence, in tokens, whose logits are carried.
CARRIED = 1024
# Logits of one tile: 64 MiB in fp32.
TILE = 1 << 24
# Carried logits of one tile on a CPU: 4 MiB, which stay in its cache from the product to the softmax.
CACHED = 1 << 20


class Carried:
    """tiles: the logits of the layers so far, (sequences * heads, T, T) fp32 in parts of at most TILE or CACHED."""

    def __init__(self, table: torch.Tensor, classes: torch.Tensor):
        limit = CACHED if table.device.type == "cpu" else TILE
        self.heads, self.matrices_per_tile = len(table), max(1, limit // classes.shape[1] ** 2)
        # A query's row of the table times a key's one-hot class.
        rows = table[:, classes].transpose(0, 1)
        one_hot = F.one_hot(classes, table.shape[1]).to(table.dtype)[:, None].expand_as(rows)
        self.tiles = [row @ key.mT for row, key in zip(self._tiled(rows), self._tiled(one_hot), strict=True)]

    def attend(self, q, k, v, dropout: float) -> torch.Tensor:
        """Add q k^T to the logits and attend by them; q, k, v: (sequences, heads, T, head_dim) -> like v."""
        outputs = []
        for logits, query, key, value in zip(self.tiles, *map(self._tiled, (q.float(), k.float(), v)), strict=True):
            # In place: the largest tensor there is, and no backward pass needs its former values.
            logits.baddbmm_(query, key.mT)
            weights = F.dropout(logits.softmax(dim=-1), dropout, dropout > 0)
            outputs.append(weights.to(v.dtype) @ value)
        return torch.cat(outputs).unflatten(0, (-1, self.heads))

    def matrices(self) -> torch.Tensor:
        """A copy of the logits: (sequences, heads, T, T)."""
        return torch.cat(self.tiles).unflatten(0, (-1, self.heads))

    def _tiled(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x.flatten(0, 1).split(self.matrices_per_tile)


class Concatenated:
    """q, k: (sequences, heads, T, classes + head_dim * layers so far) fp32."""

    def __init__(self, table: torch.Tensor, classes: torch.Tensor):
        one_hot = F.one_hot(classes, table.shape[1]).to(table.dtype)
        self.q = table[:, classes].transpose(0, 1)
        self.k = one_hot[:, None].expand_as(self.q)

    def attend(self, q, k, v, dropout: float) -> torch.Tensor:
        """As `Carried.attend`."""
        self.q, self.k = torch.cat((self.q, q.float()), dim=-1), torch.cat((self.k, k.float()), dim=-1)
        rows = max(1, TILE // (self.k.shape[0] * self.k.shape[1] * self.k.shape[2]))
        parts = [checkpoint(tile, part, self.k, v, dropout, use_reentrant=False) for part in self.q.split(rows, dim=2)]
        return torch.cat(parts, dim=2)


def tile(q, k, v, dropout: float) -> torch.Tensor:
    """Attention of some rows of queries."""
    weights = F.dropout((q @ k.mT).softmax(dim=-1), dropout, dropout > 0)
    return weights.to(v.dtype) @ v


class PairLogits:
    """Attention with accumulated logits in a pack: one `Carried` or `Concatenated` per run of equally long sequences.

    table: (heads, classes, classes) fp32; classes: (tokens,) int64, class of every token
    """

    def __init__(self, table: torch.Tensor, classes: torch.Tensor, lengths: tuple[int, ...], carried: int = CARRIED):
        self.runs = [(length, len(list(run))) for length, run in groupby(lengths)]
        self.sizes = [length * count for length, count in self.runs]
        shaped = [
            part.view(count, length) for part, (length, count) in zip(self._parts(classes), self.runs, strict=True)
        ]
        with torch.autocast(table.device.type, enabled=False):
            self.parts = [(Carried if part.shape[1] <= carried else Concatenated)(table, part) for part in shaped]

    def attend(self, q, k, v, dropout: float = 0.0) -> torch.Tensor:
        """q, already scaled, k, v of one layer: (tokens, heads, head_dim) -> like v."""
        outputs = []
        for part, (length, count), *streams in zip(self.parts, self.runs, *map(self._parts, (q, k, v)), strict=True):
            heads = (stream.unflatten(0, (count, length)).transpose(1, 2) for stream in streams)
            with torch.autocast(q.device.type, enabled=False):
                outputs.append(part.attend(*heads, dropout).transpose(1, 2).flatten(0, 1))
        return torch.cat(outputs)

    def matrices(self) -> list[torch.Tensor]:
        """A copy of the logits so far, where they are carried: one (heads, T, T) fp32 tensor per sequence."""
        return [logits for part in self.parts for logits in part.matrices()]

    def _parts(self, stream: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return stream.split(self.sizes)
