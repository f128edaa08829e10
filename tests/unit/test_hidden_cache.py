"""Cached hidden states are the encoder's own, whatever pack asks for them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rnalm.models import finetuned, registry
from rnalm.tokens.packing import pack
from rnalm.training import hidden_cache
from rnalm.training.hidden_cache import CachedEncoder, cached
from small_models import GOLDEN, close, encoder, ernie_rna, rnaret

FAMILIES = {"rinalmo": lambda: encoder(GOLDEN), "ernie_rna": ernie_rna, "rnaret": lambda: rnaret(k=5)}
SEQUENCES = ["ACGGUUACGUCC", "GGGAAACGGUUCCAUACCC", "ACGU" * 30, "ACGGUUACGUCC", "NNA"]
HEAD = {"kind": "classes", "width": 8, "classes": 2, "activation": "gelu", "pooling": "mean"}
MAPS = {"kind": "maps", "maps": [5], "blocks": 1, "dropout": 0.3}


def encoded(encoder, sequences=SEQUENCES) -> list[np.ndarray]:
    return [encoder.tokeniser.encode(sequence) for sequence in sequences]


@pytest.mark.parametrize("family", FAMILIES)
def test_packs_of_any_order_are_those_of_the_encoder(tmp_path, family, monkeypatch):
    monkeypatch.setattr(hidden_cache, "TOKENS_PER_BATCH", 40)
    model = FAMILIES[family]()
    served = CachedEncoder(model.train(), encoded(model), tmp_path, "fp32").train()
    assert (served.config, served.tokeniser) == (model.config, model.tokeniser)
    assert len(served.blocks) == len(model.blocks)
    for sequences in (SEQUENCES, SEQUENCES[2:0:-1], SEQUENCES[4:]):
        batch = pack(encoded(model, sequences))
        states, expected = served(batch), model.eval()(batch).detach()
        assert not states.requires_grad
        close(states, expected, max(1.0, expected.abs().max().item()))


def test_known_sequences_are_never_computed_again_and_equal_ones_once(tmp_path):
    model, tokens = encoder(GOLDEN), []
    model.register_forward_pre_hook(lambda module, arguments: tokens.append(len(arguments[0].ids)))
    served = CachedEncoder(model, encoded(model), tmp_path, "fp32")
    assert sum(tokens) == sum(len(sequence) + 2 for sequence in set(SEQUENCES))
    served(pack(encoded(model)))
    assert sum(tokens) == sum(len(sequence) + 2 for sequence in set(SEQUENCES))


def test_an_unknown_sequence_is_computed(tmp_path):
    model = encoder(GOLDEN)
    served = CachedEncoder(model, encoded(model), tmp_path, "fp32")
    batch = pack(encoded(model, [SEQUENCES[0], "ACGGUUACGUCG"]))
    assert torch.equal(served(batch), model(batch))


def test_half_precision_is_that_of_its_matrix_products(tmp_path):
    model = encoder(GOLDEN)
    served, batch = CachedEncoder(model, encoded(model), tmp_path, "bf16"), pack(encoded(model))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = model(batch)
    states = served(batch)
    assert states.dtype == torch.float32
    assert torch.equal(states, states.bfloat16().float())
    torch.testing.assert_close(states, expected, atol=0.05, rtol=0.02)


def test_nothing_is_left_in_the_directory(tmp_path):
    model = encoder(GOLDEN)
    served = CachedEncoder(model, encoded(model), tmp_path, "fp32")
    assert list(tmp_path.iterdir()) == []
    assert served(pack(encoded(model))).shape[1] == 60


def test_a_disk_without_room_is_an_error_before_anything_is_computed(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        CachedEncoder(encoder(GOLDEN), encoded(encoder(GOLDEN)), tmp_path, "fp32")
    assert list(tmp_path.iterdir()) == []


def records() -> list:
    partners = {"ACGU": "GGCCA"} | dict.fromkeys(SEQUENCES, "")
    return [SimpleNamespace(sequence=sequence, partner=partner) for sequence, partner in partners.items()]


def settings(unfreeze: dict, epochs: int = 2):
    return SimpleNamespace(unfreeze=unfreeze, epochs=epochs, precision="fp32")


def test_the_encoder_is_back_afterwards_even_after_an_error(tmp_path):
    model = finetuned.build(encoder(GOLDEN), HEAD)
    before = model.encoder
    with pytest.raises(ZeroDivisionError), cached(model, settings({0: ["head"]}), records(), tmp_path):
        assert isinstance(model.encoder, CachedEncoder)
        # What is kept of an epoch is the head alone.
        assert {name.partition(".")[0] for name in model.state_dict()} == {"head"}
        raise ZeroDivisionError
    assert model.encoder is before


def test_gradients_of_the_head_are_the_same(tmp_path):
    def gradients():
        model.zero_grad()
        model(pack(encoded(model.encoder))).square().sum().backward()
        return [parameter.grad.clone() for parameter in model.head.parameters()]

    model = finetuned.build(encoder(GOLDEN), HEAD)
    expected = gradients()
    with cached(model, settings({0: ["head"]}), records(), tmp_path):
        for ours, theirs in zip(gradients(), expected, strict=True):
            close(ours, theirs, max(1.0, theirs.abs().max().item()))


@pytest.mark.parametrize(
    ("family", "head", "unfreeze", "epochs"),
    [
        ("rinalmo", HEAD, {0: ["head"], 1: ["blocks[-1:]"]}, 2),
        ("rinalmo", HEAD, {0: ["head", "adapters"]}, 2),
        ("rinalmo", HEAD, {0: ["head"]}, 0),
        ("ernie_rna", MAPS, {0: ["head"]}, 2),
        ("onehot", HEAD, {0: ["head"]}, 2),
    ],
)
def test_where_the_encoder_trains_or_another_thing_is_read_nothing_is_cached(tmp_path, family, head, unfreeze, epochs):
    model = finetuned.build(FAMILIES[family]() if family in FAMILIES else registry.build({"family": family}), head)
    before = model.encoder
    with cached(model, settings(unfreeze, epochs), records(), tmp_path):
        assert model.encoder is before
