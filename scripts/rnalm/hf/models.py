"""The encoders and heads of this library as Transformers models.

Padded tensors exist here alone: a batch is packed, run through the very encoder that `rnalm` runs, and spread out
again, with zeros where it is padded. Tensors have the names that they have in a model directory.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import (
    BaseModelOutput,
    MaskedLMOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from transformers.utils import can_return_tuple

from rnalm.errors import InputError
from rnalm.hf.config import RnalmConfig
from rnalm.models import finetuned, registry
from rnalm.models.directory import save_tokens
from rnalm.tokens.packing import PackedBatch, from_padded, to_padded

IGNORED = -100
NEW_HEAD = {"task": "sequences", "kind": "classes", "activation": "gelu", "pooling": "mean"}


class RnalmPreTrainedModel(PreTrainedModel):
    """An encoder, and what all models around one share.

    attention_mask: 1 at tokens, 0 at padding, on either side; without it, what is not `<pad>` is a token.
    output_attentions: RiNALMo's and ERNIE-RNA's weights; of RNAret the retention scores, which have both signs.
    """

    config_class = RnalmConfig
    base_model_prefix = "encoder"

    def __init__(self, config: RnalmConfig):
        super().__init__(config)
        self.encoder = registry.build(config.model)

    def _init_weights(self, module: nn.Module) -> None:
        """The families draw their own weights when they are made; what a checkpoint may lack is a head."""
        head = getattr(self, "head", None)
        if head is not None and hasattr(module, "reset_parameters") and any(module is part for part in head.modules()):
            module.reset_parameters()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *arguments, output_loading_info=False, **named):
        """As in Transformers; InputError for weights that are not all of an encoder's."""
        model, info = super().from_pretrained(
            pretrained_model_name_or_path, *arguments, output_loading_info=True, **named
        )
        if lost := sorted(name for name in info["missing_keys"] if name.startswith("encoder.")):
            problem = f"has no {lost[0]}" + (f" and {len(lost) - 1} more" if len(lost) > 1 else "")
            raise InputError(pretrained_model_name_or_path, problem, "give the whole model directory")
        return (model, info) if output_loading_info else model

    def save_pretrained(self, save_directory, is_main_process: bool = True, **named) -> None:
        """As in Transformers, and the tokens: what is written is a model directory."""
        super().save_pretrained(save_directory, is_main_process=is_main_process, **named)
        if is_main_process:
            save_tokens(save_directory, self.encoder.tokeniser)

    def get_input_embeddings(self) -> nn.Embedding:
        return next(module for module in self.encoder.modules() if isinstance(module, nn.Embedding))

    def _pack(self, input_ids, attention_mask) -> tuple[PackedBatch, torch.Tensor]:
        """(batch, T) ids -> the packed batch and the (batch, T) mask of its tokens."""
        keep = input_ids != self.encoder.tokeniser.pad if attention_mask is None else attention_mask.bool()
        if input_ids.dim() != 2 or keep.shape != input_ids.shape:
            problem = f"has the shape {tuple(keep.shape)}, input_ids has {tuple(input_ids.shape)}"
            raise InputError("attention_mask", problem, "give both as (batch, tokens)")
        filled = keep.any(dim=1)
        if not filled.all():
            raise InputError(f"input_ids, row {filled.int().argmin().item()}", "has no token", "leave the row out")
        return from_padded(input_ids, keep), keep

    def _encode(self, batch: PackedBatch, keep, hidden_states: bool | None, attentions: bool | None) -> tuple:
        """(packed representation, padded hidden states or None, padded attention maps or None)."""
        hidden_states = self.config.output_hidden_states if hidden_states is None else hidden_states
        attentions = self.config.output_attentions if attentions is None else attentions
        levels = list(self.encoder.levels(batch)) if hidden_states else [self.encoder(batch)]
        padded = tuple(to_padded(level, keep) for level in levels) if hidden_states else None
        maps = padded_maps(self.encoder.attention_maps(batch), keep) if attentions else None
        return levels[-1], padded, maps


class RnalmModel(RnalmPreTrainedModel):
    """The encoder: its representation of every token, special tokens included.

    A head of the model directory is kept as it is, so that what is saved again folds or classifies as before.
    """

    def __init__(self, config: RnalmConfig):
        super().__init__(config)
        self.head = finetuned.build(self.encoder, config.head).head if config.head else None
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """input_ids, attention_mask: (batch, T). last_hidden_state: (batch, T, d)"""
        batch, keep = self._pack(input_ids, attention_mask)
        hidden, *maps = self._encode(batch, keep, output_hidden_states, output_attentions)
        return BaseModelOutput(to_padded(hidden, keep), *maps)


