"""ERNIE-RNA (Nature Communications 16:10076, 2025) on packed sequences.

Notable about the model, and kept exactly:
- every pair of tokens has a score: A-U 2, G-C 3, G-U 0.8, else 0, -1 for whatever masked-language modelling selected;
  a 1 -> 6 -> heads GELU network in fp32 makes it a bias of the attention. As there are only six classes of tokens,
  the bias is a table of 6 x 6 per head, and no pair is looked at one by one
- attention logits accumulate: each layer adds its q k^T to all before it (`models.accumulated_attention`)
- LayerNorm after each residual sum, and on the embeddings; none at the end
- sinusoidal positions, sines then cosines, the first token at 2
- a tied language-model head: linear, exact GELU, LayerNorm, the embedding's transpose, a bias

At inference a `<mask>` has pairs of -1 too, as in pre-training; `mask_pairs: false` gives it pairs of 0, as all
published inference code does. No limit of 1,022 nt: long sequences attend without a (T, T) matrix.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.models.accumulated_attention import PairLogits
from rnalm.tokens.ernie_rna import MASK, TOKENISER, TOKENS
from rnalm.tokens.letters import PAD
from rnalm.tokens.packing import PackedBatch

PAIRED = "GAUC"
OTHER, MASKED = 4, 5
PAIR_SCORES = {"AU": 2.0, "GC": 3.0, "GU": 0.8}
# Names of our modules in the published state dict, and what that has more, with shapes of the published size.
PUBLISHED_NAMES = {
    "embed_tokens": "encoder.sentence_encoder.embed_tokens",
    "emb_layer_norm": "encoder.sentence_encoder.emb_layer_norm",
    "layers.{}": "encoder.sentence_encoder.layers.{}",
    "twod_proj": "encoder.twod_proj",
    "lm_head.transform": "encoder.lm_head_transform_weight",
    "lm_head.layer_norm": "encoder.layer_norm",
    "lm_head.bias": "encoder.lm_output_learned_bias",
}
# Names of our modules in MultiMolecule's state dict (0.2.2, the pre-training class).
MULTIMOLECULE_NAMES = {
    "embed_tokens": "model.embeddings.word_embeddings",
    "emb_layer_norm": "model.embeddings.layer_norm",
    "layers.{}.self_attn.q_proj": "model.encoder.layer.{}.attention.self.query",
    "layers.{}.self_attn.k_proj": "model.encoder.layer.{}.attention.self.key",
    "layers.{}.self_attn.v_proj": "model.encoder.layer.{}.attention.self.value",
    "layers.{}.self_attn.out_proj": "model.encoder.layer.{}.attention.output.dense",
    "layers.{}.self_attn_layer_norm": "model.encoder.layer.{}.attention.output.layer_norm",
    "layers.{}.fc1": "model.encoder.layer.{}.intermediate.dense",
    "layers.{}.fc2": "model.encoder.layer.{}.output.dense",
    "layers.{}.final_layer_norm": "model.encoder.layer.{}.output.layer_norm",
    "twod_proj.linear1": "model.pairwise_bias_proj.dense1",
    "twod_proj.linear2": "model.pairwise_bias_proj.dense2",
    "lm_head.transform": "lm_head.transform.dense",
    "lm_head.layer_norm": "lm_head.transform.layer_norm",
    "lm_head.bias": "lm_head.decoder.bias",
}
PUBLISHED_UNUSED = {
    "encoder.sentence_encoder.segment_embeddings.weight": (2, 768),
    "encoder.sentence_encoder.embed_positions._float_tensor": (1,),
    "encoder.masked_lm_pooler.weight": (768, 768),
    "encoder.masked_lm_pooler.bias": (768,),
    "encoder.sentence_projection_layer.weight": (2, 768),
}


@dataclass(frozen=True)
class ErnieRnaConfig:
    dim: int
    layers: int
    heads: int
    hidden: int
    pair_hidden: int
    dropout: float = 0.1
    attention_dropout: float = 0.1
    mask_pairs: bool = True


class ErnieRna(nn.Module):
    tokeniser = TOKENISER

    def __init__(self, config: ErnieRnaConfig):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(len(TOKENS), config.dim, padding_idx=PAD)
        self.emb_layer_norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.twod_proj = PairNetwork(config)
        self.lm_head = MaskHead(config)
        self.apply(initialise)

    @property
    def blocks(self) -> nn.ModuleList:
        return self.layers

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """Packed ids -> (tokens, d) representation after the last layer, `<cls>` and `<eos>` included."""
        x, pairs = self.embed(batch), self.pair_logits(batch)
        for layer in self.layers:
            x = layer(x, pairs)
        return x

    def levels(self, batch: PackedBatch) -> Iterator[torch.Tensor]:
        """The embedding and the representation after every layer, each (tokens, d)."""
        x, pairs = self.embed(batch), self.pair_logits(batch)
        yield x
        for layer in self.layers:
            x = layer(x, pairs)
            yield x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, d) -> (n, vocabulary)."""
        return self.lm_head(hidden, self.embed_tokens.weight)

    def logit_maps(self, batch: PackedBatch, scores: torch.Tensor | None = None) -> list[list[torch.Tensor]]:
        """Per sequence, for the pair bias and after every layer: (heads, T, T) logits, before the softmax.

        What the published code returns as attention maps and its structure and contact heads read.
        scores: of pairs of token classes, instead of `pair_scores()`
        """
        x, pairs = self.embed(batch), self.pair_logits(batch, scores, carried=max(batch.lengths))
        maps = [[matrix] for matrix in pairs.matrices()]
        for layer in self.layers:
            x = layer(x, pairs)
            for per_layer, matrix in zip(maps, pairs.matrices(), strict=True):
                per_layer.append(matrix)
        return maps

    def last_logits(self, batch: PackedBatch, scores: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Per sequence: (heads, T, T) logits after the last layer, the last of `logit_maps` without the others."""
        x, pairs = self.embed(batch), self.pair_logits(batch, scores, carried=max(batch.lengths))
        for layer in self.layers:
            x = layer(x, pairs)
        return pairs.matrices()

    def attention_maps(self, batch: PackedBatch) -> list[list[torch.Tensor]]:
        """Per sequence, per layer: (heads, T, T) attention weights."""
        return [[logits.softmax(dim=-1) for logits in levels[1:]] for levels in self.logit_maps(batch)]

    def embed(self, batch: PackedBatch) -> torch.Tensor:
        x = self.embed_tokens(batch.ids)
        return self.dropout(self.emb_layer_norm(x + sinusoids(batch.positions + 2, x.shape[1]).to(x.dtype)))

    def pair_logits(self, batch: PackedBatch, scores: torch.Tensor | None = None, **limit: int) -> PairLogits:
        """The attention of a forward pass, at first with the bias of pairs alone; scores: as of `logit_maps`."""
        scores = pair_scores() if scores is None else scores
        classes = token_classes(batch, self.config.mask_pairs)
        return PairLogits(self.twod_proj(scores.to(batch.ids.device)), classes, batch.lengths, **limit)


def sinusoids(positions: torch.Tensor, dim: int) -> torch.Tensor:
    """(tokens,) -> (tokens, dim) fp32: all sines, then all cosines."""
    exponents = torch.arange(dim // 2, dtype=torch.float32, device=positions.device)
    angles = positions[:, None] * torch.exp(exponents * -(math.log(10000) / (dim // 2 - 1)))
    return torch.cat((angles.sin(), angles.cos()), dim=1)


def pair_scores() -> torch.Tensor:
    """(6, 6) fp32: the scores of token classes G, A, U, C, other, masked."""
    scores = torch.zeros(6, 6)
    for (first, second), score in PAIR_SCORES.items():
        i, j = PAIRED.index(first), PAIRED.index(second)
        scores[i, j] = scores[j, i] = score
    scores[MASKED, :] = scores[:, MASKED] = -1
    return scores


def token_classes(batch: PackedBatch, mask_pairs: bool) -> torch.Tensor:
    """(tokens,) int64: row of each token in `pair_scores`."""
    table = torch.full((len(TOKENS),), OTHER, device=batch.ids.device)
    for i, letter in enumerate(PAIRED):
        table[TOKENS.index(letter)] = i
    if mask_pairs:
        table[MASK] = MASKED
    classes = table[batch.ids]
    return classes if batch.selected is None else classes.masked_fill(batch.selected, MASKED)


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02), biases 0."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding):
        nn.init.zeros_(module.weight[module.padding_idx])


class Layer(nn.Module):
    def __init__(self, config: ErnieRnaConfig):
        super().__init__()
        self.self_attn = Attention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.dim)
        self.fc1 = nn.Linear(config.dim, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.dim)
        self.final_layer_norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, pairs: PairLogits) -> torch.Tensor:
        return self.after(x, pairs.attend(*self.before(x), self.self_attn.dropout if self.training else 0.0))

    def before(self, x) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(tokens, d) -> scaled queries, keys, values, each (tokens, heads, head_dim)."""
        return self.self_attn.project(x)

    def after(self, x, mixed) -> torch.Tensor:
        """(tokens, d) and the mixed values (tokens, heads, head_dim) -> (tokens, d)."""
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn.out_proj(mixed.flatten(1))))
        return self.final_layer_norm(x + self.dropout(self.fc2(F.gelu(self.fc1(x)))))


