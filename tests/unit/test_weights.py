"""Published checkpoints, here of small models with weights by rule.

Imported they give the golden numbers, exported they are what they were, and what does not fit is refused in one line.
"""

import argparse
import csv
import json

import numpy as np
import pytest
import rnalm
import torch
import torch.nn.functional as F
from rnalm import cli, golden
from rnalm.errors import InputError
from rnalm.files import sha256
from rnalm.models import directory, finetuned, registry
from rnalm.models.ernie_rna import PUBLISHED_NAMES, PUBLISHED_UNUSED
from rnalm.models.exchange import multimolecule, transfer
from rnalm.models.names import rename
from rnalm.models.rnaret import computed_tensors
from rnalm.tokens.packing import pack
from safetensors.torch import load_file, save_file
from small_models import ERNIE_RNA, GOLDEN, RNARET, TINY, by_rule, drawn, encoder, ernie_rna, rnaret

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
        {"kind": "maps", "maps": [5], "blocks": 8, "dropout": 0.3, "threshold": 0.5},
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
        {"kind": "plain_pairs", "width": 128, "blocks": 16, "threshold": 0.5},
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


def close(ours, expected, scale: float = 1.0) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(expected), rtol=0, atol=1e-5 * scale)


def equal(ours: dict, expected: dict) -> None:
    assert ours.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(torch.as_tensor(ours[name]), torch.as_tensor(tensor)), name


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


# Imported weights give the authors' numbers


def test_rinalmo(tmp_path):
    model, pairs = imported(tmp_path, published("rinalmo"), "rinalmo"), golden.load("rinalmo")
    assert registry.describe(model.encoder) == {**registry.describe(ENCODERS["rinalmo"])}
    for i in range(4):
        hidden = model.encoder(pack([pairs[f"ids{i}"]]))
        close(hidden, pairs[f"representation{i}"])
        close(model.encoder.logits(hidden), pairs[f"logits{i}"])


def test_rinalmo_structure_folds(tmp_path):
    content = published("rinalmo")
    content = {f"lm.{name}": tensor for name, tensor in content.items()} | {"threshold": THRESHOLD}
    shapes = finetuned.build(ENCODERS["rinalmo"], HEADS["structure"][1]).head.state_dict()
    # The golden pairs' own rule, which is about `pred_head.` and the key.
    content |= {f"pred_head.{key}": by_rule(f"pred_head.{key}", tensor.shape) for key, tensor in shapes.items()}
    model, pairs = imported(tmp_path, content, "rinalmo"), golden.load("rinalmo")
    for i in range(4):
        close(model.model(pack([pairs[f"ids{i}"]]))[0], pairs[f"pair_logits{i}"])
    assert model.config["head"]["threshold"] == THRESHOLD
    (tmp_path / "in.fa").write_text(f">a\n{SEQUENCE}\n")
    rnalm_("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn")
    assert (tmp_path / "out.dbn").read_text().splitlines()[1] == SEQUENCE
    assert "(" in (tmp_path / "out.dbn").read_text()


def test_ernie_rna(tmp_path):
    content = {
        "args": argparse.Namespace(arch="ernie_rna"),
        "model": published("ernie_rna"),
        "last_optimizer_state": {},
    }
    model, pairs = imported(tmp_path, content, "ernie_rna"), golden.load("ernie_rna")
    assert registry.describe(model.encoder) == registry.describe(ENCODERS["ernie_rna"])
    for i, sequence in enumerate(pairs["sequences"].tolist()):
        close(model.encoder(pack([model.encoder.tokeniser.encode(sequence)])), pairs[f"h{i}_3"])


