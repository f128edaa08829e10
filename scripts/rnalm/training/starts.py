"""Where fine-tuning starts: the encoder, and what of it is trained.

- `pretrained`: by the config's own schedule
- `frozen`:     the head alone
- `lora`:       the head and low-rank adapters of the encoder, which are merged into its weights afterwards
- `random`:     the same network from fresh weights, by the same schedule
- `onehot`, `kmer`: the same head on nucleotides and on k-mers (`models.features`)
- `zeroshot`:   nothing is trained; base pairs are read off the attention maps (ERNIE-RNA)
- `zeroshot_p0`: the same with all of the model's scores of pairs 0, which is what the published script gives it
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from rnalm.models import finetuned, registry
from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna_heads import ZERO_SHOT
from rnalm.randomness import key
from rnalm.training.finetuning import Settings

HEAD_ALONE = {0: ["head"]}
OTHER_HEAD = "correct 'head' in the task's config, or leave this start out of its 'inits'"
OTHER_MODEL = "leave this start out of the task's 'inits', or take an ERNIE-RNA"
FEATURES_RATE = 1e-3
ADAPTERS = {"rank": 8, "alpha": 16, "dropout": 0.05}


def begin(init: str, encoder: Encoder, head: dict, settings: Settings, seed: int) -> tuple[nn.Module, dict, Settings]:
    """(encoder with head, its complete description, settings) of a start; head: with what the labels decide."""
    return STARTS[init](encoder, head, settings, lambda: torch.manual_seed(seed_of(seed)))


def seed_of(seed: int) -> int:
    return int(key(seed, "finetune", "initialisation") >> 1)


def pretrained(encoder, head: dict, settings: Settings, reseed: Callable):
    reseed()
    return finetuned.build(encoder, head, remedy=OTHER_HEAD), head, settings


def frozen(encoder, head: dict, settings: Settings, reseed: Callable):
    return pretrained(encoder, head, replace(settings, unfreeze=HEAD_ALONE), reseed)


def random(encoder, head: dict, settings: Settings, reseed: Callable):
    model, *rest = pretrained(encoder, head, settings, reseed)
    model.encoder = registry.build(registry.describe(encoder))
    return model, *rest


def lora(encoder, head: dict, settings: Settings, reseed: Callable):
    from rnalm.training.adapters import add_lora

    model, *_ = pretrained(encoder, head, settings, reseed)
    add_lora(model.encoder, **(settings.lora or ADAPTERS))
    return model, head, replace(settings, unfreeze={0: ["head", "adapters"]})


def features(family: str):
    """No token of these stands for the sequence, so that what the head would read of the first is a mean.

    Rates of published recipes spare pre-trained weights (1e-5); a head on features alone learns nothing by them.
    """

    def start(encoder, head: dict, settings: Settings, reseed: Callable):
        head = {**head, "pooling": "mean"} if head.get("kind") == "classes" else head
        settings = replace(settings, learning_rate=max(settings.learning_rate, FEATURES_RATE))
        return frozen(registry.build({"family": family}), head, settings, reseed)

    return start


def zeroshot(**choices):
    """choices: `pairs` of `ZeroShotModel`."""

    def start(encoder, head: dict, settings: Settings, reseed: Callable):
        head = {**ZERO_SHOT, **choices}
        model = finetuned.build(encoder, head, "zero-shot", OTHER_MODEL)
        return model, head, replace(settings, epochs=0, unfreeze={0: []})

    return start


STARTS = {
    "pretrained": pretrained,
    "frozen": frozen,
    "lora": lora,
    "random": random,
    "onehot": features("onehot"),
    "kmer": features("kmer"),
    "zeroshot": zeroshot(),
    "zeroshot_p0": zeroshot(pairs="none"),
}
