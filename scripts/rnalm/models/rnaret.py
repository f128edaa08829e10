"""RNAret (Communications Biology, doi 10.1038/s42003-026-09757-x) on packed sequences: linear in length.

Notable about the model, and kept exactly:
- no attention: bidirectional retention with a signed normaliser, one fixed decay per head (`models.retention`)
- rotation of adjacent pairs, 10000^(-j/(n-1)), the index from 0 in each sequence; no xPos scale
- pre-norm RMSNorm, all linears without bias; the retention's gate is SiLU, the feed-forward's GELU
- the representation is the residual stream, not normalised: what all published heads read; the final norm
  belongs to the untied output projection
- padding has a zero embedding and stays zero

The published code normalises by the padded length, here it is the sequence's own. Module names are those of the
published state dict, which has two tensors more, `retnet_rel_pos.angle` and `.decay`: see `computed_tensors`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.models.retention import CHUNK, Chunks, chunkwise, decays, leaving_left, retention_scores
from rnalm.tokens.kmer import PAD, KmerTokeniser
from rnalm.tokens.packing import PackedBatch

EPS = 1e-6
# Longest pack, in tokens, that goes through a layer at once without gradients.
WHOLE = 8192
# Tokens of a longer one that are in work at a time.
STRETCH = 2048


@dataclass(frozen=True)
class RnaretConfig:
    k: int
    dim: int
    value_dim: int
    hidden: int
    layers: int
    heads: int
    dropout: float = 0.2
    activation_dropout: float = 0.2


class Rnaret(nn.Module):
    def __init__(self, config: RnaretConfig):
        super().__init__()
        self.config = config
        self.tokeniser = KmerTokeniser(config.k)
        vocabulary = len(self.tokeniser.tokens)
        self.embed_tokens = nn.Embedding(vocabulary, config.dim, padding_idx=PAD)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.layer_norm = nn.RMSNorm(config.dim, EPS)
        self.output_projection = nn.Linear(config.dim, vocabulary, bias=False)
        nn.init.normal_(self.output_projection.weight, std=config.dim**-0.5)

    @property
    def blocks(self) -> nn.ModuleList:
        return self.layers

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """Packed ids -> (tokens, d) residual stream after the last layer.

        Without gradients a long pack goes through each layer in stretches of STRETCH tokens: beside the result it needs
        the same memory for any length.
        """
        chunks = self.chunks(batch)
        if not torch.is_grad_enabled() and len(batch.ids) > WHOLE:
            return self.stream(batch, chunks, STRETCH // chunks.size)
        x, rotary = self.embed(batch), self.rotary(batch.positions)
        for layer in self.layers:
            x = layer(x, rotary, chunks)
        return x

    def stream(self, batch: PackedBatch, chunks: Chunks, stretch: int) -> torch.Tensor:
        """`forward` in evaluation, each layer `stretch` chunks at a time."""
        positions, stretches = batch.positions, list(chunks.stretches(stretch))

        def rotary(tokens: slice):
            # Anew each time: the tables of all positions would take a quarter of what the result does.
            return self.rotary(positions[tokens])

        x = self.embed(batch)
        for layer in self.layers:
            layer.stream(x, stretches, rotary)
        return x

    def levels(self, batch: PackedBatch) -> Iterator[torch.Tensor]:
        """The embedding and the residual stream after every layer, each (tokens, d)."""
        chunks, x, rotary = self.chunks(batch), self.embed(batch), self.rotary(batch.positions)
        yield x
        for layer in self.layers:
            x = layer(x, rotary, chunks)
            yield x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, d) -> (n, vocabulary)."""
        return self.output_projection(self.layer_norm(hidden))

    def attention_maps(self, batch: PackedBatch) -> list[list[torch.Tensor]]:
        """Per sequence, per layer: (heads, length, length) retention scores, normalised; they have both signs."""
        maps, rotary = [[] for _ in batch.lengths], self.rotary(batch.positions)
        for layer, x in zip(self.layers, self.levels(batch), strict=False):
            _, q, k, _ = layer.before(x, rotary)
            for per_layer, scores in zip(maps, retention_scores(q, k, batch.lengths), strict=True):
                per_layer.append(scores)
        return maps

    def embed(self, batch: PackedBatch) -> torch.Tensor:
        return self.dropout(self.embed_tokens(batch.ids))

    def chunks(self, batch: PackedBatch, size: int = CHUNK) -> Chunks:
        """The pack in chunks of `size` tokens, or of its longest sequence where that is shorter."""
        return Chunks.of(batch.lengths, self.config.heads, min(size, max(batch.lengths)), batch.ids.device)

    def rotary(self, positions: torch.Tensor) -> torch.Tensor:
        """(tokens, 1, key dim / 2) complex64: turns by products in fp64, as fp32 would be 0.03 off at 1 Mnt."""
        turn = angles(self.config.dim // self.config.heads)[::2].to(positions.device, torch.float64)
        product = positions[:, None, None] * turn
        return torch.complex(product.cos().float(), product.sin().float())


def angles(head_dim: int) -> torch.Tensor:
    """(head_dim,) fp32: 10000^(-j/(n-1)) for j < n = head_dim / 2, each twice."""
    return (1 / 10000 ** torch.linspace(0, 1, head_dim // 2)).repeat_interleave(2)


def computed_tensors(config: RnaretConfig) -> dict[str, torch.Tensor]:
    """What the published state dict stores and this model computes."""
    return {
        "retnet_rel_pos.angle": angles(config.dim // config.heads),
        "retnet_rel_pos.decay": decays(config.heads).log().float(),
    }


class Layer(nn.Module):
    def __init__(self, config: RnaretConfig):
        super().__init__()
        self.retention = Retention(config)
        self.retention_layer_norm = nn.RMSNorm(config.dim, EPS)
        self.ffn = GatedUnit(config)
        self.final_layer_norm = nn.RMSNorm(config.dim, EPS)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, rotary, chunks: Chunks) -> torch.Tensor:
        z, q, k, v = self.before(x, rotary)
        mixed, _ = chunkwise(q, k, v, chunks)
        return self.after(x, z, mixed)

    def before(self, x, rotary) -> tuple[torch.Tensor, ...]:
        """(tokens, d) -> the normalised input, like x; queries, keys and values, each (tokens, heads, -1)."""
        z = self.retention_layer_norm(x)
        return z, *self.retention.project(z, rotary)

    def after(self, x, z, mixed) -> torch.Tensor:
        """The input, also normalised (tokens, d), and the heads' outputs (tokens, heads, value dim) -> (tokens, d)."""
        x = x + self.dropout(self.retention.gated(z, mixed))
        return x + self.dropout(self.ffn(self.final_layer_norm(x)))

    def stream(self, x: torch.Tensor, stretches: list[tuple[slice, Chunks]], rotary) -> None:
        """(tokens, d), replaced in place, stretch after stretch; rotary: the tables of a range of tokens.

        A stretch needs what comes from its right: so first once from right to left, for the states alone.
        """
        arriving, states = [None], x.new_empty(len(stretches), *self.retention.state_shape, dtype=torch.float32)
        for (tokens, chunks), kept in zip(stretches[:0:-1], states, strict=False):
            k, v = self.retention.keys_and_values(self.retention_layer_norm(x[tokens]), rotary(tokens))
            state, sequence = leaving_left(k, v, chunks, arriving[-1])
            # All in one piece: by themselves they would lie between the buffers of stretches, whose memory would then
            # be too fragmented to be used again.
            arriving.append((kept.copy_(state), sequence))
        left = None
        for tokens, chunks in stretches:
            z, q, k, v = self.before(x[tokens], rotary(tokens))
            mixed, left = chunkwise(q, k, v, chunks, left, arriving.pop())
            x[tokens] = self.after(x[tokens], z, mixed)


class Retention(nn.Module):
    def __init__(self, config: RnaretConfig):
        super().__init__()
        self.heads = config.heads
        self.scale = (config.dim // config.heads) ** -0.5
        self.state_shape = config.heads, config.dim // config.heads, config.value_dim // config.heads + 1
        self.q_proj = nn.Linear(config.dim, config.dim, bias=False)
        self.k_proj = nn.Linear(config.dim, config.dim, bias=False)
        self.v_proj = nn.Linear(config.dim, config.value_dim, bias=False)
        self.g_proj = nn.Linear(config.dim, config.value_dim, bias=False)
        self.out_proj = nn.Linear(config.value_dim, config.dim, bias=False)
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.g_proj):
            nn.init.xavier_uniform_(layer.weight, gain=2**-2.5)
        nn.init.xavier_uniform_(self.out_proj.weight)

    def project(self, z, rotary) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(tokens, d) -> rotated queries, rotated keys, values, each (tokens, heads, -1)."""
        q = rotate(self.q_proj(z).unflatten(1, (self.heads, -1)), rotary)
        return q, *self.keys_and_values(z, rotary)

    def keys_and_values(self, z, rotary) -> tuple[torch.Tensor, torch.Tensor]:
        """As `project`, without the queries."""
        k, v = (layer(z).unflatten(1, (self.heads, -1)) for layer in (self.k_proj, self.v_proj))
        return rotate(k, rotary * self.scale), v

    def gated(self, z, mixed) -> torch.Tensor:
        """The heads' outputs (tokens, heads, value dim), each normalised, gated and mixed -> (tokens, d)."""
        return self.out_proj(F.silu(self.g_proj(z)) * F.rms_norm(mixed, mixed.shape[-1:], eps=EPS).flatten(1))


def rotate(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of adjacent pairs of the last dimension, in fp32."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2)


class GatedUnit(nn.Module):
    def __init__(self, config: RnaretConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.dim, config.hidden, bias=False)
        self.gate = nn.Linear(config.dim, config.hidden, bias=False)
        self.fc2 = nn.Linear(config.hidden, config.dim, bias=False)
        self.dropout = nn.Dropout(config.activation_dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.dropout(F.gelu(self.fc1(x)) * self.gate(x)))