@pytest.mark.parametrize("k", [1, 3])
def test_rnaret(tmp_path, k):
    content, pairs = rnaret(k=k).state_dict() | computed_tensors(ENCODERS["rnaret"].config), golden.load("rnaret")
    model = imported(tmp_path, content, "rnaret")
    assert registry.describe(model.encoder) == registry.describe(rnaret(k=k))
    for length in (7, 80, 300):
        hidden = model.encoder(pack([pairs[f"k{k}_L{length}_ids"]]))
        expected = pairs[f"k{k}_L{length}_residual_stream"]
        close(hidden, expected, np.abs(expected).max())


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_multimolecule(tmp_path, file):
    """The golden pairs of ERNIE-RNA are MultiMolecule's numbers for these tensors under its names."""
    shapes = {}
    for name, tensor in ENCODERS["ernie_rna"].state_dict().items():
        tokens = name in multimolecule.FAMILIES["ernie_rna"].by_token
        (theirs,) = multimolecule.named(name, multimolecule.ERNIE_RNA_NAMES)
        shapes[theirs] = (28, *tensor.shape[1:]) if tokens else tuple(tensor.shape)
    tensors = {}
    for key, shape in shapes.items():
        x = drawn(
            {
                "model.embeddings.word_embeddings.weight": "lm_head.decoder.weight",
                "lm_head.bias": "lm_head.decoder.bias",
            }.get(key, key),
            shape,
        )
        if "layer_norm.weight" in key:
            x = 1 + 0.1 * x
        elif key.endswith("bias") or len(shape) == 1:
            x = 0.05 * x
        else:
            x = x / np.sqrt(shape[-1])
        tensors[key] = torch.from_numpy(x.astype(np.float32))
    tensors["model.embeddings.token_type_embeddings.weight"] = torch.zeros(2, 72)
    tensors["model.pooler.dense.weight"] = torch.zeros(72, 72)
    folder = tmp_path / "theirs"
    folder.mkdir()
    if file == "model.safetensors":
        save_file(tensors, folder / file)
    else:
        torch.save(tensors, folder / file)
    sizes = {"hidden_size": 72, "num_hidden_layers": 3, "num_attention_heads": 6, "intermediate_size": 288}
    (folder / "config.json").write_text(json.dumps({"model_type": "ernierna", "vocab_size": 28, **sizes}))
    rnalm_("import-weights", folder / file, "--from", "multimolecule", "--out", tmp_path / "ours")
    model, pairs = directory.load(tmp_path / "ours").encoder, golden.load("ernie_rna")
    equal(model.state_dict(), ENCODERS["ernie_rna"].state_dict())
    for i, sequence in enumerate(pairs["sequences"].tolist()):
        close(model(pack([model.tokeniser.encode(sequence)])), pairs[f"h{i}_3"])


# Heads, against the published forms stated anew on whole padded tensors


def instance_norm(x, dims):
    centred = x - x.mean(dim=dims, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(dim=dims, keepdim=True) + 1e-5)


