"""ERNIE-RNA's published checkpoints: the pre-trained fairseq file, and those fine-tuned for structure, 3D closeness and
mean ribosome load.

Tensors that the model never uses (segments, pooler, sentence projection) are dropped; written, they are zeros, so that
the authors' code finds all it asks for. Fine-tuned files have `sentence_encoder.` for `encoder.`. They hold neither a
threshold nor the scaler: 0.5 after the authors' solver, and the scaler that they ship beside the file.
Source: official code Bruce-ywj/ERNIE-RNA.
"""

import torch

from rnalm.errors import InputError
from rnalm.models.directory import ModelDirectory
from rnalm.models.ernie_rna import PUBLISHED_NAMES, PUBLISHED_UNUSED
from rnalm.models.exchange import pickles
from rnalm.models.exchange.weights import ENCODER_ALONE, Weights, below, count, flat, refuse, size
from rnalm.models.names import rename

FAMILY = "ernie_rna"
PUBLISHED_DIM = 768
DECODING = {"decoder": "unrolled", "threshold": 0.5}
# The scaler of ribosome load: mean and standard deviation of the 68,688 training targets.
SCALER = {"mean": 5.269799754058842, "std": 1.3539032306228027}
# The attention head that the structure head reads.
STRUCTURE_MAP = 5
OUR_NAMES = {theirs: ours for ours, theirs in PUBLISHED_NAMES.items()}


def read(path, heads: int | None) -> Weights:
    """heads: unused, the file says it. InputError for a file that is no such checkpoint."""
    tensors = flat(pickles.read(path))
    head, head_tensors = None, {}
    if tuned := below(tensors, "sentence_encoder."):
        rest = {name: value for name, value in tensors.items() if not name.startswith("sentence_encoder.")}
        head, head_tensors = read_head(rest, path)
        tensors = {f"encoder.{name}": value for name, value in tuned.items()}
    encoder = renamed({name: t for name, t in tensors.items() if name not in PUBLISHED_UNUSED}, OUR_NAMES, path)
    return Weights(settings(encoder, path), encoder, head, head_tensors)


def renamed(tensors: dict, table: dict[str, str], where) -> dict:
    """Tensors by other names; InputError for those that the table does not have."""
    names, unknown = {}, []
    for name in tensors:
        try:
            names[name] = rename(name, table)
        except KeyError:
            unknown.append(name)
    refuse(where, "has unknown entries", unknown)
    return {names[name]: tensor for name, tensor in tensors.items()}


def settings(encoder: dict, where) -> dict:
    """Settings of the model whose tensors these are."""
    heads, pair_hidden = size(encoder, "twod_proj.linear2.weight", where)
    sizes = {
        "dim": size(encoder, "embed_tokens.weight", where)[-1],
        "layers": count(encoder, "layers."),
        "heads": heads,
        "hidden": size(encoder, "layers.0.fc1.weight", where)[0],
        "pair_hidden": pair_hidden,
    }
    return {"family": FAMILY, **sizes}


def read_head(rest: dict, where) -> tuple[dict, dict]:
    """What a fine-tuned checkpoint has besides its backbone -> (head of a model directory's config, its tensors)."""
    blocks = count(rest, "proj.resnet.")
    if "conv1.weight" in rest and blocks:
        maps = size(rest, "conv1.weight", where, (4,))[1]
        if maps == 1:
            sizes = {"maps": [STRUCTURE_MAP], "blocks": blocks, "dropout": 0.3}
            return {"task": "structure", "kind": "maps", **sizes, **DECODING}, rest
        sizes = {"maps": list(range(maps)), "blocks": blocks, "dropout": 0.4}
        return {"task": "closeness", "kind": "maps", **sizes}, rest
    if "head.reductio_module.weight" in rest:
        width = size(rest, "head.reductio_module.weight", where)[0]
        return {"task": "mean_ribosome_load", "kind": "load", "width": width, **SCALER}, below(rest, "head.")
    raise InputError(
        where,
        f"has a head of unknown form ({', '.join(sorted(rest)[:3])}, ...)",
        "the heads of structure (from attention maps), 3D closeness and mean ribosome load can be imported",
    )


def write(loaded: ModelDirectory, path) -> None:
    """A checkpoint file: the pre-trained one with its weights under `model`, without fairseq's options."""
    dim, head = loaded.encoder.config.dim, loaded.config["head"]
    state = {rename(name, PUBLISHED_NAMES): tensor for name, tensor in loaded.encoder.state_dict().items()}
    for name, shape in PUBLISHED_UNUSED.items():
        state[name] = torch.zeros([dim if length == PUBLISHED_DIM else length for length in shape])
    if head is None:
        pickles.write({"model": state}, path)
        return
    if head.get("kind") not in ("maps", "load"):
        problem = f"ERNIE-RNA has no head of kind {head.get('kind', 'pairs')!r}"
        raise InputError("--to ernie-rna", problem, ENCODER_ALONE)
    state = {name.replace("encoder.", "module.sentence_encoder.", 1): tensor for name, tensor in state.items()}
    inner = "module.head." if head["kind"] == "load" else "module."
    state |= {inner + name: tensor for name, tensor in loaded.model.head.state_dict().items()}
    pickles.write(state, path)