class Attention(nn.Module):
    def __init__(self, config: ErnieRnaConfig):
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.scale = (config.dim // config.heads) ** -0.5
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(config.dim, config.dim) for _ in range(4))

    def project(self, x) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(tokens, d) -> scaled queries, keys, values, each (tokens, heads, head_dim)."""
        q, k, v = (layer(x).unflatten(1, (self.heads, -1)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        return q * self.scale, k, v


class PairNetwork(nn.Module):
    """1 -> pair_hidden -> heads, entry by entry, in fp32 always."""

    def __init__(self, config: ErnieRnaConfig):
        super().__init__()
        self.linear1 = nn.Linear(1, config.pair_hidden)
        self.linear2 = nn.Linear(config.pair_hidden, config.heads)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """(n, m) scores -> (heads, n, m) fp32."""
        with torch.autocast(scores.device.type, enabled=False):
            x = scores[..., None]
            for layer, activation in ((self.linear1, F.gelu), (self.linear2, nn.Identity())):
                x = activation(F.linear(x, layer.weight.float(), layer.bias.float()))
        return x.permute(2, 0, 1)


class MaskHead(nn.Module):
    def __init__(self, config: ErnieRnaConfig):
        super().__init__()
        self.transform = nn.Linear(config.dim, config.dim)
        self.layer_norm = nn.LayerNorm(config.dim)
        self.bias = nn.Parameter(torch.zeros(len(TOKENS)))

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        return F.linear(self.layer_norm(F.gelu(self.transform(x))), embedding, self.bias)