def batch_norm(x, state, name, axes):
    weight, bias, mean, var = (
        state[f"{name}.{key}"].reshape(-1, *[1] * axes) for key in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias


def hidden_of(name: str, sequence: str = SEQUENCE):
    model = ENCODERS[HEADS[name][0]]
    return model(pack([model.tokeniser.encode(sequence)]))


def restated_ribosome(s):
    hidden = hidden_of("ribosome")
    x = torch.zeros(102, 60)
    x[: len(hidden)] = hidden
    x = (x @ s["linear_in.weight"].T + s["linear_in.bias"]).T[None]
    for i in range(6):
        y = x
        for j in (0, 3):
            y = F.elu(instance_norm(F.conv1d(y, s[f"resnet.blocks.{i}.conv_net.{j}.weight"], padding=1), 2))
        x = x + y
    x[:, :, len(hidden) :] = 0
    return s["linear_out.weight"] @ (x[0].sum(dim=1) / len(hidden)) + s["linear_out.bias"]


def restated_classes(name, activation):
    def restated(s):
        x = activation(hidden_of(name)[0] @ s["0.weight"].T + s["0.bias"])
        return (x @ s["2.weight"].T + s["2.bias"])[None]

    return restated


def restated_maps(name, heads):
    def restated(s):
        model = ENCODERS["ernie_rna"]
        maps = model.logit_maps(pack([model.tokeniser.encode(SEQUENCE)]))[0][-1][None, heads, 1:-1, 1:-1]
        x = F.relu(F.conv2d(maps, s["conv1.weight"], s["conv1.bias"], padding=3))
        x = torch.cat((F.conv2d(x, s["conv2.weight"], s["conv2.bias"], padding=3), maps), dim=1)
        for i in range(HEADS[name][1]["blocks"]):
            dilation = (1, 2, 4)[i % 3]
            y = F.relu(batch_norm(x, s, f"proj.resnet.{i}.bn1", 2))
            y = F.relu(F.conv2d(y, s[f"proj.resnet.{i}.conv1.weight"], padding=1))
            x = x + F.conv2d(y, s[f"proj.resnet.{i}.conv2.weight"], padding=dilation, dilation=dilation)
        x = F.conv2d(x, s["proj.final.weight"], s["proj.final.bias"], padding=1)
        return (x + x.permute(0, 1, 3, 2))[0]

    return restated


def restated_ernie_ribosome(s):
    hidden = hidden_of("ernie_ribosome")[1:-1]
    x = (hidden @ s["reductio_module.weight"].T + s["reductio_module.bias"]).T[None]
    x = F.conv1d(x, s["predictor.0.weight"], s["predictor.0.bias"], padding=1)
    for i in range(1, 7):
        block, stride = f"predictor.{i}", 2 if i % 2 else 1
        y = F.conv1d(F.relu(batch_norm(x, s, f"{block}.bn1", 1)), s[f"{block}.conv1.weight"], stride=stride, padding=1)
        y = F.conv1d(F.relu(batch_norm(y, s, f"{block}.bn2", 1)), s[f"{block}.conv2.weight"], padding=1)
        if stride == 2:
            x = batch_norm(F.conv1d(x, s[f"{block}.downsample.0.weight"], stride=2), s, f"{block}.downsample.1", 1)
        x = x + y
    return s["predictor.10.weight"] @ x[0].mean(dim=1) + s["predictor.10.bias"]


def restated_rnaret_structure(s):
    hidden = hidden_of("rnaret_structure")
    n = len(hidden)
    pairs = torch.cat((hidden[:, None].expand(n, n, -1), hidden[None].expand(n, n, -1)), dim=-1)
    x = (pairs @ s["linear_in.weight"].T + s["linear_in.bias"]).permute(2, 0, 1)[None]
    for i in range(16):
        y = x
        for j in (0, 2, 4):
            layer = f"resnet.blocks.{i}.conv_net.{j}"
            y = F.relu(F.conv2d(y, s[f"{layer}.weight"], s[f"{layer}.bias"], padding="same"))
        x = x + y
    lower = F.conv2d(x, s["conv_out.weight"], s["conv_out.bias"], padding="same")[0, 0].tril(-1)
    return (lower + lower.T)[None]


def restated_coding(s):
    hidden = hidden_of("coding")
    x = torch.zeros(3000, 48)
    x[: len(hidden)] = hidden
    x = (x @ s["linear_in.weight"].T + s["linear_in.bias"]).T[None]
    return F.conv1d(x, s["conv_out.weight"], s["conv_out.bias"], padding=1)[0, :, : len(hidden)]


RESTATED = {
    "ribosome": restated_ribosome,
    "splice": restated_classes("splice", F.gelu),
    "ncrna": restated_classes("ncrna", F.gelu),
    "targets": restated_classes("targets", torch.tanh),
    "ernie_structure": restated_maps("ernie_structure", [5]),
    "closeness": restated_maps("closeness", [0, 1, 2, 3, 4, 5]),
    "ernie_ribosome": restated_ernie_ribosome,
    "rnaret_structure": restated_rnaret_structure,
    "coding": restated_coding,
}


@pytest.mark.parametrize("name", RESTATED)
def test_heads(tmp_path, name):
    family = HEADS[name][0]
    model = imported(tmp_path, published_head(name), family)
    given = {key: value for key, value in model.config["head"].items() if key != "task"}
    assert given == HEADS[name][1]
    encode = model.encoder.tokeniser.encode
    expected = RESTATED[name](head_tensors(name))
    scale = max(1.0, expected.abs().max().item())
    # Alone and in a pack with others.
    for others in ([], ["ACGUACGGUUCAACGGAUA", "AC"]):
        batch = pack([encode(SEQUENCE), *map(encode, others)])
        out = model.model(batch)
        close(out[0], expected[0], scale)


def test_the_numbers_of_ribosome_load_are_in_the_unit_of_the_targets(tmp_path):
    model = imported(tmp_path, published_head("ribosome"), "rinalmo").model
    torch.testing.assert_close(model.unscaled(torch.tensor([0.0, 1.0])), torch.tensor([MEAN, MEAN + STD]))


# Round trips


@pytest.mark.parametrize("family", LAYOUTS)
def test_round_trip(tmp_path, family):
    first = imported(tmp_path, published(family), family)
    rnalm_("export-weights", tmp_path / "model", "--to", LAYOUTS[family], "--out", tmp_path / "again.pt")
    content = torch.load(tmp_path / "again.pt", weights_only=True)
    content = content["model"] if family == "ernie_rna" else content
    equal(content, {name: tensor for name, tensor in published(family).items() if "inv_freq" not in name})
    again = imported(tmp_path, content, family, "second")
    equal(again.encoder.state_dict(), first.encoder.state_dict())
    assert registry.describe(again.encoder) == registry.describe(first.encoder)


@pytest.mark.parametrize("name", HEADS)
def test_round_trip_with_head(tmp_path, name):
    family = HEADS[name][0]
    imported(tmp_path, published_head(name), family)
    rnalm_("export-weights", tmp_path / "model", "--to", LAYOUTS[family], "--out", tmp_path / "again.pt")
    equal(torch.load(tmp_path / "again.pt", weights_only=True), published_head(name))


@pytest.mark.parametrize("name", ["rinalmo", "ernie_rna", "structure", "ernie_structure"])
def test_round_trip_of_multimolecule(tmp_path, name):
    if name in LAYOUTS:
        first = imported(tmp_path, published(name), name)
    else:
        first = imported(tmp_path, published_head(name), HEADS[name][0])
    # ERNIE-RNA's tokens without a meaning have no place there; they must come back all the same.
    state = first.encoder.state_dict()
    if "embed_tokens.weight" in state:
        state["embed_tokens.weight"][21:24] = 0.5
        directory.save(tmp_path / "model", first.encoder, "# card", first.model, first.config["head"])
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    rnalm_("import-weights", tmp_path / "theirs", "--from", "multimolecule", "--out", tmp_path / "again")
    again = directory.load(tmp_path / "again")
    equal((again.model or again.encoder).state_dict(), (first.model or first.encoder).state_dict())
    assert again.config["head"] == first.config["head"]
    assert registry.describe(again.encoder) == registry.describe(first.encoder)


def test_files_are_readable_as_the_users_mask_says(tmp_path):
    imported(tmp_path, published("ernie_rna"), "ernie_rna")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    (tmp_path / "plain").write_text("")
    files = [*(tmp_path / "model").iterdir(), *(tmp_path / "theirs").iterdir()]
    assert {file.stat().st_mode for file in files} == {(tmp_path / "plain").stat().st_mode}


def test_tokens_of_multimolecule(tmp_path):
    imported(tmp_path, published("rinalmo"), "rinalmo")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    tensors = load_file(tmp_path / "theirs" / "model.safetensors")
    ours, theirs = ENCODERS["rinalmo"].embedding.weight, tensors["model.embeddings.word_embeddings.weight"]
    tokens, names = ENCODERS["rinalmo"].tokeniser.tokens, multimolecule.TOKENS
    assert tuple((tmp_path / "theirs" / "vocab.txt").read_text().split()) == names
    assert torch.equal(theirs[names.index("U")], ours[tokens.index("T")])
    assert torch.equal(theirs[names.index("<pad>")], ours[tokens.index("<pad>")])
    for token in ("X", "<null>", "|", ".", "*", "?"):
        assert torch.equal(theirs[names.index(token)], ours[tokens.index("<unk>")])
        assert tensors["lm_head.bias"][names.index(token)] == -1e4
    logits = torch.randn(5, 60) @ tensors["lm_head.decoder.weight"].T + tensors["lm_head.bias"]
    shared = [names.index("U" if token == "T" else token) for token in tokens]
    torch.testing.assert_close(logits.softmax(dim=1)[:, shared], logits[:, shared].softmax(dim=1))


def test_a_trained_model_of_ours(tmp_path):
    """A head as fine-tuning saves it, without `kind`, and dropouts of its own."""
    head = {"task": "structure", "width": 64, "blocks": 2, "threshold": 0.21}
    model = finetuned.build(encoder({**TINY, "dropout": 0.3}), head)
    directory.save(tmp_path / "ours", model.encoder, "# card", model, head)
    for layout, out in (("rinalmo", "ours.pt"), ("multimolecule", "theirs")):
        rnalm_("export-weights", tmp_path / "ours", "--to", layout, "--out", tmp_path / out)
        heads = ["--heads", 4]
        rnalm_("import-weights", tmp_path / out, "--from", layout, "--out", tmp_path / f"from-{layout}", *heads)
        again = directory.load(tmp_path / f"from-{layout}")
        equal(again.model.state_dict(), model.state_dict())
        assert again.config["head"]["threshold"] == 0.21
        batch = pack([model.encoder.tokeniser.encode(SEQUENCE)])
        assert torch.equal(again.model(batch)[0], model.eval()(batch)[0])


def test_half_precision_and_data_parallelism(tmp_path):
    state = {f"module.{name}": tensor.half() for name, tensor in published("rinalmo").items()}
    model = imported(tmp_path, {"epoch": 3, "state_dict": state}, "rinalmo").encoder
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, ENCODERS["rinalmo"].state_dict()[name].half().float()), name


