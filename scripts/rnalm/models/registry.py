"""Model families by name: what a config file's `family` means."""

from dataclasses import asdict, fields

from rnalm.errors import InputError
from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna import ErnieRna, ErnieRnaConfig
from rnalm.models.features import Features, KmerConfig, OneHotConfig
from rnalm.models.rinalmo import Rinalmo, RinalmoConfig
from rnalm.models.rnaret import Rnaret, RnaretConfig

FAMILIES = {
    "rinalmo": (Rinalmo, RinalmoConfig),
    "ernie_rna": (ErnieRna, ErnieRnaConfig),
    "rnaret": (Rnaret, RnaretConfig),
    "onehot": (Features, OneHotConfig),
    "kmer": (Features, KmerConfig),
}


def build(settings: dict, where="model config") -> Encoder:
    """{family, **sizes} -> encoder with fresh weights. InputError for an unknown family or size, or a wrong one."""
    sizes = dict(settings) if isinstance(settings, dict) else {}
    family = sizes.pop("family", None)
    if family not in tuple(FAMILIES):
        raise InputError(where, f"family {family!r} is unknown", f"use one of {', '.join(FAMILIES)}")
    model, config = FAMILIES[family]
    try:
        made = config(**sizes)
        check(made)
        return model(made)
    except (TypeError, ValueError) as error:
        raise InputError(where, str(error), "see config/models/ for the keys of a model") from None


def check(config) -> None:
    """ValueError for sizes that no model can have."""
    sizes = {field.name: getattr(config, field.name) for field in fields(config) if field.type is int}
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} {value!r} is no whole number of at least 1")
    # Positions turn or are embedded in pairs of channels.
    for name, parts in (("dim", 2 * config.heads), ("value_dim", config.heads)):
        if sizes.get(name, 0) % parts:
            raise ValueError(f"{name} {sizes[name]} is no multiple of {parts}, for {config.heads} heads")


def describe(encoder: Encoder) -> dict:
    """The settings that `build` makes this encoder from."""
    family = next(name for name, (_, config) in FAMILIES.items() if isinstance(encoder.config, config))
    return {"family": family, **asdict(encoder.config)}
