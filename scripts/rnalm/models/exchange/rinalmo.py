"""RiNALMo's published checkpoints (Zenodo 15043668): the backbone, and those fine-tuned for structure, mean ribosome
load, splice sites and ncRNA families.

The backbone has our own tensor names, behind `lm.` or `rinalmo.` where it is fine-tuned. A structure file holds its
decoding threshold, one of ribosome load the scaler of its targets. The number of attention heads is nowhere.
Source: official code lbcb-sci/RiNALMo, `rinalmo/model/` and the training scripts.
"""

import torch

from rnalm.errors import InputError
from rnalm.models.directory import ModelDirectory
from rnalm.models.exchange import pickles
from rnalm.models.exchange.weights import ENCODER_ALONE, Weights, below, count, flat, number, size

FAMILY = "rinalmo"
HEADS = 20
# Tokens to which the published model of ribosome load pads: its instance norms see the padding.
PADDED_TO = 102
# Where a checkpoint has its backbone, by the kind of its head.
PREFIXES = {"pairs": "lm.", "scalar": "lm.", "classes": "rinalmo."}


def read(path, heads: int | None) -> Weights:
    """heads: attention heads, 20 in all published models. InputError for a file that is no such checkpoint."""
    tensors = flat(pickles.read(path))
    prefixes = [prefix for prefix in ("", *PREFIXES.values()) if f"{prefix}embedding.weight" in tensors]
    prefix = prefixes[0] if prefixes else ""
    if prefix:
        encoder = below(tensors, prefix)
        rest = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
        head, head_tensors = read_head(rest, path)
    else:
        encoder, head, head_tensors = tensors, None, {}
    encoder = {name: tensor for name, tensor in encoder.items() if not name.endswith("inv_freq")}
    return Weights(settings(encoder, HEADS if heads is None else heads, path), encoder, head, head_tensors)


def settings(encoder: dict, heads: int, where) -> dict:
    """Settings of the model whose tensors these are."""
    dim = size(encoder, "embedding.weight", where)[-1]
    if heads < 1 or dim % (2 * heads):
        problem = f"has width {dim}, which {heads} attention heads of even width do not divide"
        raise InputError(where, problem, "say how many there are with --heads")
    layers = count(encoder, "transformer.blocks.")
    return {"family": FAMILY, "dim": dim, "layers": layers, "heads": heads}


def read_head(rest: dict, where) -> tuple[dict, dict]:
    """What a fine-tuned checkpoint has besides its backbone -> (head of a model directory's config, its tensors)."""
    tensors = below(rest, "pred_head.")
    others = {name for name in rest if not name.startswith("pred_head.")}
    blocks = count(tensors, "resnet.blocks.")
    if "conv_out.weight" in tensors and others == {"threshold"}:
        width = size(tensors, "linear_in.weight", where)[0]
        threshold = number(rest, "threshold", where)
        return {"task": "structure", "kind": "pairs", "width": width, "blocks": blocks, "threshold": threshold}, tensors
    if "linear_out.weight" in tensors and others == {"scaler._mean", "scaler._std"}:
        scaler = {key: number(rest, f"scaler._{key}", where) for key in ("mean", "std")}
        sizes = {"width": size(tensors, "linear_in.weight", where)[0], "blocks": blocks, "padded_to": PADDED_TO}
        return {"task": "mean_ribosome_load", "kind": "scalar", **sizes, **scaler}, tensors
    if "classifier.2.weight" in tensors and not others:
        classes, width = size(tensors, "classifier.2.weight", where)
        task = "splice_site" if classes == 1 else "ncrna_family"
        sizes = {"width": width, "classes": classes, "activation": "gelu"}
        return {"task": task, "kind": "classes", **sizes}, below(tensors, "classifier.")
    raise InputError(
        where,
        f"has a head of unknown form or without its threshold or scaler ({', '.join(sorted(rest)[:3])}, ...)",
        "the heads of structure, mean ribosome load, splice sites and ncRNA families can be imported",
    )


def write(loaded: ModelDirectory, path) -> None:
    """A checkpoint file as the authors' code loads it."""
    encoder, head = loaded.encoder.state_dict(), loaded.config["head"]
    if head is None:
        pickles.write(encoder, path)
        return
    kind = head.get("kind", "pairs")
    if kind not in PREFIXES:
        raise InputError("--to rinalmo", f"RiNALMo has no head of kind {kind!r}", ENCODER_ALONE)
    state = {PREFIXES[kind] + name: tensor for name, tensor in encoder.items()}
    inner = "pred_head.classifier." if kind == "classes" else "pred_head."
    state |= {inner + name: tensor for name, tensor in loaded.model.head.state_dict().items()}
    if kind == "pairs":
        state["threshold"] = head["threshold"]
    if kind == "scalar":
        state |= {f"scaler._{name}": one(head[name]) for name in ("mean", "std")}
    pickles.write(state, path)


def one(value: float) -> torch.Tensor:
    """(1,) in fp32, as the authors have it, unless that would be another number."""
    single = torch.tensor([value])
    return single if single.item() == value else torch.tensor([value], dtype=torch.float64)
