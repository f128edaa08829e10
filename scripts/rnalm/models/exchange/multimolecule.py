"""MultiMolecule's layout (0.2.2): a directory with config.json, model.safetensors and the vocabulary, for RiNALMo and
ERNIE-RNA, with a language-model or a structure head.

Written: its 28 tokens have the rows of ours of the same name, U that of T. A token that the family does not have gets
the embedding of `<unk>`, as which the family reads it, and a logit so low that its probability is zero. What has no
place there is kept beside it for `read`: the head in config.json under `rnalm`, ERNIE-RNA's three tokens without a
meaning in rnalm.safetensors. ERNIE-RNA there has no pairs of -1 for `<mask>` (our `mask_pairs: false`).

MultiMolecule is under AGPL-3.0: nothing here imports it or is copied from it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from rnalm.errors import InputError
from rnalm.files import read_json, write_json, write_text
from rnalm.models import ernie_rna, finetuned, registry
from rnalm.models.directory import ModelDirectory
from rnalm.models.exchange import pickles
from rnalm.models.exchange.weights import ENCODER_ALONE, Weights, flat, refuse
from rnalm.models.names import rename
from rnalm.tokens.tokeniser import Tokeniser

TOKENS = (
    *("<pad>", "<cls>", "<eos>", "<unk>", "<mask>", "<null>"),
    *("A", "C", "G", "U", "N", "R", "Y", "S", "W", "K", "M", "B", "D", "H", "V", "I", "X", "|", ".", "*", "-", "?"),
)
IMPOSSIBLE = -1e4  # a logit, finite in half precision
EXTRA = "rnalm.safetensors"
BLOCK, LAYER = "transformer.blocks.{}.", "model.encoder.layer.{}."
RINALMO_NAMES = {
    "embedding": "model.embeddings.word_embeddings",
    BLOCK + "mh_attn.Wqkv": LAYER + "attention.self.{{part}}",
    BLOCK + "mh_attn.out_proj": LAYER + "attention.output.dense",
    BLOCK + "attn_layer_norm": LAYER + "attention.layer_norm",
    BLOCK + "out_layer_norm": LAYER + "layer_norm",
    BLOCK + "transition.{}.beta": LAYER + "intermediate.bias",
    BLOCK + "transition.{}.linear": LAYER + "intermediate.linear",
    BLOCK + "transition.{}.linear_gate": LAYER + "intermediate.linear_gate",
    BLOCK + "transition.{}": LAYER + "output.dense",
    "transformer.final_layer_norm": "model.encoder.layer_norm",
    "lm_mask_head.linear1": "lm_head.transform.dense",
    "lm_mask_head.layer_norm": "lm_head.transform.layer_norm",
    "lm_mask_head.linear2.weight": "lm_head.decoder.weight",
    "lm_mask_head.linear2.bias": "lm_head.bias",
}
ERNIE_RNA_NAMES = ernie_rna.MULTIMOLECULE_NAMES | {"lm_head.bias": "lm_head.bias"}
MAP_HEAD_NAMES = {
    "conv1": "ss_head.conv1",
    "conv2": "ss_head.conv2",
    "proj.resnet.{}.bn1": "ss_head.convnet.blocks.{}.norm",
    "proj.resnet.{}.conv1": "ss_head.convnet.blocks.{}.conv1",
    "proj.resnet.{}.conv2": "ss_head.convnet.blocks.{}.conv2",
    "proj.final": "ss_head.convnet.projection",
}
PAIR_HEAD_NAMES = {"linear_in": "ss_head.projection", "conv_out": "ss_head.prediction"} | {
    f"resnet.blocks.{block}.conv_net.{number}.weight": f"ss_head.convnet.layers.{block}.conv{i}.weight"
    for block in (0, 1)
    for i, number in enumerate((0, 3, 6), start=1)
}
SPECIAL = {
    "pad": "<pad>",
    "bos": "<cls>",
    "cls": "<cls>",
    "eos": "<eos>",
    "sep": "<eos>",
    "unk": "<unk>",
    "mask": "<mask>",
}
CONFIG = {
    **{f"{name}_token_id": TOKENS.index(f"<{name}>") for name in ("pad", "eos", "unk", "mask", "null")},
    "bos_token_id": TOKENS.index("<cls>"),
    "vocab_size": len(TOKENS),
    "layer_norm_eps": 1e-5,
    "dtype": "float32",
}
TOKENISER = {
    "tokenizer_class": "RnaTokenizer",
    **{f"{name}_token": token for name, token in SPECIAL.items()},
    "extra_special_tokens": ["<null>"],
    "nmers": 1,
    "codon": False,
    "replace_T_with_U": True,
}
# Never applied, or the same as another.
IGNORED = ("model.embeddings.token_type_embeddings.", "model.pooler.", "lm_head.decoder.bias")


@dataclass(frozen=True)
class Family:
    """What MultiMolecule makes of one of our families.

    names, head_names: tables of `models.names`, or {our tensor: theirs}
    by_token: tensors with a row per token, and what fills the rows of tokens that the family does not have
    sizes: {our setting: key of their config}; fixed: further entries of their config, which a file must share
    head: the one they have, with the threshold that their pipeline takes
    """

    model_type: str
    architecture: str
    names: dict[str, str]
    by_token: dict[str, str]
    sizes: dict[str, str]
    fixed: dict
    head: dict
    head_names: dict[str, str]


SIZES = {"dim": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"}
FAMILIES = {
    "rinalmo": Family(
        model_type="rinalmo",
        architecture="RiNALMo",
        names=RINALMO_NAMES,
        by_token={
            "embedding.weight": "unknown",
            "lm_mask_head.linear2.weight": "zero",
            "lm_mask_head.linear2.bias": "impossible",
        },
        sizes=SIZES,
        fixed={
            "position_embedding_type": "rotary",
            "token_dropout": True,
            "learnable_beta": True,
            "tie_word_embeddings": False,
        },
        head={"task": "structure", "kind": "pairs", "width": 64, "blocks": 2, "threshold": 0.5},
        head_names=PAIR_HEAD_NAMES,
    ),
    "ernie_rna": Family(
        model_type="ernierna",
        architecture="ErnieRna",
        names=ERNIE_RNA_NAMES,
        by_token={"embed_tokens.weight": "unknown", "lm_head.bias": "impossible"},
        sizes=SIZES | {"hidden": "intermediate_size"},
        fixed={"position_embedding_type": "sinusoidal", "pairwise_alpha": 0.8, "tie_word_embeddings": True},
        head={"task": "structure", "kind": "maps", "maps": [5], "blocks": 8, "dropout": 0.3}
        | {"decoder": "unrolled", "threshold": 0.5},
        head_names=MAP_HEAD_NAMES,
    ),
}


def read(path, heads: int | None) -> Weights:
    """path: a directory, or the checkpoint file in one. InputError for one that is no such model."""
    path = Path(path)
    folder, file = (path, path / "model.safetensors") if path.is_dir() else (path.parent, path)
    config = read_config(folder / "config.json")
    by_type = {family.model_type: (name, family) for name, family in FAMILIES.items()}
    if config.get("model_type") not in tuple(by_type):
        problem = f"has model_type {config.get('model_type')!r}"
        raise InputError(folder / "config.json", problem, f"only {' and '.join(by_type)} can be imported")
    name, family = by_type[config["model_type"]]
    settings = read_settings(name, family, config, folder / "config.json")
    tensors = {name: t for name, t in flat(pickles.read(file)).items() if not name.startswith(IGNORED)}
    extra = pickles.read(folder / EXTRA) if (folder / EXTRA).is_file() else {}

    with torch.device("meta"):
        encoder = registry.build(settings, folder / "config.json")
    tokens = rna(encoder.tokeniser)
    ours = {}
    for own in encoder.state_dict():
        parts = named(own, family.names)
        refuse(file, "lacks the tensors", set(parts) - tensors.keys())
        try:
            tensor = torch.cat([tensors.pop(part) for part in parts])
            ours[own] = rows_of(tensor, tokens, extra.get(own)) if own in family.by_token else tensor
        except RuntimeError as error:
            raise InputError(file, f"has a {parts[0]} that does not fit: {error}", "copy it again") from None
    head, head_tensors = None, {}
    if any(name.startswith("ss_head.") for name in tensors):
        head = kept_head(config, family)
        names = {named(own, family.head_names)[0]: own for own in head_state(encoder, head, folder)}
        head_tensors = {names.get(theirs, theirs): tensor for theirs, tensor in tensors.items()}
    else:
        refuse(file, "has unknown entries", tensors)
    return Weights(settings, ours, head, head_tensors)


def kept_head(config: dict, family: Family) -> dict:
    """The head that `write` noted, if it did and it is of the form that they have; else the one they have."""
    noted = config.get("rnalm")
    head = noted.get("head") if isinstance(noted, dict) else None
    return head if isinstance(head, dict) and described(head) == described(family.head) else family.head


def read_config(path: Path) -> dict:
    try:
        return dict(read_json(path))
    except FileNotFoundError:
        raise InputError(path, "is no file", "give a directory that MultiMolecule saved a model in") from None
    except (ValueError, TypeError) as error:
        raise InputError(path, f"cannot be read: {error}", "copy it again") from None


def read_settings(name: str, family: Family, config: dict, where: Path) -> dict:
    """Settings of our model; InputError for a vocabulary or a variant that is another."""
    for key, value in ({"vocab_size": len(TOKENS), "layer_norm_eps": 1e-5} | family.fixed).items():
        if config.get(key, value) != value:
            raise InputError(where, f"has {key} {config[key]!r}", f"only models with {value!r} can be imported")
    vocabulary = where.with_name("vocab.txt")
    if vocabulary.is_file() and tuple(vocabulary.read_text().split()) != TOKENS:
        raise InputError(vocabulary, "lists other tokens than MultiMolecule 0.2 has", "save the model again with 0.2.2")
    wrong = [key for key in family.sizes.values() if not isinstance(config.get(key), int) or config[key] < 1]
    refuse(where, "lacks the numbers", wrong)
    settings = {"family": name} | {ours: config[theirs] for ours, theirs in family.sizes.items()}
    return settings | ({"pair_hidden": settings["heads"] // 2} if name == "ernie_rna" else {})


def named(name: str, table: dict[str, str]) -> list[str]:
    """Their names of one of our tensors: three of the fused projection of queries, keys and values."""
    theirs = table.get(name) or rename(name, table)
    return [theirs.format(part=part) for part in ("query", "key", "value")] if "{part}" in theirs else [theirs]


def head_state(encoder, head: dict, where) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return finetuned.build(encoder, head, where).head.state_dict()


def described(head: dict) -> dict:
    return {"kind": head.get("kind", "pairs")} | finetuned.sizes(head)


def rna(tokeniser: Tokeniser) -> list[str]:
    """Our tokens as they call them: U for T."""
    return ["U" if token == tokeniser.thymine else token for token in tokeniser.tokens]


def rows_of(theirs: torch.Tensor, tokens: list[str], extra: torch.Tensor | None) -> torch.Tensor:
    """(28, ...) -> (our tokens, ...): rows by token; those that they do not have come from `extra`, or are zeros.

    RuntimeError for another number of rows.
    """
    if len(theirs) != len(TOKENS):
        raise RuntimeError(f"{len(theirs)} tokens for {len(TOKENS)}")
    shared = [i for i, token in enumerate(tokens) if token in TOKENS]
    ours = theirs.new_zeros(len(tokens), *theirs.shape[1:])
    if extra is not None:
        ours[[i for i, token in enumerate(tokens) if token not in TOKENS]] = extra
    ours[shared] = theirs[[TOKENS.index(tokens[i]) for i in shared]]
    return ours


def rows_for(ours: torch.Tensor, tokens: list[str], filler: str) -> torch.Tensor:
    """(our tokens, ...) -> (28, ...): rows by token; those that we do not have are filled."""
    fill = {"unknown": ours[tokens.index("<unk>")], "zero": torch.zeros(()), "impossible": torch.tensor(IMPOSSIBLE)}
    theirs = fill[filler].expand(len(TOKENS), *ours.shape[1:]).clone()
    for i, token in enumerate(TOKENS):
        if token in tokens:
            theirs[i] = ours[tokens.index(token)]
    return theirs


def write(loaded: ModelDirectory, folder: Path) -> None:
    """Fill an empty directory that MultiMolecule loads by its auto classes."""
    name, head = loaded.config["model"]["family"], loaded.config["head"]
    if name not in FAMILIES:
        raise InputError("--to multimolecule", f"MultiMolecule has no {name}", f"export one of {', '.join(FAMILIES)}")
    family, encoder = FAMILIES[name], loaded.encoder
    if head and described(head) != described(family.head):
        problem = f"MultiMolecule has no such head for {name}, only one for structures of the published size"
        raise InputError("--to multimolecule", problem, ENCODER_ALONE)

    tokens, tensors, extra = rna(encoder.tokeniser), {}, {}
    for own, tensor in encoder.state_dict().items():
        if own in family.by_token:
            lost = [i for i, token in enumerate(tokens) if token not in TOKENS]
            extra |= {own: tensor[lost]} if lost else {}
            tensor = rows_for(tensor, tokens, family.by_token[own])
        theirs = named(own, family.names)
        tensors |= dict(zip(theirs, tensor.chunk(len(theirs)), strict=True))
    if head:
        inner = loaded.model.head.state_dict()
        tensors |= {named(own, family.head_names)[0]: tensor for own, tensor in inner.items()}
    if name == "ernie_rna":
        # Made by their code, never applied.
        tensors["model.embeddings.token_type_embeddings.weight"] = torch.zeros(2, encoder.config.dim)
    write_text(folder / "vocab.txt", "\n".join(TOKENS) + "\n")
    contents = {"model.safetensors": tensors} | ({EXTRA: extra} if extra else {})
    for file, held in contents.items():
        save_file({key: tensor.contiguous() for key, tensor in held.items()}, folder / file, {"format": "pt"})
        shutil.copymode(folder / "vocab.txt", folder / file)
    write_json(folder / "tokenizer_config.json", TOKENISER)
    task = "SecondaryStructurePrediction" if head else "PreTraining"
    config = {
        "model_type": family.model_type,
        "architectures": [f"{family.architecture}For{task}"],
        "intermediate_size": 4 * encoder.config.dim,  # RiNALMo's: two thirds of it are the hidden width
        **{theirs: getattr(encoder.config, ours) for ours, theirs in family.sizes.items()},
        **family.fixed,
        **CONFIG,
        "rnalm": {"head": head},
    }
    write_json(folder / "config.json", config)
