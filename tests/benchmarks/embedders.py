"""One way to embed RNAs, in a process of its own: python embedders.py WAY MODEL RNAS OUT

- packed, packed_bf16: the library's, as `rnalm embed` does it
- padded: the same encoder as RNA language models are commonly run: batches of BATCH in the order of the input, every
  RNA padded to the longest of its batch, pads masked in the attention; fp32. Layers and weights are the library's own,
  so that nothing but the padding differs.

MODEL is a model directory, RNAS a JSON list of sequences. The clock and the memory start after the model is loaded and
has embedded one RNA. Writes OUT.json, what it cost, and OUT.npy, the fp32 rows of all tokens in the order of the input.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import measure
import numpy as np
import torch
import torch.nn.functional as F
from rnalm.inference import LanguageModel
from rnalm.models import rinalmo
from rnalm.models.directory import load
from rnalm.models.ernie_rna import ErnieRna
from rnalm.models.rinalmo import Rinalmo
from rnalm.sequences.alphabet import normalise
from rnalm.tokens.packing import PackedBatch

BATCH = 32

Embed = Callable[[list[str]], list[np.ndarray]]


def packed(directory) -> Embed:
    return LanguageModel.from_directory(directory).hidden_states


def packed_bf16(directory) -> Embed:
    return LanguageModel.from_directory(directory, "bf16").hidden_states


def padded(directory) -> Embed:
    encoder = load(directory).encoder

    @torch.no_grad()
    def embed(sequences: list[str]) -> list[np.ndarray]:
        arrays = []
        for start in range(0, len(sequences), BATCH):
            encoded = [
                torch.from_numpy(encoder.tokeniser.encode(normalise(rna))) for rna in sequences[start : start + BATCH]
            ]
            lengths = [len(ids) for ids in encoded]
            keep = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
            ids = torch.full(keep.shape, encoder.tokeniser.tokens.index("<pad>"))
            ids[keep] = torch.cat(encoded).long()
            with PADS[type(encoder)](encoder, keep):
                hidden = encoder(PackedBatch(ids.flatten(), (keep.shape[1],) * len(keep)))
            arrays += [rows.numpy() for rows in hidden.unflatten(0, keep.shape)[keep].split(lengths)]
        return arrays

    return embed


@contextlib.contextmanager
def unseen_by_rinalmo(encoder: Rinalmo, keep: torch.Tensor):
    """No token attends to a pad; keep: (batch, T), False at pads."""

    def attention(q, k, v, batch, dropout: float) -> torch.Tensor:
        heads = (x.unflatten(0, keep.shape).transpose(1, 2) for x in (q, k, v))
        mixed = F.scaled_dot_product_attention(*heads, attn_mask=keep[:, None, None, :])
        return mixed.transpose(1, 2).flatten(0, 1)

    with mock.patch.object(rinalmo, "attention", attention):
        yield


@contextlib.contextmanager
def unseen_by_ernie_rna(encoder: ErnieRna, keep: torch.Tensor):
    """As `unseen_by_rinalmo`: the logits of pads start at minus infinity, and stay there."""

    def pair_logits(batch: PackedBatch):
        pairs = ErnieRna.pair_logits(encoder, batch, carried=max(batch.lengths))
        for part in pairs.parts:
            keys = keep.repeat_interleave(part.heads, dim=0).split(part.matrices_per_tile)
            for logits, kept in zip(part.tiles, keys, strict=True):
                logits.masked_fill_(~kept[:, None, :], -torch.inf)
        return pairs

    with mock.patch.object(encoder, "pair_logits", pair_logits):
        yield


PADS = {Rinalmo: unseen_by_rinalmo, ErnieRna: unseen_by_ernie_rna}
WAYS = {way.__name__: way for way in (packed, packed_bf16, padded)}


def main(way: str, directory: str, rnas: str, out: str) -> None:
    sequences = json.loads(Path(rnas).read_text())
    embed = WAYS[way](directory)
    embed([min(sequences, key=len)[:10]])
    arrays, cost = measure.work(lambda: embed(sequences))
    np.save(f"{out}.npy", np.concatenate(arrays))
    Path(f"{out}.json").write_text(json.dumps(cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
