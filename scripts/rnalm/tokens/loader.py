"""From a draw's rows to each process's packed micro-batches.

Row r of an epoch belongs to global batch r // batch_size, whatever the number of processes: to resume is to
start reading at a row. Every process sees the whole global batch, takes its share by cost (not by count) and
cuts it into micro-batches under a token budget, so that no process waits long for another.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from rnalm.tokens.packing import PackedBatch, pack, token_budget_batches
from rnalm.tokens.tokeniser import Tokeniser

# Matrix kernels are prepared once per shape: a few shapes instead of a new one for every micro-batch.
TOKEN_MULTIPLE, SELECTED_MULTIPLE = 256, 64
IGNORED = -100


@dataclass(frozen=True)
class MaskedBatch:
    """selected: (n,) int64 positions in the packed stream; targets: (n,) int64 their true ids.

    The stream is rounded up by one segment of padding that nothing attends to, and the selection by targets of
    -100, which the loss ignores.
    """

    batch: PackedBatch
    selected: torch.Tensor
    targets: torch.Tensor

    def to(self, device) -> "MaskedBatch":
        moved = (part.to(device, non_blocking=True) for part in (self.selected, self.targets))
        return MaskedBatch(self.batch.to(device), *moved)


@dataclass(frozen=True)
class GlobalBatch:
    """One optimiser step: tokens and selected count all processes, micro_batches are this process's own."""

    micro_batches: list[MaskedBatch]
    tokens: int
    selected: int


def global_batches(shards: list[Path], batch_size: int, first_row: int = 0) -> Iterator[pl.DataFrame]:
    """Rows of one draw in training order, `batch_size` at a time (the last may be shorter), from `first_row` on.

    `first_row` must be a multiple of `batch_size`.
    """
    rest = pl.DataFrame()
    seen = 0
    for shard in shards:
        height = pl.scan_parquet(shard).select(pl.len()).collect().item()
        skip = min(max(first_row - seen, 0), height)
        seen += height
        if skip == height:
            continue
        rest = (
            pl.concat([rest, pl.read_parquet(shard).slice(skip)]) if len(rest) else pl.read_parquet(shard).slice(skip)
        )
        while len(rest) >= batch_size:
            yield rest.head(batch_size)
            rest = rest.slice(batch_size)
    if len(rest):
        yield rest


def prepare(
    rows: pl.DataFrame, tokeniser: Tokeniser, key: np.uint64, rank: int, world_size: int, token_budget: int
) -> GlobalBatch:
    """Mask all rows of a global batch and pack this process's share.

    rows: columns row, sequence, is_fragment; key: the mask key of the epoch; token_budget: tokens per micro-batch.
    """
    clean = [
        tokeniser.encode_fragment(sequence) if is_fragment else tokeniser.encode(sequence)
        for sequence, is_fragment in rows.select("sequence", "is_fragment").iter_rows()
    ]
    masked = [tokeniser.mask(ids, row, key) for ids, row in zip(clean, rows["row"], strict=True)]
    lengths = [len(ids) for ids in clean]
    share = shares(lengths, world_size)[rank]
    micro_batches = []
    for members in token_budget_batches([lengths[i] for i in share], token_budget):
        members = [share[i] for i in members]
        micro_batches.append(pack_masked([clean[i] for i in members], [masked[i] for i in members], tokeniser.pad))
    # The loss is divided by it: a rest of very few, short sequences may have none.
    selected = max(1, sum(len(selected) for _, selected in masked))
    return GlobalBatch(micro_batches or [idle(tokeniser.pad)], sum(lengths), selected)


def pack_masked(clean: list[np.ndarray], masked: list[tuple[np.ndarray, np.ndarray]], pad: int) -> MaskedBatch:
    """Encoded sequences and what `Tokeniser.mask` made of them -> one micro-batch."""
    starts = np.cumsum([0, *map(len, clean[:-1])])
    selected = np.concatenate([start + where for start, (_, where) in zip(starts, masked, strict=True)])
    targets = np.concatenate([ids[where] for ids, (_, where) in zip(clean, masked, strict=True)]).astype(np.int64)
    filler = np.full(-sum(map(len, clean)) % TOKEN_MULTIPLE, pad, dtype=np.uint8)
    missing = -len(selected) % SELECTED_MULTIPLE
    return MaskedBatch(
        pack([ids for ids, _ in masked] + ([filler] if len(filler) else []), selected),
        torch.from_numpy(np.pad(selected, (0, missing))),
        torch.from_numpy(np.pad(targets, (0, missing), constant_values=IGNORED)),
    )


def idle(pad: int) -> MaskedBatch:
    """Padding alone, every target ignored: for a process without a sequence, which must yet reduce gradients."""
    padding = pack([np.full(TOKEN_MULTIPLE, pad, dtype=np.uint8)])
    nowhere = torch.zeros(SELECTED_MULTIPLE, dtype=torch.int64)
    return MaskedBatch(padding, nowhere, torch.full_like(nowhere, IGNORED))


def shares(lengths: list[int], world_size: int) -> list[list[int]]:
    """Indices of a global batch for each process: the longest first, each to the least loaded process.

    Cost of a sequence in units of its linear layers: attention adds length / 8,000 of them (RiNALMo giga:
    3.97 GFLOP per token at 128, 4.42 at 1,024 tokens).
    """
    heap = [(0.0, rank, []) for rank in range(world_size)]
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        load, rank, members = heapq.heappop(heap)
        members.append(index)
        heapq.heappush(heap, (load + lengths[index] * (1 + lengths[index] / 8000), rank, members))
    return [members for _, _, members in sorted(heap, key=lambda entry: entry[1])]