class RnalmForMaskedLM(RnalmPreTrainedModel):
    """The encoder with its language-model head."""

    _keys_to_ignore_on_load_unexpected = [r"^head\."]  # noqa: RUF012

    def __init__(self, config: RnalmConfig):
        config.head = None
        super().__init__(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> MaskedLMOutput:
        """input_ids, attention_mask, labels: (batch, T); labels: -100 where no token was selected.

        logits: (batch, T, vocabulary); loss: mean cross-entropy of the selected tokens. With labels, ERNIE-RNA hides
        the pairs of every selected token, also of one that kept its letter, as in its pre-training.
        """
        batch, keep = self._pack(input_ids, attention_mask)
        if labels is not None:
            batch = replace(batch, selected=labels[keep] != IGNORED)
        hidden, *maps = self._encode(batch, keep, output_hidden_states, output_attentions)
        logits = self.encoder.logits(hidden)
        return MaskedLMOutput(cross_entropy(logits, labels, keep), to_padded(logits, keep), *maps)


class RnalmForSequenceClassification(RnalmPreTrainedModel):
    """The encoder with two linear layers: those of the model directory if its head is one of classes, otherwise new
    ones on the mean of the nucleotides."""

    def __init__(self, config: RnalmConfig):
        super().__init__(config)
        config.head = headed(config, NEW_HEAD | {"width": config.hidden_size})
        model = finetuned.build(self.encoder, config.head)
        self.head, self.pooling = model.head, model.pooling
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> SequenceClassifierOutput:
        """input_ids, attention_mask: (batch, T); labels: as `config.problem_type` says. logits: (batch, labels)"""
        batch, keep = self._pack(input_ids, attention_mask)
        hidden, *maps = self._encode(batch, keep, output_hidden_states, output_attentions)
        logits = self.head(self.pooling(hidden, batch, self.encoder.tokeniser))
        loss = None if labels is None else self.loss_function(labels, logits, self.config)
        return SequenceClassifierOutput(loss, logits, *maps)


class RnalmForTokenClassification(RnalmPreTrainedModel):
    """The encoder with a linear layer on every token."""

    def __init__(self, config: RnalmConfig):
        super().__init__(config)
        config.head = headed(config, {"task": "tokens", "kind": "tokens"})
        self.head = finetuned.build(self.encoder, config.head).head
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> TokenClassifierOutput:
        """input_ids, attention_mask, labels: (batch, T); labels: -100 for none. logits: (batch, T, labels)"""
        batch, keep = self._pack(input_ids, attention_mask)
        hidden, *maps = self._encode(batch, keep, output_hidden_states, output_attentions)
        logits = self.head(hidden)
        return TokenClassifierOutput(cross_entropy(logits, labels, keep), to_padded(logits, keep), *maps)


def headed(config: RnalmConfig, new: dict) -> dict:
    """The head of the model directory if it is of the new one's kind, otherwise the new one; a class for each label.

    Names of other classes than these do not stay.
    """
    given = config.head or {}
    head = given if given.get("kind") == new["kind"] else new
    if head.get("classes") != config.num_labels:
        head = {key: value for key, value in head.items() if key != "labels"}
    return head | {"classes": config.num_labels}


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor | None, keep: torch.Tensor) -> torch.Tensor | None:
    """Of packed logits (tokens, n) and padded labels (batch, T); None without labels. Padding has no part in it."""
    return None if labels is None else F.cross_entropy(logits.float(), labels[keep], ignore_index=IGNORED)


def padded_maps(maps: list[list[torch.Tensor]], keep: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Per sequence, per layer (heads, length, length) -> per layer (batch, heads, T, T), zeros at padding."""
    layers = []
    for of_layer in zip(*maps, strict=True):
        padded = of_layer[0].new_zeros(len(keep), len(of_layer[0]), keep.shape[1], keep.shape[1])
        for row, weights in enumerate(of_layer):
            places = keep[row].nonzero()[:, 0]
            padded[row][:, places[:, None], places] = weights
        layers.append(padded)
    return tuple(layers)
