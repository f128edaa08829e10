"""Blocks in training: compiled or computed twice, the numbers are the same."""

import functools

import numpy as np
import pytest
import torch
from rnalm.errors import InputError
from rnalm.models import registry
from rnalm.tokens.packing import pack
from rnalm.training import blocks
from rnalm.training.blocks import check_compiler, checkpoint_blocks, compile_blocks
from small_models import ERNIE_RNA, RNARET, TINY
from torch._dynamo.utils import counters

SETTINGS = {"rinalmo": TINY, "ernie_rna": ERNIE_RNA, "rnaret": RNARET}
FAMILY = pytest.mark.parametrize("family", SETTINGS)
LENGTHS = [(40, 30), (30, 50, 6), (99,), (100, 3, 4)]


def model(family: str, **changes) -> torch.nn.Module:
    torch.manual_seed(0)
    return registry.build({**SETTINGS[family], **changes}).train()


def batch(lengths: tuple[int, ...]):
    return pack([np.random.default_rng(length).integers(6, 9, length) for length in lengths])


def trained(encoder, lengths=LENGTHS[0]) -> list[torch.Tensor]:
    """Representations and all gradients, with the dropout of one seed."""
    encoder.zero_grad()
    torch.manual_seed(1)
    hidden = encoder(batch(lengths))
    encoder.logits(hidden).square().sum().backward()
    return [hidden.detach(), *(parameter.grad.clone() for parameter in encoder.parameters())]


def kept(encoder) -> int:
    """Bytes that the forward pass keeps for the backward pass, weights not counted."""
    sizes = {parameter.data_ptr(): 0 for parameter in encoder.parameters()}

    def keep(tensor):
        sizes.setdefault(tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes())
        # Held, so that no other tensor gets its place.
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = encoder(batch((60, 60)))
    assert held.requires_grad
    return sum(sizes.values())


@FAMILY
def test_checkpointing_changes_no_bit_and_keeps_less(family):
    encoder = model(family)
    expected, before = trained(encoder), kept(encoder)
    checkpoint_blocks(encoder)
    assert all(map(torch.equal, trained(encoder), expected))
    assert kept(encoder) < 0.7 * before
    with torch.no_grad():
        assert torch.equal(encoder.eval()(batch((9,))), model(family).eval()(batch((9,))))


@FAMILY
def test_compiled_once_for_all_blocks_and_batches(family, monkeypatch):
    """By a backend that traces and generates no code: the real one takes a minute per family."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    torch._dynamo.reset()
    counters.clear()
    encoder, compiled = model(family, dropout=0.0), model(family, dropout=0.0)
    compile_blocks(compiled)
    assert list(compiled.state_dict()) == list(encoder.state_dict())
    for lengths in LENGTHS:
        torch.testing.assert_close(trained(compiled, lengths), trained(encoder, lengths), rtol=1e-4, atol=1e-4)
    # RNAret's mixed values are laid out in two ways.
    assert counters["stats"]["unique_graphs"] == (3 if family == "rnaret" else 2)
    assert not counters["graph_break"]


def test_compiled_and_checkpointed():
    """By the backend that is used: close to what is not compiled; with dropout, alike whether computed twice or not."""
    try:
        check_compiler("cpu")
    except InputError as error:
        pytest.skip(str(error))
    plain, compiled = model("rinalmo", dropout=0.0), model("rinalmo", dropout=0.0)
    compile_blocks(compiled)
    torch.testing.assert_close(trained(compiled), trained(plain), rtol=1e-4, atol=1e-4)
    compiled = model("rinalmo", dropout=0.1)
    compile_blocks(compiled)
    expected = trained(compiled)
    assert not torch.equal(expected[0], trained(model("rinalmo", dropout=0.0))[0])
    checkpoint_blocks(compiled)
    torch.testing.assert_close(trained(compiled), expected, rtol=1e-5, atol=1e-5)


def test_a_machine_without_a_compiler(monkeypatch):
    def compile(function):
        raise torch._dynamo.exc.TorchDynamoException("No working compiler\n\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.setattr(blocks.torch, "compile", compile)
    with pytest.raises(InputError, match=r"^pretrain.compile: torch.compile does not work here: No working compiler; "):
        check_compiler("cpu")