# Sums


def test_the_sum_is_recorded(tmp_path):
    model = imported(tmp_path, published("rinalmo"), "rinalmo")
    total = sha256(tmp_path / "model.pt")
    assert model.config["source"] == {"file": "model.pt", "layout": "rinalmo", "sha256": total}
    assert total in (tmp_path / "model" / "README.md").read_text()


def test_a_published_file_must_be_that_file(tmp_path, capsys):
    torch.save(published("rinalmo"), tmp_path / "rinalmo_micro_pretrained.pt")
    refused(capsys, tmp_path / "rinalmo_micro_pretrained.pt", "rinalmo", "has SHA-256", "910c73aa")
    (tmp_path / "rinalmo_micro_pretrained.pt").rename(tmp_path / "rinalmo_giga_mrl_ft.pt")
    rnalm_(
        "import-weights",
        tmp_path / "rinalmo_giga_mrl_ft.pt",
        "--from",
        "rinalmo",
        "--heads",
        6,
        "--out",
        tmp_path / "m",
    )
    assert "no sum of a published file of this name is known" in (tmp_path / "m" / "README.md").read_text()


def test_table_of_published_files():
    with open(transfer.PUBLISHED, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["family"] for row in rows} == set(registry.FAMILIES)
    assert {len(row["sha256"]) for row in rows} == {0, 64}
    assert all(row["what"] and row["where"].startswith("https://") for row in rows)
    files = [row["file"] for row in rows if row["file"]]
    assert len(files) == len(set(files))


