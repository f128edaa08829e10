"""Model directories: `config.json`, `model.safetensors`, `tokenizer.json` (the token list) and a card.

A directory says everything that is needed to use the weights: family and sizes, the head with its decoding
threshold, and the tokens, which are compared with the family's own when it is loaded. Tensors are named after their
part, `encoder.` or `head.`. Transformers reads and writes the same files (`rnalm.hf`).
"""

import textwrap
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
from rnalm.tokens.tokeniser import Tokeniser

FILES = ("config.json", "model.safetensors", "tokenizer.json", "README.md")
# What Transformers knows a config.json of ours by.
MODEL_TYPE = "rnalm"
OURS = "give a directory that this library made, such as by `rnalm import-weights`"


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

    head: for a `model`, what `finetuned.build` makes it from, its task, and the decoder and threshold if it has one
    origin: further entries of config.json: where the weights come from
    """
    directory = Path(directory)
    config = {
        "rnalm": __version__,
        "model_type": MODEL_TYPE,
        "model": registry.describe(encoder),
        "head": head,
        **origin,
    }
    weights = {name: tensor.contiguous() for name, tensor in parts(encoder, model).state_dict().items()}
    # First, as it takes longest: where it is interrupted nothing is left.
    with atomic(directory / "model.safetensors") as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(weights, temporary, metadata={"format": "pt"})
        # The library makes files that only their owner can read, whatever the user's mask says.
        temporary.chmod(mode)
    write_text(directory / "README.md", card)
    save_tokens(directory, encoder.tokeniser)
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
    config = _entries(directory / "config.json", "model", "head")
    encoder = registry.build(config["model"], directory / "config.json")
    if load_tokens(directory / "tokenizer.json") != encoder.tokeniser.tokens:
        raise InputError(
            directory / "tokenizer.json", "lists other tokens than this family has", "use a model made for it"
        )
    head = config["head"]
    model = finetuned.build(encoder, head, directory / "config.json") if head else None
    weights = _read(directory / "model.safetensors", load_file)
    try:
        parts(encoder, model).load_state_dict(weights)
    except RuntimeError as error:
        problem = f"does not fit config.json: {textwrap.shorten(str(error), 400)}"
        raise InputError(directory / "model.safetensors", problem, "copy it again") from None
    (model or encoder).eval()
    return ModelDirectory(config, encoder, model)


def parts(encoder: Encoder, model: nn.Module | None) -> nn.Module:
    """The model, or the encoder alone in its place: tensors have the names of the file."""
    return model or nn.ModuleDict({"encoder": encoder})


def save_tokens(directory, tokeniser: Tokeniser) -> Path:
    """Write a directory's tokenizer.json."""
    path = Path(directory) / "tokenizer.json"
    write_json(path, {"tokens": tokeniser.tokens, "u_is_read_as": tokeniser.thymine})
    return path


def load_tokens(path) -> tuple[str, ...]:
    """The tokens of a tokenizer.json, by id; InputError where the file is broken or of another kind."""
    tokens = _entries(path, "tokens")["tokens"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise InputError(path, "lists no tokens", OURS)
    return tuple(tokens)


def _entries(path, *names: str) -> dict:
    """What a JSON file says; InputError where it is broken or lacks one of these entries."""
    content = _read(path, read_json)
    for name in names:
        if not isinstance(content, dict) or name not in content:
            raise InputError(path, f"has no entry {name!r}", OURS)
    return content


def _read(path: Path, reader):
    """What `reader` makes of one file of the directory; InputError where the file is broken."""
    try:
        return reader(path)
    except (ValueError, SafetensorError) as error:
        raise InputError(path, f"cannot be read: {error}", "copy it again") from None


def autocast(precision: str, device: torch.device):
    """Context for the matrix products of a forward pass: `bf16` or `fp32`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
