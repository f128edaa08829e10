"""The config.json of a model directory as a Transformers config."""

import torch
from transformers import PreTrainedConfig

from rnalm import __version__
from rnalm.models import registry
from rnalm.models.directory import MODEL_TYPE
from rnalm.tokens.tokeniser import Tokeniser


class RnalmConfig(PreTrainedConfig):
    """model: what the encoder is made from, {family, **sizes}; head: what the head is made from, None without one.

    The usual names of sizes read from `model`. A head of classes says how many labels there are, where no caller does.
    """

    model_type = MODEL_TYPE
    # There is no model by default; earlier versions of Transformers 5 ask.
    has_no_defaults_at_init = True

    def __init__(self, model: dict, head: dict | None = None, rnalm: str = __version__, **others):
        self.model, self.head, self.rnalm = model, head, rnalm
        if "classes" in (head or {}) and others.get("id2label") is None:
            others.setdefault("num_labels", head["classes"])
        super().__init__(**others)

    @property
    def hidden_size(self) -> int:
        return self.model["dim"]

    @property
    def num_hidden_layers(self) -> int:
        return self.model["layers"]

    @property
    def num_attention_heads(self) -> int:
        return self.model["heads"]

    @property
    def vocab_size(self) -> int:
        return len(self._tokeniser().tokens)

    @property
    def pad_token_id(self) -> int:
        return self._tokeniser().pad

    @property
    def eos_token_id(self) -> int | None:
        tokens = self._tokeniser().tokens
        return tokens.index("<eos>") if "<eos>" in tokens else None

    def _tokeniser(self) -> Tokeniser:
        with torch.device("meta"):
            return registry.build(self.model).tokeniser
