"""Heads of published checkpoints against their published forms, stated anew on whole padded tensors."""

import pytest
import torch
import torch.nn.functional as F
from published_weights import ENCODERS, HEADS, MEAN, SEQUENCE, STD, head_tensors, imported, published_head
from rnalm.tokens.packing import pack
from small_models import close

pytestmark = pytest.mark.usefixtures("no_gradients")


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
