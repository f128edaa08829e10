"""What every layout is read into, and what the readers share."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from rnalm.errors import InputError
from rnalm.models import finetuned, registry
from rnalm.models.encoder import Encoder

WRAPPERS = ("model", "state_dict")
DEPTH = 4  # of wrappers in wrappers
SHOWN = 3
ENCODER_ALONE = "export its encoder alone, which docs/transformers.md says how to save"
WHOLE = "give the whole checkpoint, and --from as it was published"


@dataclass(frozen=True)
class Weights:
    """A model's tensors by our names.

    model: settings of `registry.build`; head: what a model directory's config says of the head, None for an encoder
    """

    model: dict
    encoder: dict[str, torch.Tensor]
    head: dict | None = None
    head_tensors: dict[str, torch.Tensor] = field(default_factory=dict)


def flat(content: dict) -> dict:
    """The innermost state dict of a checkpoint, without the `module.` that data parallelism puts before names."""
    # A pickle can hold itself: without an end to it.
    for _ in range(DEPTH):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def below(tensors: dict, prefix: str) -> dict:
    """The entries whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def count(tensors: dict, prefix: str) -> int:
    """How many different numbers follow `prefix` in the names."""
    return len({name.split(".")[0] for name in below(tensors, prefix)})


def size(tensors: dict, name: str, where, dimensions: tuple[int, ...] = (2,)) -> tuple[int, ...]:
    """Shape of a tensor; InputError if there is no such tensor, or it has none of these numbers of dimensions."""
    if not isinstance(tensors.get(name), torch.Tensor):
        raise InputError(where, f"has no tensor {name}", WHOLE)
    shape = tuple(tensors[name].shape)
    if len(shape) not in dimensions or 0 in shape:
        raise InputError(where, f"has a tensor {name} of the shape {shape}", WHOLE)
    return shape


def number(entries: dict, name: str, where) -> float:
    """An entry that is one number; InputError if it is none, or not finite."""
    try:
        value = float(entries[name])
    except (TypeError, ValueError, RuntimeError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(where, f"has no number under {name}", WHOLE)
    return value


def refuse(where, problem: str, names: Iterable[str]) -> None:
    """InputError that lists the first of the names, if there are any."""
    names = sorted(names)
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        listed = ", ".join(names[:SHOWN]) + more
        raise InputError(where, f"{problem} {listed}", WHOLE)


def fit(weights: Weights, where) -> tuple[Encoder, nn.Module | None]:
    """(encoder, model with its head or None) that hold the weights, in fp32; InputError unless they fit exactly and
    are all finite."""
    dim, heads, layers = (weights.model[key] for key in ("dim", "heads", "layers"))
    if not layers or dim % heads:
        problem = f"has {layers} layers and width {dim} for {heads} attention heads"
        raise InputError(where, problem, "give the whole checkpoint, and --heads where it has others than 20")
    with torch.device("meta"):
        encoder = registry.build(weights.model, where)
        model = finetuned.build(encoder, weights.head, where) if weights.head else None
    _load(encoder, weights.encoder, where)
    if model is not None:
        _load(model.head, weights.head_tensors, where)
    (model or encoder).eval()
    return encoder, model


def _load(module: nn.Module, tensors: dict, where) -> None:
    expected = module.state_dict()
    refuse(where, "lacks the tensors", expected.keys() - tensors.keys())
    refuse(where, "has unknown entries", tensors.keys() - expected.keys())
    no_tensors = {name for name in expected if not isinstance(tensors[name], torch.Tensor)}
    refuse(where, "has no tensors under", no_tensors)
    wrong = {name for name in expected if tensors[name].shape != expected[name].shape}
    refuse(where, "has tensors of other shapes than its sizes ask for:", wrong)
    strange = {name for name in expected if not alike(tensors[name], expected[name])}
    refuse(where, "has tensors of another kind:", strange)
    fp32 = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    refuse(where, "has numbers that are not finite in", {name for name in fp32 if not fp32[name].isfinite().all()})
    module.load_state_dict(apart(fp32), assign=True)


def apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors, those that share memory with one before them copied: tied ones cannot be saved."""
    seen, copies = set(), {}
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage().data_ptr()
        copies[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return copies


def alike(tensor: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether both are floating-point numbers or neither is, and the first has them all: it is not sparse or empty."""
    dense = tensor.layout == torch.strided and not tensor.is_meta
    return dense and tensor.is_floating_point() == expected.is_floating_point()
