"""Self-attention over packed sequences: one function, which picks the fastest exact kernel there is.

Kernels, in order of preference:
- `flash_attn`: the variable-length kernel of the flash-attn package, which also has dropout
- `varlen`: torch's own variable-length kernel, which has none
- `jagged`: torch's SDPA on nested tensors, which on a GPU runs the same kernel with dropout, and in fp32 another one
- `by_length`: torch's SDPA, one call for every run of equally long sequences; what CPUs use
"""

import functools
from collections.abc import Callable
from itertools import groupby

import torch
import torch.nn.functional as F

from rnalm.tokens.packing import PackedBatch

HALF = (torch.float16, torch.bfloat16)
AMPERE = (8, 0)


def attention(q, k, v, batch: PackedBatch, dropout: float = 0.0) -> torch.Tensor:
    """softmax(q k^T / sqrt(head_dim)) v within every sequence of the pack.

    q, k, v: (tokens, heads, head_dim); dropout: probability on attention weights. Returns the shape of q.
    """
    return choose(q, dropout)(q, k, v, batch, dropout)


def choose(q, dropout: float) -> Callable:
    """The kernel for such queries."""
    if not q.is_cuda:
        return by_length
    return next(kernel for kernel in KERNELS if obstacle(kernel, q, dropout) is None)


def obstacle(kernel: Callable, q, dropout: float) -> str | None:
    """Why a kernel cannot take such queries; None if it can."""
    ampere = q.is_cuda and torch.cuda.get_device_capability(q.device) >= AMPERE
    wanted = {
        flash_attn: {
            "flash-attn is not installed": package() is not None,
            "needs a GPU, Ampere or newer": ampere,
            "takes fp16 and bf16 only": q.dtype in HALF,
        },
        varlen: {
            "needs a GPU, Ampere or newer": ampere,
            "takes fp16 and bf16 only": q.dtype in HALF,
            "takes heads of a multiple of 8 channels only": q.shape[-1] % 8 == 0,
            "has no dropout": dropout == 0,
        },
        jagged: {
            "needs a GPU, Ampere or newer, or a CPU": ampere or not q.is_cuda,
            "takes heads of a multiple of 8 channels only": q.shape[-1] % 8 == 0,
        },
        by_length: {},
    }
    return next((reason for reason, met in wanted[kernel].items() if not met), None)


def flash_attn(q, k, v, batch: PackedBatch, dropout: float = 0.0) -> torch.Tensor:
    longest = max(batch.lengths)
    return package()(q, k, v, batch.cu_seqlens, batch.cu_seqlens, longest, longest, dropout_p=dropout)


def varlen(q, k, v, batch: PackedBatch, dropout: float = 0.0) -> torch.Tensor:
    # Here: to import it takes a second.
    from torch.nn.attention.varlen import varlen_attn

    if dropout:
        raise ValueError("torch's varlen_attn has no dropout")
    longest = max(batch.lengths)
    return varlen_attn(q, k, v, batch.cu_seqlens, batch.cu_seqlens, longest, longest)


def jagged(q, k, v, batch: PackedBatch, dropout: float = 0.0) -> torch.Tensor:
    # With the extremes given, nothing is read back from the GPU.
    extremes = {"min_seqlen": min(batch.lengths), "max_seqlen": max(batch.lengths)}
    heads = (torch.nested.nested_tensor_from_jagged(x, batch.cu_seqlens, **extremes).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(*heads, dropout_p=dropout).transpose(1, 2).values()


def by_length(q, k, v, batch: PackedBatch, dropout: float = 0.0) -> torch.Tensor:
    """On views: consecutive sequences of one length form one batch, nothing is padded."""
    # The backward pass of torch's CPU kernel is up to four times slower in bf16 than in fp32.
    dtype, work = q.dtype, torch.float32 if q.device.type == "cpu" else q.dtype
    runs = [(length, len(list(run))) for length, run in groupby(batch.lengths)]
    sizes = [length * count for length, count in runs]
    outputs = []
    with torch.autocast(q.device.type, enabled=False):
        for (length, count), *parts in zip(runs, *(x.to(work).split(sizes) for x in (q, k, v)), strict=True):
            heads = (part.unflatten(0, (count, length)).transpose(1, 2) for part in parts)
            out = F.scaled_dot_product_attention(*heads, dropout_p=dropout)
            outputs.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(outputs).to(dtype)


KERNELS = (flash_attn, varlen, jagged, by_length)


@functools.cache
def package() -> Callable | None:
    """flash-attn's variable-length function, where the package is installed."""
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    return flash_attn_varlen_func


def attention_weights(q, k, lengths: tuple[int, ...]) -> list[torch.Tensor]:
    """The softmax weights themselves: one (heads, length, length) tensor per sequence. q, k as in `attention`."""
    scale = q.shape[-1] ** -0.5
    pairs = zip(q.split(lengths), k.split(lengths), strict=True)
    return [torch.einsum("ihd,jhd->hij", a * scale, b).softmax(dim=-1) for a, b in pairs]