# What does not fit


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


def without(state: dict, *names: str) -> dict:
    return {name: tensor for name, tensor in state.items() if name not in names}


BAD = {
    "missing": (
        lambda: without(published("rinalmo"), "lm_mask_head.linear1.bias", "lm_mask_head.linear2.bias"),
        ("lacks the tensors lm_mask_head.linear1.bias, lm_mask_head.linear2.bias",),
    ),
    "unknown": (
        lambda: published("rinalmo") | {f"extra{i}": torch.ones(1) for i in range(5)},
        ("has unknown entries extra0, extra1, extra2 and 2 more",),
    ),
    "shape": (
        lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.ones(61)},
        ("other shapes", "lm_mask_head.linear1.bias"),
    ),
    "no threshold": (lambda: without(published_head("structure"), "threshold"), ("without its threshold",)),
    "no scaler": (lambda: without(published_head("ribosome"), "scaler._std"), ("without its threshold or scaler",)),
    "other head": (
        lambda: {f"lm.{n}": t for n, t in published("rinalmo").items()} | {"pred_head.attention.weight": torch.ones(1)},
        ("head of unknown form", "structure, mean ribosome load, splice sites and ncRNA families"),
    ),
    "other family": (lambda: published("rnaret"), ("has no tensor embedding.weight", "--from")),
    "no tensor": (
        lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": 3},
        ("no tensors under", "linear1.bias"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_does_not_fit(tmp_path, capsys, case):
    make, expected = BAD[case]
    torch.save(make(), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "bad.pt", *expected)


def test_heads_that_do_not_divide_the_width(tmp_path, capsys):
    torch.save(published("rinalmo"), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "width 60", "--heads", heads=7)
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "0 attention heads", heads=0)
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "-3 attention heads", heads=-3)


