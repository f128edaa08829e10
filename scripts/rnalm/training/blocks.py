"""How the blocks of an encoder are run: compiled, or with less kept for the backward pass. The numbers are the same.

Both concern the parts of a block that take every token by itself, before and after tokens are mixed: attention and
retention have kernels of their own, which see the lengths of sequences, others in every batch.
"""

import functools

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from rnalm.errors import InputError
from rnalm.models.encoder import Encoder


def compile_blocks(encoder: Encoder) -> None:
    """By torch.compile, at the first batch: once for all blocks and all numbers of tokens. Weights keep their names."""
    for block in encoder.blocks:
        block.before = torch.compile(block.before, dynamic=True)
        block.after = torch.compile(block.after, dynamic=True)


def check_compiler(device: str) -> None:
    """InputError where torch.compile cannot work: for GPUs it needs Triton and a C compiler, for CPUs one of C++."""
    from torch._dynamo.exc import TorchDynamoException

    try:
        torch.compile(F.gelu)(torch.zeros(8, device=device))
    except TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        remedy = "install a C compiler (g++) or set it to false"
        raise InputError("pretrain.compile", f"torch.compile does not work here: {reason}", remedy) from None


def checkpoint_blocks(encoder: Encoder) -> None:
    """What follows the mixing keeps its input alone and is computed again, with the same dropout, where it is needed.

    It is most of what a block computes and keeps (RiNALMo: three quarters of a step's forward pass, done twice).
    """
    for block in encoder.blocks:
        block.after = functools.partial(checkpoint, block.after, use_reentrant=False)
