"""What an encoder's tokens take from each other: whole maps of short RNAs, and what is read off them of any RNA.

A map is a (heads, tokens, tokens) tensor, row n what token n takes from every token: attention weights (RiNALMo), the
accumulated pair logits before their softmax (ERNIE-RNA), normalised retention scores of both signs (RNAret).

RNAret's paper reads two vectors off the last layer's map, means over the heads: the row of the first token, and the
means of the columns. With w_n = 1 / max(|sum over m of (q_n . k_m) g^|n-m||, sqrt(R_n)), both branches of the
normaliser in one,

    s_nm = w_n g^|n-m| (q_n . k_m)        mean over n of s_nm = 1/L sum over n of (k_m . q_n) g^|m-n| w_n

so the column sums are themselves a retention, of the weights, with queries and keys swapped: linear in length.
Facts of the maps: official code DrBlackZJU/RNAret; the linear form is derived here.
"""

from dataclasses import dataclass

import torch

from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna import ErnieRna
from rnalm.models.retention import Chunks, decayed_sums, powers
from rnalm.models.rnaret import STRETCH, Rnaret
from rnalm.tokens.packing import PackedBatch


@dataclass(frozen=True)
class Profile:
    """Of one sequence, in the last layer, means over the heads: first_row, column_means: (tokens,) fp32."""

    first_row: torch.Tensor
    column_means: torch.Tensor


@torch.no_grad()
def maps(encoder: Encoder, batch: PackedBatch) -> list[list[torch.Tensor]]:
    """Per sequence, per layer: the map. ERNIE-RNA has one more before the first layer, the bias of pairs."""
    return encoder.logit_maps(batch) if isinstance(encoder, ErnieRna) else encoder.attention_maps(batch)


@torch.no_grad()
def profiles(encoder: Encoder, batch: PackedBatch) -> list[Profile]:
    """The Profile of every sequence; of attention quadratic in length, of retention linear in time and memory."""
    if isinstance(encoder, Rnaret):
        return retention_profiles(*last_queries_and_keys(encoder, batch), encoder.chunks(batch), batch.lengths)
    return [dense_profile(layers[-1]) for layers in encoder.attention_maps(batch)]


def dense_profile(scores: torch.Tensor) -> Profile:
    """The Profile of a map, (heads, tokens, tokens)."""
    mean = scores.float().mean(dim=0)
    return Profile(mean[0], mean.mean(dim=0))


def last_queries_and_keys(encoder: Rnaret, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """q and k of the last layer, each (tokens, heads, key dim); the layers before in stretches, in bounded memory."""
    chunks, x = encoder.chunks(batch), encoder.embed(batch)
    stretches = list(chunks.stretches(STRETCH // chunks.size))
    for layer in encoder.layers[:-1]:
        layer.stream(x, stretches, lambda tokens: encoder.rotary(batch.positions[tokens]))
    _, q, k, _ = encoder.layers[-1].before(x, encoder.rotary(batch.positions))
    return q, k


def retention_profiles(q, k, chunks: Chunks, lengths: tuple[int, ...]) -> list[Profile]:
    """q, k: (tokens, heads, key dim) of a pack, k already scaled; chunks: those of the pack."""
    queries, keys = chunks.place(q).contiguous(), chunks.place(k).contiguous()
    row_sums, _ = decayed_sums(queries, keys, chunks.place(q.new_ones(*q.shape[:2], 1)), chunks)
    weights = 1 / row_sums.abs().maximum(chunks.roots)
    column_sums, _ = decayed_sums(keys, queries, chunks.place(weights), chunks)
    parts = zip(*(x.split(lengths) for x in (q, k, weights, column_sums)), strict=True)
    found = []
    for q_one, k_one, weight, sums in parts:
        decayed = powers(chunks.decay, torch.arange(len(k_one), device=k.device))
        row = torch.einsum("hd,mhd->hm", q_one[0].float(), k_one.float()) * decayed * weight[0]
        found.append(Profile(row.mean(dim=0), sums.mean(dim=(1, 2)) / len(k_one)))
    return found
