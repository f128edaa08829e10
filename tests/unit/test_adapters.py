"""LoRA: adapters alone are trained, and merged they leave a plain encoder."""

import builtins

import pytest
import torch
from rnalm.errors import InputError
from rnalm.models import directory, finetuned
from rnalm.models.rinalmo import Transition
from rnalm.tokens.packing import pack
from rnalm.training.adapters import add_lora, merge_lora
from rnalm.training.unfreezing import unfreeze
from small_models import GOLDEN, encoder, ernie_rna, rnaret

FAMILIES = {"rinalmo": lambda: encoder(GOLDEN), "ernie_rna": ernie_rna, "rnaret": rnaret}
FAMILY = pytest.mark.parametrize("family", FAMILIES)
# Linear layers of a block.
LAYERS = {"rinalmo": 5, "ernie_rna": 6, "rnaret": 8}
HEAD = {"kind": "classes", "width": 8, "classes": 2, "activation": "gelu"}
SEQUENCES = ["ACGGUUACGUCC", "GGGAAACGGUUCCAUACCC"]


def batch(encoder):
    return pack([encoder.tokeniser.encode(sequence) for sequence in SEQUENCES])


def adapted(family: str):
    """An encoder with adapters that are no longer zero, and they."""
    torch.manual_seed(0)
    model = FAMILIES[family]()
    parameters = add_lora(model, 4, 8.0, 0.1)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval(), parameters


@FAMILY
def test_only_adapters_are_trained_and_all_of_them(family):
    model, parameters = adapted(family)
    assert len(parameters) == 2 * LAYERS[family] * len(model.blocks)
    model(batch(model)).square().sum().backward()
    trained = {id(parameter) for parameter in parameters}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in trained) == (".lora_" in name), name
        # A layer that is run past its adapter would have none.
        has_gradient = parameter.grad is not None and parameter.grad.abs().sum() > 0
        assert has_gradient == (id(parameter) in trained), name


@FAMILY
@torch.no_grad()
def test_adapters_change_nothing_at_first(family):
    model = FAMILIES[family]()
    before = model(batch(model))
    add_lora(model, 4, 8.0, 0.1)
    assert torch.equal(model.eval()(batch(model)), before)


@FAMILY
@torch.no_grad()
def test_merged_it_is_a_plain_encoder_of_the_same_numbers(tmp_path, family):
    model, _ = adapted(family)
    plain = FAMILIES[family]()
    before = model(batch(model))
    assert (before - plain(batch(plain))).abs().max() > 1e-2
    merge_lora(model)
    scale = max(1.0, before.abs().max().item())
    torch.testing.assert_close(model(batch(model)), before, atol=2e-5 * scale, rtol=0)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert [type(module) for module in model.modules()] == [type(module) for module in plain.modules()]
    tuned = finetuned.build(model, HEAD).eval()
    directory.save(tmp_path / "model", model, "# card", tuned, HEAD)
    again = directory.load(tmp_path / "model").model
    assert torch.equal(again(batch(model)), tuned(batch(model)))


def test_adapters_are_a_part_of_an_unfreezing_schedule():
    model, parameters = adapted("rinalmo")
    tuned = finetuned.build(model, HEAD).requires_grad_(False)
    assert {id(p) for p in unfreeze(tuned, ["adapters"])} == {id(p) for p in parameters}


@torch.no_grad()
def test_a_filled_up_width_has_adapters_too(monkeypatch):
    """On a GPU RiNALMo's hidden width is filled up by weights of zero, which an adapter knows nothing of."""
    model, _ = adapted("rinalmo")
    before = model(batch(model))
    monkeypatch.setattr("rnalm.models.rinalmo.missing", lambda width, device: -width % 64)
    torch.testing.assert_close(model(batch(model)), before)
    plain = Transition(encoder(GOLDEN).config).eval()
    x = torch.randn(5, 60, generator=torch.Generator().manual_seed(0))
    filled = plain(x)
    monkeypatch.setattr("rnalm.models.rinalmo.missing", lambda width, device: 0)
    torch.testing.assert_close(plain(x), filled)


def test_without_peft(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **named):
        if name.partition(".")[0] == "peft":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match="pip install"):
        add_lora(encoder(GOLDEN), 4, 8.0, 0.1)
    merge_lora(encoder(GOLDEN))  # without adapters there is nothing to do
