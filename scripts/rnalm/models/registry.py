"""Model families by name: what a config file's `family` means."""

from dataclasses import asdict

from rnalm.errors import InputError
from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna import ErnieRna, ErnieRnaConfig
from rnalm.models.rinalmo import Rinalmo, RinalmoConfig
from rnalm.models.rnaret import Rnaret, RnaretConfig

FAMILIES = {
    "rinalmo": (Rinalmo, RinalmoConfig),
    "ernie_rna": (ErnieRna, ErnieRnaConfig),
    "rnaret": (Rnaret, RnaretConfig),
}


def build(settings: dict, where="model config") -> Encoder:
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


def describe(encoder: Encoder) -> dict:
    """The settings that `build` makes this encoder from."""
    family = next(name for name, (model, _) in FAMILIES.items() if isinstance(encoder, model))
    return {"family": family, **asdict(encoder.config)}
