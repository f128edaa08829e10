"""Model directories: `config.json`, `model.safetensors`, `tokenizer.json` (the token list) and a card.

A directory says everything that is needed to use the weights: family and sizes, the head with its decoding
threshold, and the tokens, which are compared with the family's own when it is loaded.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from rnalm import __version__
from rnalm.errors import InputError
from rnalm.files import atomic, read_json, write_json, write_text
from rnalm.models import finetuned, registry
from rnalm.models.encoder import Encoder

FILES = ("config.json", "model.safetensors", "tokenizer.json", "README.md")


@dataclass(frozen=True)
class ModelDirectory:
    """encoder: with the weights of the directory; model: the encoder with its head, None for a plain encoder."""

    config: dict
    encoder: Encoder
    model: nn.Module | None


def save(
    directory, encoder: Encoder, card: str, model: nn.Module | None = None, head: dict | None = None, **origin
) -> list[Path]:
    """Write a model directory; returns its files.

    head: for a `model`, what `finetuned.build` makes it from, its task, and the threshold of its decoder if it has one
    origin: further entries of config.json: where the weights come from
    """
    directory = Path(directory)
    config = {"rnalm": __version__, "model": registry.describe(encoder), "head": head, **origin}
    weights = {name: tensor.contiguous() for name, tensor in (model or encoder).state_dict().items()}
    write_text(directory / "README.md", card)
    with atomic(directory / "model.safetensors") as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
        # The library makes files that only their owner can read, whatever the user's mask says.
        shutil.copymode(directory / "README.md", temporary)
    tokeniser = encoder.tokeniser
    write_json(directory / "tokenizer.json", {"tokens": tokeniser.tokens, "u_is_read_as": tokeniser.thymine})
    # Last: a directory with a config is complete.
    write_json(directory / "config.json", config)
    return [directory / name for name in FILES]


def load(directory) -> ModelDirectory:
    """Read a model directory, in fp32 and evaluation mode. InputError if it is none or does not fit this code."""
    directory = Path(directory)
    for name in FILES[:3]:
        if not (directory / name).is_file():
            raise InputError(
                directory, f"has no {name}", "name a model directory, such as results/demo/models/pretrained"
            )
    config = _read(directory / "config.json", read_json)
    encoder = registry.build(config["model"], directory / "config.json")
    if tuple(_read(directory / "tokenizer.json", read_json)["tokens"]) != encoder.tokeniser.tokens:
        raise InputError(
            directory / "tokenizer.json", "lists other tokens than this family has", "use a model made for it"
        )
    head = config["head"]
    model = finetuned.build(encoder, head, directory / "config.json") if head else None
    weights = _read(directory / "model.safetensors", load_file)
    try:
        (model or encoder).load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            directory / "model.safetensors", f"does not fit config.json: {error}", "copy it again"
        ) from None
    (model or encoder).eval()
    return ModelDirectory(config, encoder, model)


def _read(path: Path, reader):
    """What `reader` makes of one file of the directory; InputError where the file is broken."""
    try:
        return reader(path)
    except (ValueError, SafetensorError) as error:
        raise InputError(path, f"cannot be read: {error}", "copy it again") from None


def autocast(precision: str, device: torch.device):
    """Context for the matrix products of a forward pass: `bf16` or `fp32`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
