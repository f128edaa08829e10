"""Bidirectional retention over packed sequences: a quadratic reference form and a linear-time form equal to it.

    s_nm = (q_n . k_m) g^|n-m| / sqrt(R_n)        R_n = sum over m of g^|n-m|
    y_n  = sum over m of s_nm v_m / max(|sum over m of s_nm|, 1)

with one decay g per head. The normaliser is the *signed* row sum, so it is itself a retention: of a column of ones
beside the values. The linear form cuts every sequence into chunks of C tokens. Within a chunk it computes all pairs;
between chunks it carries two states, from the left and from the right, as `F_next = g^C F + sum of g^(C-1-a) k_a v_a`.
All powers are at most one. Given the states at its two ends, a stretch of chunks can be computed by itself: so that
a sequence of any length streams through in bounded memory (`models.rnaret`).

The denominator carries no gradient, as published. Everything is computed in fp32 whatever the precision around.
Sources: official code DrBlackZJU/RNAret, `retnet.py` (the quadratic form); Sun et al., arXiv 2307.08621 (chunks).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

CHUNK = 128
# Chunks whose states are summed by one matrix product.
SCANNED = 32


def decays(heads: int) -> torch.Tensor:
    """(heads,) float64: g = 1 - 2^(-5-h)."""
    return 1 - 2.0 ** (-5 - torch.arange(heads, dtype=torch.float64))


def powers(decay: torch.Tensor, exponents: torch.Tensor) -> torch.Tensor:
    """decay (heads,) float64 to every exponent, both on one device -> (heads, *exponents.shape) fp32."""
    return decay.view(-1, *(1,) * exponents.dim()).pow(exponents).float()


def decay_sums(decay: torch.Tensor, lengths: tuple[int, ...]) -> torch.Tensor:
    """R_n of every token of a pack in closed form: (tokens, heads) float64."""
    places = torch.cat([torch.arange(length) for length in lengths])[:, None]
    rest = torch.cat([torch.arange(length, 0, -1) for length in lengths])[:, None]
    return (1 - decay ** (places + 1)) / (1 - decay) + (1 - decay**rest) / (1 - decay) - 1


def parallel(q, k, v, lengths: tuple[int, ...]) -> torch.Tensor:
    """The reference form, quadratic in length.

    q, k: (tokens, heads, key dim), k already scaled; v: (tokens, heads, value dim). Returns the shape of v.
    """
    with torch.autocast(q.device.type, enabled=False):
        pairs = zip(retention_scores(q, k, lengths), v.float().split(lengths), strict=True)
        return torch.cat([torch.einsum("hnm,mhv->nhv", scores, values) for scores, values in pairs]).to(v.dtype)


def retention_scores(q, k, lengths: tuple[int, ...]) -> list[torch.Tensor]:
    """What every token takes from every other, normalised: one (heads, length, length) fp32 tensor per sequence."""
    decay = decays(q.shape[1])
    roots = decay_sums(decay, lengths).sqrt().to(q.device, torch.float32).split(lengths)
    found = []
    with torch.autocast(q.device.type, enabled=False):
        for q_one, k_one, root in zip(q.float().split(lengths), k.float().split(lengths), roots, strict=True):
            places = torch.arange(len(q_one), device=q.device)
            scores = torch.einsum("nhd,mhd->hnm", q_one, k_one)
            scores *= powers(decay.to(q.device), places)[:, (places[:, None] - places).abs()]
            scores /= root.T[:, :, None]
            found.append(scores / scores.sum(dim=2, keepdim=True).abs().clamp(min=1).detach())
    return found


@dataclass(frozen=True)
class Chunks:
    """Where the tokens of a pack, or of a stretch of it, stand in a grid of chunks; no chunk has two sequences.

    slots: (tokens,) int64, place of each token in the grid, ascending; sequence: (chunks,) int64, its sequence;
    roots: (tokens, heads, 1) fp32, sqrt(R_n); decay: (heads,) float64; size: tokens per chunk; joined: whether any
    sequence of the pack has several chunks; within: (heads, 1, size, size) fp32, g^|a-b|; from_start: (heads, 1, size,
    1) fp32, g^a
    """

    slots: torch.Tensor
    sequence: torch.Tensor
    roots: torch.Tensor
    decay: torch.Tensor
    size: int
    joined: bool
    within: torch.Tensor
    from_start: torch.Tensor

    @classmethod
    def of(cls, lengths: tuple[int, ...], heads: int, size: int, device) -> "Chunks":
        decay, places = decays(heads), torch.arange(size, device=device)
        counts = torch.tensor([-(-length // size) for length in lengths])
        starts = (counts.cumsum(0) - counts) * size
        slots = torch.cat([start + torch.arange(length) for start, length in zip(starts, lengths, strict=True)])
        roots = decay_sums(decay, lengths).sqrt().to(device, torch.float32)[:, :, None]
        # Once: what a layer needs of it is computed where the layer is, without waiting for a GPU.
        decay = decay.to(device)
        return cls(
            slots=slots.to(device),
            sequence=torch.arange(len(lengths)).repeat_interleave(counts).to(device),
            roots=roots,
            decay=decay,
            size=size,
            joined=max(lengths) > size,
            within=powers(decay, (places[:, None] - places).abs())[:, None],
            from_start=powers(decay, places)[:, None, :, None],
        )

    def stretches(self, chunks: int) -> Iterator[tuple[slice, "Chunks"]]:
        """The grid in stretches of so many chunks, each with its range of tokens."""
        firsts = torch.arange(0, len(self.sequence), chunks, device=self.slots.device)
        bounds = [*torch.searchsorted(self.slots, firsts * self.size).tolist(), len(self.slots)]
        for first, start, end in zip(firsts.tolist(), bounds, bounds[1:], strict=False):
            tokens, sequence = slice(start, end), self.sequence[first : first + chunks]
            slots = self.slots[tokens] - first * self.size
            yield tokens, replace(self, slots=slots, sequence=sequence, roots=self.roots[tokens])

    def place(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, heads, n) -> (heads, chunks, size, n) fp32, zeros where a chunk has no token."""
        x, cells = x.float(), len(self.sequence) * self.size
        if len(x) < cells:
            x = x.new_zeros(cells, *x.shape[1:]).index_copy(0, self.slots, x)
        return x.unflatten(0, (-1, self.size)).permute(2, 0, 1, 3)

    def take(self, grid: torch.Tensor) -> torch.Tensor:
        """The inverse of `place`."""
        stream = grid.permute(1, 2, 0, 3).flatten(0, 1)
        return stream if len(stream) == len(self.slots) else stream.index_select(0, self.slots)

    @property
    def to_end(self) -> torch.Tensor:
        """(heads, 1, size, 1) fp32: g^(C-1-a)."""
        return self.from_start.flip(2)


