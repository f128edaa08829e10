"""Names of an unfreezing schedule: parts of a model, the same for every family and size.

head            the head
encoder         all of the encoder that RiNALMo's schedules ever train: not its token embedding, not its
                language-model head
blocks[-3:]     some of the encoder's blocks, as a slice of Python; it may be empty
final_norm      the norm that makes the representation; only RiNALMo has one
embedding       the token embedding
adapters        what `training.adapters` added
a.b.c           the parameters below a module, by its name in the model

Source: RiNALMo's schedules (official code lbcb-sci/RiNALMo, `ft_schedules/` and `rinalmo/utils/finetune_callback.py`).
"""

import re
from collections.abc import Iterable

from torch import nn

from rnalm.errors import InputError

SLICE = re.compile(r"blocks\[(-?\d*):(-?\d*)\]")
# Modules of the families' encoders that predict masked tokens and nothing else.
LANGUAGE_MODEL_HEADS = ("lm_mask_head", "lm_head", "output_projection", "layer_norm")
FINAL_NORM = "transformer.final_layer_norm"


def unfreeze(model: nn.Module, names: list[str]) -> list[nn.Parameter]:
    """Let these parts of an encoder with a head be trained; returns the parameters that were not before.

    InputError for a name that fits nothing.
    """
    chosen = {id(parameter) for name in names for parameter in part(model, name)}
    return [p.requires_grad_() for p in model.parameters() if id(p) in chosen and not p.requires_grad]


def part(model: nn.Module, name: str) -> Iterable[nn.Parameter]:
    """The parameters that a name of a schedule means; InputError for one that fits nothing."""
    if name in PARTS:
        return PARTS[name](model)
    if match := SLICE.fullmatch(name):
        start, stop = (int(bound) if bound.strip("-") else None for bound in match.groups())
        return [parameter for block in list(model.encoder.blocks)[start:stop] for parameter in block.parameters()]
    if found := list(below(model, (name,))):
        return found
    known = f"{', '.join(PARTS)}, blocks[-3:] or a module below {', '.join(name for name, _ in model.named_children())}"
    raise InputError(f"unfreeze: {name}", "is no part of the model", f"name {known}")


def below(module: nn.Module, prefixes: tuple[str, ...]) -> Iterable[nn.Parameter]:
    """Parameters of the submodules, or the parameters, of these names."""
    inside = tuple(f"{prefix}." for prefix in prefixes)
    return (p for name, p in module.named_parameters() if name in prefixes or name.startswith(inside))


def embedding(model: nn.Module) -> list[nn.Parameter]:
    return [p for module in model.encoder.modules() if isinstance(module, nn.Embedding) for p in module.parameters()]


def encoder(model: nn.Module) -> list[nn.Parameter]:
    left = {id(parameter) for parameter in (*embedding(model), *below(model.encoder, LANGUAGE_MODEL_HEADS))}
    return [parameter for parameter in model.encoder.parameters() if id(parameter) not in left]


def adapters(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in model.named_parameters() if ".lora_" in name]


PARTS = {
    "head": lambda model: model.head.parameters(),
    "encoder": encoder,
    "final_norm": lambda model: below(model.encoder, (FINAL_NORM,)),
    "embedding": embedding,
    "adapters": adapters,
}
