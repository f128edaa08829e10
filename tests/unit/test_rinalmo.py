"""RiNALMo's rotary positions; its hidden width, filled up for GPUs: the same numbers, nothing of it outside."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from rnalm.models import registry, rinalmo
from rnalm.models.rinalmo import missing, rotate
from rnalm.tokens.packing import pack
from small_models import ROOT, TINY, encoder

WIDTHS = {"nano": (853, 896), "micro": (1280, 1280), "mega": (1706, 1728), "giga": (3413, 3456)}


def test_rotary_positions_turn_the_first_half_against_the_second_and_begin_at_0():
    """Unit j of the first half and unit j of the second are one complex number; its angle is p x 10000^(-j / half)."""
    model, half = encoder(TINY), 4
    batch = pack([np.arange(5, 12), np.arange(5, 8)])
    x = torch.randn(10, 2, TINY["heads"], 2 * half, generator=torch.Generator().manual_seed(0))
    places = np.array([*range(7), *range(3)])
    angles = places[:, None] * 10000.0 ** -(np.arange(half) / half)
    turned = torch.complex(x[..., :half], x[..., half:]).numpy() * np.exp(1j * angles)[:, None, None]
    expected = torch.from_numpy(np.concatenate((turned.real, turned.imag), axis=-1)).float()
    torch.testing.assert_close(rotate(x, *model.transformer.rotary(batch)), expected, rtol=0, atol=1e-6)


def test_angles_far_along_are_those_of_fp32_also_in_half_precision():
    model = encoder(TINY).bfloat16()
    cos, _ = model.transformer.rotary(pack([np.full(4000, 5)]))
    assert cos.dtype == torch.float32
    torch.testing.assert_close(cos[:, 0, 0, 0], torch.arange(4000.0).cos())


def filled_on_cpus(width: int, device: torch.device) -> int:
    return missing(width, torch.device("cuda"))


@pytest.mark.parametrize("name", WIDTHS)
def test_widths(name):
    settings = yaml.safe_load((ROOT / "config/models" / f"{name}.yaml").read_text())
    with torch.device("meta"):
        (swiglu, _, out), *_ = (block.transition for block in registry.build(settings).blocks)
    width, wide = WIDTHS[name]
    assert swiglu.linear.out_features == swiglu.linear_gate.out_features == out.in_features == width
    assert width + missing(width, torch.device("cuda")) == wide
    assert missing(width, torch.device("cpu")) == 0


def trained(steps: int) -> tuple[torch.nn.Module, list[torch.Tensor]]:
    """A model of hidden width 85 after AdamW with decay, in fp64, and its losses."""
    torch.manual_seed(0)
    model = encoder(TINY, dropout=0.1).double().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    losses = []
    for step in range(steps):
        ids = np.random.default_rng(step).integers(5, 9, 60)
        batch = pack([ids[:40], ids[40:]])
        losses.append(F.cross_entropy(model.logits(model(batch)), batch.ids))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    return model, losses


def test_filled_up_units_change_nothing(monkeypatch):
    plain, losses = trained(20)
    widths = []

    def observed(*arguments):
        widths.append(arguments[1].shape)
        return linear(*arguments)

    linear = F.linear
    monkeypatch.setattr(F, "linear", observed)
    monkeypatch.setattr(rinalmo, "missing", filled_on_cpus)
    wide, wide_losses = trained(20)
    assert {(128, 32), (32, 128)} <= set(widths) and not {(85, 32), (32, 85)} & set(widths)
    torch.testing.assert_close(wide_losses, losses, rtol=1e-12, atol=0)
    state, wide_state = plain.state_dict(), wide.state_dict()
    assert {name: t.shape for name, t in wide_state.items()} == {name: t.shape for name, t in state.items()}
    for name, tensor in wide_state.items():
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=1e-12, msg=name)
