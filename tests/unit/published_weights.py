"""Published checkpoints of small models with weights by rule, for the tests of import and export."""

import pytest
import torch
from rnalm import cli
from rnalm.models import directory, finetuned
from rnalm.models.ernie_rna import PUBLISHED_NAMES, PUBLISHED_UNUSED
from rnalm.models.names import rename
from rnalm.models.rnaret import computed_tensors
from small_models import GOLDEN, by_rule, encoder, ernie_rna, rnaret

THRESHOLD, MEAN, STD = 0.07, 5.25, 1.375
LAYOUTS = {"rinalmo": "rinalmo", "ernie_rna": "ernie-rna", "rnaret": "rnaret"}
ENCODERS = {"rinalmo": encoder(), "ernie_rna": ernie_rna(), "rnaret": rnaret()}
# Every head that is published: family, what a model directory says of it, prefixes of encoder and head in the file.
HEADS = {
    "structure": ("rinalmo", {"kind": "pairs", "width": 64, "blocks": 2, "threshold": THRESHOLD}, "lm.", "pred_head."),
    "ribosome": (
        "rinalmo",
        {"kind": "scalar", "width": 32, "blocks": 6, "padded_to": 102, "mean": MEAN, "std": STD},
        "lm.",
        "pred_head.",
    ),
    "splice": (
        "rinalmo",
        {"kind": "classes", "width": 128, "classes": 1, "activation": "gelu"},
        "rinalmo.",
        "pred_head.classifier.",
    ),
    "ncrna": (
        "rinalmo",
        {"kind": "classes", "width": 256, "classes": 88, "activation": "gelu"},
        "rinalmo.",
        "pred_head.classifier.",
    ),
    "ernie_structure": (
        "ernie_rna",
        {"kind": "maps", "maps": [5], "blocks": 8, "dropout": 0.3, "decoder": "unrolled", "threshold": 0.5},
        "module.sentence_encoder.",
        "module.",
    ),
    "closeness": (
        "ernie_rna",
        {"kind": "maps", "maps": [0, 1, 2, 3, 4, 5], "blocks": 16, "dropout": 0.4},
        "module.sentence_encoder.",
        "module.",
    ),
    "ernie_ribosome": (
        "ernie_rna",
        {"kind": "load", "width": 32, "mean": 5.269799754058842, "std": 1.3539032306228027},
        "module.sentence_encoder.",
        "module.head.",
    ),
    "targets": ("rnaret", {"kind": "classes", "width": 48, "classes": 2, "activation": "tanh"}, "ret.", "classifier."),
    "rnaret_structure": (
        "rnaret",
        {"kind": "plain_pairs", "width": 128, "blocks": 16, "decoder": "assignment", "threshold": 0.5},
        "ret.",
        "classifier.",
    ),
    "coding": ("rnaret", {"kind": "positions", "width": 128, "padded_to": 3000}, "ret.", "classifier."),
}
SEQUENCE = "GGGAAACGGUUCCAUACCC"


def published(family: str, wrapper: str = "encoder.") -> dict[str, torch.Tensor]:
    """The family's tensors as its pre-trained file has them; wrapper: of ERNIE-RNA's outermost module."""
    state = ENCODERS[family].state_dict()
    if family == "rinalmo":
        return state | {f"transformer.blocks.{i}.mh_attn.rotary_emb.inv_freq": torch.ones(5) for i in range(3)}
    if family == "rnaret":
        return state | computed_tensors(ENCODERS[family].config)
    state = {rename(name, PUBLISHED_NAMES): tensor for name, tensor in state.items()}
    state |= {name: torch.zeros([72 if n == 768 else n for n in shape]) for name, shape in PUBLISHED_UNUSED.items()}
    return {name.replace("encoder.", wrapper, 1): tensor for name, tensor in state.items()}


def head_tensors(name: str) -> dict[str, torch.Tensor]:
    """By rule; a variance must be positive."""
    family, head, *_ = HEADS[name]
    state = finetuned.build(ENCODERS[family], head).head.state_dict()
    made = {key: by_rule(f"{name}.{key}", tensor.shape) for key, tensor in state.items() if tensor.is_floating_point()}
    made |= {key: tensor.abs() + 0.5 for key, tensor in made.items() if key.endswith("running_var")}
    return state | made


def published_head(name: str) -> dict:
    """A fine-tuned file."""
    family, _, before, inner = HEADS[name]
    if family == "ernie_rna":
        state = published(family, before)
    else:
        state = {before + key: tensor for key, tensor in published(family).items() if "inv_freq" not in key}
    state |= {inner + key: tensor for key, tensor in head_tensors(name).items()}
    if name == "structure":
        state["threshold"] = THRESHOLD
    if name == "ribosome":
        state |= {"scaler._mean": torch.tensor([MEAN]), "scaler._std": torch.tensor([STD])}
    if name == "coding":
        for i in range(16):
            for j, kernel in ((0, 1), (2, 7), (4, 1)):
                state[f"classifier.resnet.blocks.{i}.conv_net.{j}.weight"] = torch.zeros(128, 128, kernel)
                state[f"classifier.resnet.blocks.{i}.conv_net.{j}.bias"] = torch.zeros(128)
    return state


def rnalm_(*arguments) -> None:
    cli.main([str(argument) for argument in arguments])


def imported(tmp_path, content, family: str, name: str = "model") -> directory.ModelDirectory:
    torch.save(content, tmp_path / f"{name}.pt")
    heads = ["--heads", GOLDEN["heads"]] if family == "rinalmo" else []
    rnalm_("import-weights", tmp_path / f"{name}.pt", "--from", LAYOUTS[family], "--out", tmp_path / name, *heads)
    return directory.load(tmp_path / name)


def equal(ours: dict, expected: dict) -> None:
    assert ours.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(torch.as_tensor(ours[name]), torch.as_tensor(tensor)), name


def refused(capsys, file, layout: str, *expected: str, heads=6) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        rnalm_("import-weights", file, "--from", layout, "--heads", heads, "--out", file.with_name("out"))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and error.startswith("error: ")
    for part in expected:
        assert part in error
    assert not file.with_name("out").exists()
