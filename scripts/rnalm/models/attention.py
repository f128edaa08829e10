"""Self-attention over packed sequences: one function, which picks the fastest exact kernel there is.

- CUDA, fp16/bf16, flash-attn installed: its variable-length kernel, which also has dropout.
- CUDA without dropout to apply: torch's own variable-length kernel.
- elsewhere (CPU, fp32 on a GPU): torch's SDPA, one call for every run of equally long sequences.
"""

import functools
from itertools import groupby

import torch
import torch.nn.functional as F

from rnalm.tokens.packing import PackedBatch


def attention(q, k, v, batch: PackedBatch, dropout: float = 0.0) -> torch.Tensor:
    """softmax(q k^T / sqrt(head_dim)) v within every sequence of the pack.

    q, k, v: (tokens, heads, head_dim); dropout: probability on attention weights. Returns the shape of q.
    """
    half = q.is_cuda and q.dtype in (torch.float16, torch.bfloat16)
    if half and _flash_attn() is not None:
        return _flash_attn()(
            *(q, k, v, batch.cu_seqlens, batch.cu_seqlens, max(batch.lengths), max(batch.lengths)), dropout_p=dropout
        )
    if half and dropout == 0.0:
        return _torch_varlen()(q, k, v, batch.cu_seqlens, batch.cu_seqlens, max(batch.lengths), max(batch.lengths))
    return sdpa_by_length(q, k, v, batch.lengths, dropout)


def sdpa_by_length(q, k, v, lengths: tuple[int, ...], dropout: float = 0.0) -> torch.Tensor:
    """`attention` by torch's SDPA on views: consecutive sequences of one length form one batch, nothing is padded."""
    # The backward pass of torch's CPU kernel is three times slower in bf16 than in fp32.
    dtype, work = q.dtype, torch.float32 if q.device.type == "cpu" else q.dtype
    runs = [(length, len(list(run))) for length, run in groupby(lengths)]
    sizes = [length * count for length, count in runs]
    outputs = []
    for (length, count), *parts in zip(runs, *(x.to(work).split(sizes) for x in (q, k, v)), strict=True):
        heads = (part.unflatten(0, (count, length)).transpose(1, 2) for part in parts)
        out = F.scaled_dot_product_attention(*heads, dropout_p=dropout)
        outputs.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(outputs).to(dtype)


def attention_weights(q, k, lengths: tuple[int, ...]) -> list[torch.Tensor]:
    """The softmax weights themselves: one (heads, length, length) tensor per sequence. q, k as in `attention`."""
    scale = q.shape[-1] ** -0.5
    pairs = zip(q.split(lengths), k.split(lengths), strict=True)
    return [torch.einsum("ihd,jhd->hij", a * scale, b).softmax(dim=-1) for a, b in pairs]


@functools.cache
def _flash_attn():
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    return flash_attn_varlen_func


@functools.cache
def _torch_varlen():
    from torch.nn.attention.varlen import varlen_attn

    return varlen_attn
