"""RiNALMo (Penić et al., Nature Communications 16:5671, 2025) on packed sequences.

Notable about the model, and kept exactly:
- token dropout as in ESM, at inference too: masked positions are zeroed and every embedding is scaled by
  (1 - 0.15 * 0.8) / (1 - share of masked tokens), so 0.88 without masks
- the attention residual is added to the *normalised* input, the feed-forward residual is not
- rotary positions by halves, the angles in fp32; queries, keys, values and output without bias
- SwiGLU whose Swish has one learnable beta per block; hidden width int(2/3 * 4 * d)
- an untied language-model head: linear, exact GELU, LayerNorm, linear

Module names are those of the published state dict, so weights load without renaming.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.models.attention import attention, attention_weights
from rnalm.tokens.packing import PackedBatch
from rnalm.tokens.rinalmo import MASK, PAD, TOKENISER, TOKENS

MASKED_IN_TRAINING = 0.15 * 0.8
# Hidden widths that GPU matrix kernels are fast at: giga's is odd.
WIDTH_MULTIPLE = 64


@dataclass(frozen=True)
class RinalmoConfig:
    dim: int
    layers: int
    heads: int
    dropout: float = 0.1
    attention_dropout: float = 0.1
    vocabulary: int = len(TOKENS)
    rotary_base: float = 10000.0

    @property
    def hidden(self) -> int:
        return int(2 / 3 * 4 * self.dim)


class Rinalmo(nn.Module):
    tokeniser = TOKENISER

    def __init__(self, config: RinalmoConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim, padding_idx=PAD)
        self.transformer = Transformer(config)
        self.lm_mask_head = MaskHead(config)

    @property
    def blocks(self) -> nn.ModuleList:
        return self.transformer.blocks

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """Packed ids -> (tokens, d) representation after the final LayerNorm, `<cls>` and `<eos>` included."""
        return self.transformer(token_dropout(self.embedding(batch.ids), batch), batch)

    def levels(self, batch: PackedBatch) -> Iterator[torch.Tensor]:
        """The scaled embedding and the output of every block, the last after the final LayerNorm, each (tokens, d)."""
        x = token_dropout(self.embedding(batch.ids), batch)
        yield x
        *blocks, last = self.blocks
        rotary = self.transformer.rotary(batch)
        for block in blocks:
            x = block(x, rotary, batch)
            yield x
        yield self.transformer.final_layer_norm(last(x, rotary, batch))

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, d) -> (n, vocabulary)."""
        return self.lm_mask_head(hidden)

    def attention_maps(self, batch: PackedBatch) -> list[list[torch.Tensor]]:
        """Per sequence, per layer: (heads, length, length) attention weights."""
        maps, rotary = [[] for _ in batch.lengths], self.transformer.rotary(batch)
        for block, x in zip(self.blocks, self.levels(batch), strict=False):
            _, q, k, _ = block.before(x, rotary)
            for per_layer, weights in zip(maps, attention_weights(q, k, batch.lengths), strict=True):
                per_layer.append(weights)
        return maps