@pytest.mark.parametrize("layout", ["ernie-rna", "rnaret", "multimolecule"])
def test_a_rinalmo_by_another_layout(tmp_path, capsys, layout):
    torch.save(published("rinalmo"), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", layout)


def test_another_decay(tmp_path, capsys):
    torch.save(published("rnaret") | {"retnet_rel_pos.decay": torch.zeros(4)}, tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rnaret", "retnet_rel_pos.decay")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vocab_size": 26}, "vocab_size 26"),
        ({"model_type": "bert"}, "model_type 'bert'"),
        ({"position_embedding_type": "absolute"}, "position_embedding_type 'absolute'"),
        ({"hidden_size": None}, "hidden_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"num_attention_heads": 7}, "width 72 for 7 attention heads"),
        ({"hidden_size": 84}, "other shapes"),
        ({"num_hidden_layers": 2}, "unknown entries model.encoder.layer.2."),
        ({"num_hidden_layers": 4}, "lacks the tensors model.encoder.layer.3."),
    ],
)
def test_another_multimolecule(tmp_path, capsys, change, expected):
    imported(tmp_path, published("ernie_rna"), "ernie_rna")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    config = tmp_path / "theirs" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    refused(capsys, tmp_path / "theirs", "multimolecule", expected)
    for broken in ("{", "[1]", "3"):
        config.write_text(broken)
        refused(capsys, tmp_path / "theirs", "multimolecule", "config.json")


def test_tensors_of_multimolecule_that_do_not_fit(tmp_path, capsys):
    imported(tmp_path, published("rinalmo"), "rinalmo")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    file = tmp_path / "theirs" / "model.safetensors"
    tensors = load_file(file)
    layer = "model.encoder.layer.0.attention."
    for name, tensor in (
        ("model.embeddings.word_embeddings.weight", torch.ones(26, 60)),
        (f"{layer}self.query.weight", torch.ones(60, 59)),
        (f"{layer}self.query.weight", torch.ones(())),
        (f"{layer}output.dense.weight", torch.ones(60, 61)),
    ):
        save_file(tensors | {name: tensor}, file)
        refused(capsys, tmp_path / "theirs", "multimolecule")


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    torch.save(published("rinalmo"), tmp_path / "good.pt")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        rnalm_(
            *("import-weights", tmp_path / "good.pt", "--from", "rinalmo"),
            *("--heads", 6, "--out", tmp_path / "file" / "model"),
        )
    assert "cannot be written" in capsys.readouterr().err


def test_nothing_is_written_over(tmp_path, capsys):
    imported(tmp_path, published("rnaret"), "rnaret")
    with pytest.raises(InputError, match="is there already"):
        transfer.import_weights(tmp_path / "model.pt", "rnaret", tmp_path / "model")
    with pytest.raises(InputError, match="is there already"):
        transfer.export_weights(directory.load(tmp_path / "model"), "rnaret", tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("settings", "head", "layout", "expected"),
    [
        (RNARET, None, "rinalmo", "family rnaret"),
        (RNARET, None, "multimolecule", "has no rnaret"),
        (GOLDEN, None, "ernie-rna", "family rinalmo"),
        (RNARET, HEADS["structure"][1], "rnaret", "no head of kind 'pairs'"),
        (GOLDEN, HEADS["coding"][1], "rinalmo", "no head of kind 'positions'"),
        (GOLDEN, HEADS["splice"][1], "multimolecule", "no such head"),
        (GOLDEN, HEADS["structure"][1] | {"width": 8}, "multimolecule", "no such head"),
        (GOLDEN, HEADS["ribosome"][1] | {"padded_to": 0}, "rinalmo", "no place for padded_to"),
        (RNARET, HEADS["rnaret_structure"][1] | {"threshold": 0.4}, "rnaret", "no place for threshold"),
        (ERNIE_RNA | {"pair_hidden": 5}, None, "multimolecule", "other shapes"),
    ],
)
def test_what_a_layout_cannot_hold(tmp_path, settings, head, layout, expected):
    model = finetuned.build(registry.build(settings), head) if head else None
    made = model.encoder if model else registry.build(settings)
    directory.save(tmp_path / "ours", made, "# card", model, head)
    with pytest.raises(InputError, match=expected) as error:
        transfer.export_weights(directory.load(tmp_path / "ours"), layout, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_a_head_that_is_not_for_structures_does_not_fold(tmp_path):
    imported(tmp_path, published_head("splice"), "rinalmo")
    with pytest.raises(InputError, match="without a structure head"):
        rnalm.load(tmp_path / "model").fold([SEQUENCE])
