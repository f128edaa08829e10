"""Model families by name: what a config file's `family` means."""

from dataclasses import asdict

from torch import nn

from rnalm.errors import InputError
from rnalm.models.rinalmo import Rinalmo, RinalmoConfig

FAMILIES = {"rinalmo": (Rinalmo, RinalmoConfig)}


def build(settings: dict, where="model config") -> nn.Module:
    """{family, **sizes} -> encoder with fresh weights. InputError for an unknown family or size."""
    sizes = dict(settings)
    family = sizes.pop("family", None)
    if family not in FAMILIES:
        raise InputError(where, f"family {family!r} is unknown", f"use one of {', '.join(FAMILIES)}")
    model, config = FAMILIES[family]
    try:
        return model(config(**sizes))
    except TypeError as error:
        raise InputError(where, str(error), "see config/models/ for the keys of a model") from None


def describe(encoder: nn.Module) -> dict:
    """The settings that `build` makes this encoder from."""
    family = next(name for name, (model, _) in FAMILIES.items() if isinstance(encoder, model))
    return {"family": family, **asdict(encoder.config)}