def token_dropout(x: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """(tokens, d) embeddings, masked positions zeroed, each sequence rescaled by its share of masked tokens.

    A sequence of nothing but `<mask>` has no finite scale, as in the published code.
    """
    masked = batch.ids == MASK
    lengths = torch.tensor(batch.lengths, device=x.device)
    share = torch.segment_reduce(masked.float(), "sum", lengths=lengths) / lengths
    scale = batch.per_token((1 - MASKED_IN_TRAINING) / (1 - share))
    return x * torch.where(masked, 0.0, scale).unsqueeze(1).to(x.dtype)


class Transformer(nn.Module):
    def __init__(self, config: RinalmoConfig):
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_layer_norm = nn.LayerNorm(config.dim)
        self.half = config.dim // config.heads // 2
        self.base = config.rotary_base

    def forward(self, x: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
        rotary = self.rotary(batch)
        for block in self.blocks:
            x = block(x, rotary, batch)
        return self.final_layer_norm(x)

    def rotary(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and sin, each (tokens, 1, 1, head_dim / 2) fp32."""
        exponent = torch.arange(self.half, device=batch.ids.device, dtype=torch.float32) / self.half
        angles = (batch.positions.float().unsqueeze(1) * self.base**-exponent)[:, None, None, :]
        return angles.cos(), angles.sin()


class Block(nn.Module):
    def __init__(self, config: RinalmoConfig):
        super().__init__()
        self.mh_attn = Attention(config)
        self.attn_layer_norm = nn.LayerNorm(config.dim)
        self.transition = Transition(config)
        self.out_layer_norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, rotary, batch: PackedBatch) -> torch.Tensor:
        y, q, k, v = self.before(x, rotary)
        return self.after(y, attention(q, k, v, batch, self.mh_attn.dropout if self.training else 0.0))

    def before(self, x, rotary) -> tuple[torch.Tensor, ...]:
        """(tokens, d) -> the normalised input, like x; queries, keys and values, each (tokens, heads, head_dim)."""
        y = self.attn_layer_norm(x)
        return y, *self.mh_attn.project(y, rotary)

    def after(self, y, mixed) -> torch.Tensor:
        """The normalised input (tokens, d) and the mixed values (tokens, heads, head_dim) -> (tokens, d)."""
        z = y + self.dropout(self.mh_attn.out_proj(mixed.flatten(1)))
        return z + self.dropout(self.transition(self.out_layer_norm(z)))


class Attention(nn.Module):
    def __init__(self, config: RinalmoConfig):
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.Wqkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.out_proj = nn.Linear(config.dim, config.dim, bias=False)

    def project(self, y, rotary) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(tokens, d) -> rotated queries, rotated keys, values, each (tokens, heads, head_dim)."""
        qkv = self.Wqkv(y).unflatten(1, (3, self.heads, -1))
        rotated = rotate(qkv[:, :2], *(table.to(qkv.dtype) for table in rotary))
        # A copy: a view would keep all of qkv for the backward pass.
        return rotated[:, 0], rotated[:, 1], qkv[:, 2].contiguous()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding on the last dimension, first half against second half."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Transition(nn.Sequential):
    """SwiGLU and the linear layer after it.

    Where it helps, the hidden width is filled up with units whose weights are zero: they are zero themselves and add
    zeros to outputs and gradients, so nothing changes. They are added to the weights at use, which copies 26 MB per
    block and pass in giga, and are no parameters: these, optimiser states, checkpoints and files know the published
    width alone.
    """

    def __init__(self, config: RinalmoConfig):
        super().__init__(SwiGLU(config), nn.Identity(), nn.Linear(config.hidden, config.dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        swiglu, _, out = self
        # A layer with an adapter is one of its own kind, and run as it is.
        filler = missing(out.in_features, x.device) if type(out) is nn.Linear else 0
        return linear(out, swiglu(x, filler), inputs=filler)


class SwiGLU(nn.Module):
    def __init__(self, config: RinalmoConfig):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(1))
        self.linear = nn.Linear(config.dim, config.hidden)
        self.linear_gate = nn.Linear(config.dim, config.hidden)

    def forward(self, x: torch.Tensor, filler: int) -> torch.Tensor:
        """(tokens, d) -> (tokens, hidden width and `filler` zeros)."""
        activated, gate = (linear(layer, x, outputs=filler) for layer in (self.linear, self.linear_gate))
        return activated * torch.sigmoid(self.beta * activated) * gate


def missing(width: int, device: torch.device) -> int:
    """Hidden units that are filled up on a device."""
    return -width % WIDTH_MULTIPLE if device.type == "cuda" else 0


def linear(layer: nn.Module, x: torch.Tensor, inputs: int = 0, outputs: int = 0) -> torch.Tensor:
    """A linear layer with so many inputs or outputs more, of zero weights."""
    if not inputs + outputs:  # F.pad would copy
        return layer(x)
    return F.linear(x, F.pad(layer.weight, (0, inputs, 0, outputs)), F.pad(layer.bias, (0, outputs)))


class MaskHead(nn.Module):
    def __init__(self, config: RinalmoConfig):
        super().__init__()
        self.linear1 = nn.Linear(config.dim, config.dim)
        self.layer_norm = nn.LayerNorm(config.dim)
        self.linear2 = nn.Linear(config.dim, config.vocabulary)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear2(self.layer_norm(F.gelu(self.linear1(x))))