# A state on its way along the stream, (heads, key dim, value dim + 1), and the sequence it belongs to.
Carry = tuple[torch.Tensor, torch.Tensor]


def chunkwise(q, k, v, chunks: Chunks, left: Carry | None = None, right: Carry | None = None):
    """Retention of a pack or a stretch of it, linear in length; equal to `parallel`, whose q, k and v it takes.

    left, right: what arrives from the chunks before and after the stretch. Returns (like v, what leaves to the right).
    """
    with torch.autocast(q.device.type, enabled=False):
        dtype, q, k, v = v.dtype, chunks.place(q).contiguous(), chunks.place(k).contiguous(), with_ones(chunks.place(v))
        mixed, left = decayed_sums(q, k, v, chunks, left, right)
        values, row_sums = mixed[..., :-1], mixed[..., -1:].detach()
        # One division for two: row sums and values are both without their 1 / sqrt(R_n).
        return (values / row_sums.abs().maximum(chunks.roots)).to(dtype), left


def decayed_sums(q, k, v, chunks: Chunks, left: Carry | None = None, right: Carry | None = None):
    """sum over m of (q_n . k_m) g^|n-m| v_m, not normalised: ((tokens, heads, n), what leaves to the right).

    q, k, v: as `Chunks.place` lays them out, (heads, chunks, size, -1) fp32
    """
    mixed = (q @ k.mT).mul_(chunks.within) @ v
    if chunks.joined:
        before, left = scan((k * chunks.to_end).mT @ v, chunks.sequence, chunks, left)
        after, _ = scan(((k * chunks.from_start).mT @ v).flip(1), chunks.sequence.flip(0), chunks, right)
        g = chunks.decay.float()[:, None, None, None]
        mixed += q * (g * chunks.from_start) @ before
        mixed += q * (g * chunks.to_end) @ after.flip(1)
    return chunks.take(mixed), left


def leaving_left(k, v, chunks: Chunks, right: Carry | None) -> Carry:
    """What a stretch hands on to the chunks before it."""
    with torch.autocast(k.device.type, enabled=False):
        states = (chunks.place(k).contiguous() * chunks.from_start).mT @ with_ones(chunks.place(v))
        return scan(states.flip(1), chunks.sequence.flip(0), chunks, right)[1]


def with_ones(v: torch.Tensor) -> torch.Tensor:
    """The values and a column of ones, whose retention is the row sum."""
    return F.pad(v, (0, 1), value=1.0)


def scan(states: torch.Tensor, sequence: torch.Tensor, chunks: Chunks, carry: Carry | None):
    """Decaying sums of the chunks before each chunk, in its own sequence.

    states: (heads, chunks, key dim, value dim), what every chunk adds; sequence: (chunks,), which it is part of.
    Returns (the sums, of the shape of states; the carry after the last chunk).
    """
    g = chunks.decay**chunks.size
    state, owner = carry or (states.new_zeros(states[:, 0].shape), sequence[:1] - 1)
    sums = []
    for added, part in zip(states.split(SCANNED, dim=1), sequence.split(SCANNED), strict=True):
        places = torch.arange(len(part), device=part.device)
        distance = (places[:, None] - places - 1).clamp(min=0)
        earlier = (part[:, None] == part) & (places[:, None] > places)
        mixing = powers(g, distance) * earlier
        reach = powers(g, places) * (part == owner)
        # The carried state is one more chunk before the first.
        every = torch.cat((state[:, None], added), dim=1).flatten(2)
        sums.append((torch.cat((reach[:, :, None], mixing), dim=2) @ every).unflatten(2, added.shape[2:]))
        state = g.float()[:, None, None] * sums[-1][:, -1] + added[:, -1]
        owner = part[-1:]
    return torch.cat(sums, dim=1), (state, owner)
