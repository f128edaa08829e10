"""RNAret's published checkpoints (Zenodo 18313475): the backbone, and those fine-tuned for miRNA-target pairs,
structure and coding potential.

The backbone has our own tensor names, behind `ret.` where it is fine-tuned, and two tensors that are computed here:
they must be equal. The decoder, its threshold, 0.5, and the length 3,000 to which coding potential pads are the code's.
Source: official code DrBlackZJU/RNAret, `retnet.py`, `rri.py`, `ssp.py`, `lnc.py`.
"""

import math

import torch

from rnalm.errors import InputError
from rnalm.models.directory import ModelDirectory
from rnalm.models.exchange import pickles
from rnalm.models.exchange.weights import ENCODER_ALONE, Weights, alike, below, count, flat, size
from rnalm.models.rnaret import RnaretConfig, computed_tensors
from rnalm.tokens.kmer import SPECIAL

FAMILY = "rnaret"
DECODING = {"decoder": "assignment", "threshold": 0.5}
PADDED_TO = 3000
KINDS = ("classes", "plain_pairs", "positions")
# Residual blocks of the head of coding potential that the published code makes and never calls.
IDLE_BLOCKS, IDLE_KERNELS = 16, (1, 7, 1)


def read(path, heads: int | None) -> Weights:
    """heads: unused, the file says it. InputError for a file that is no such checkpoint."""
    tensors = flat(pickles.read(path))
    head, head_tensors = None, {}
    if tuned := below(tensors, "ret."):
        rest = {name: value for name, value in tensors.items() if not name.startswith("ret.")}
        head, head_tensors = read_head(rest, path)
        tensors = tuned
    model = settings(tensors, path)
    computed = computed_tensors(RnaretConfig(**{key: model[key] for key in model if key != "family"}))
    for name, expected in computed.items():
        same = size(tensors, name, path, (expected.dim(),)) == expected.shape and alike(tensors[name], expected)
        if not same or not torch.allclose(tensors[name].float(), expected):
            raise InputError(path, f"has a {name} that is not RNAret's", "import models with the published decay only")
    return Weights(model, {name: t for name, t in tensors.items() if name not in computed}, head, head_tensors)


def settings(encoder: dict, where) -> dict:
    """Settings of the model whose tensors these are."""
    vocabulary, dim = size(encoder, "embed_tokens.weight", where)
    k = round(math.log(max(1, vocabulary - len(SPECIAL)), 4))
    if 4**k + len(SPECIAL) != vocabulary:
        raise InputError(where, f"has {vocabulary} tokens, which fits no k-mers", "give a checkpoint of RNAret")
    sizes = {
        "value_dim": size(encoder, "layers.0.retention.v_proj.weight", where)[0],
        "hidden": size(encoder, "layers.0.ffn.fc1.weight", where)[0],
        "layers": count(encoder, "layers."),
        "heads": size(encoder, "retnet_rel_pos.decay", where, (1,))[0],
    }
    return {"family": FAMILY, "k": k, "dim": dim, **sizes}


def read_head(rest: dict, where) -> tuple[dict, dict]:
    """What a fine-tuned checkpoint has besides its backbone -> (head of a model directory's config, its tensors)."""
    tensors = below(rest, "classifier.")
    if "2.weight" in tensors:
        classes, width = size(tensors, "2.weight", where)
        sizes = {"width": width, "classes": classes, "activation": "tanh"}
        return {"task": "mirna_target", "kind": "classes", **sizes}, tensors
    if "conv_out.weight" in tensors:
        width = size(tensors, "linear_in.weight", where)[0]
        if len(size(tensors, "conv_out.weight", where, (3, 4))) == 4:
            sizes = {"width": width, "blocks": count(tensors, "resnet.blocks.")}
            return {"task": "structure", "kind": "plain_pairs", **sizes, **DECODING}, tensors
        live = {name: tensor for name, tensor in tensors.items() if not name.startswith("resnet.")}
        return {"task": "coding", "kind": "positions", "width": width, "padded_to": PADDED_TO}, live
    raise InputError(
        where,
        f"has a head of unknown form ({', '.join(sorted(rest)[:3])}, ...)",
        "the heads of miRNA-target pairs, structure and coding potential can be imported",
    )


def write(loaded: ModelDirectory, path) -> None:
    """A checkpoint file as the authors' code loads it; its idle blocks are zeros."""
    head = loaded.config["head"]
    state = loaded.encoder.state_dict() | computed_tensors(loaded.encoder.config)
    if head is None:
        pickles.write(state, path)
        return
    kind = head.get("kind", "pairs")
    if kind not in KINDS:
        raise InputError("--to rnaret", f"RNAret has no head of kind {kind!r}", ENCODER_ALONE)
    if kind == "positions" and head.get("blocks"):
        raise InputError("--to rnaret", "RNAret's code never calls the blocks of this head", ENCODER_ALONE)
    state = {f"ret.{name}": tensor for name, tensor in state.items()}
    state |= {f"classifier.{name}": tensor for name, tensor in loaded.model.head.state_dict().items()}
    if kind == "positions":
        width = head["width"]
        for block in range(IDLE_BLOCKS):
            for number, kernel in zip((0, 2, 4), IDLE_KERNELS, strict=True):
                idle = f"classifier.resnet.blocks.{block}.conv_net.{number}."
                state |= {idle + "weight": torch.zeros(width, width, kernel), idle + "bias": torch.zeros(width)}
    pickles.write(state, path)
