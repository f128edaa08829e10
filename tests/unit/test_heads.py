"""A sequence gets the same from a head alone and in any batch; heads have their published sizes."""

import pytest
import torch
from rnalm.models import finetuned, registry
from rnalm.models.heads import ScalarHead, instance_norm
from rnalm.tokens.packing import pack
from small_models import GOLDEN, by_rule, close, encoder, ernie_rna, rnaret

ENCODERS = {"rinalmo": encoder(GOLDEN), "ernie_rna": ernie_rna(), "rnaret": rnaret(k=3)}
SEQUENCES = ["GGGAAACGGUUCCAUACCC", "AC", "ACGUACGGUUCAACGGAUANNCGGUACUGAC" * 4, "ACGUACGGUUCAACGGAUA", "G"]
HEADS = {
    "scalar": {"kind": "scalar", "width": 16, "blocks": 6, "padded_to": 0, "mean": 0.0, "std": 1.0},
    "scalar_102": {"kind": "scalar", "width": 16, "blocks": 6, "padded_to": 102, "mean": 0.0, "std": 1.0},
    "mean": {"kind": "classes", "width": 8, "classes": 3, "activation": "gelu", "pooling": "mean"},
    "first": {"kind": "classes", "width": 8, "classes": 3, "activation": "gelu", "pooling": "first"},
    "positions": {"kind": "positions", "width": 12, "padded_to": 0},
    "positions_3000": {"kind": "positions", "width": 12, "padded_to": 3000},
    "positions_60": {"kind": "positions", "width": 12, "padded_to": 60, "blocks": 2},
    "positions_blocks": {"kind": "positions", "width": 12, "padded_to": 0, "blocks": 16},
    "load": {"kind": "load", "width": 8, "mean": 0.0, "std": 1.0},
    "pairs": {"kind": "pairs", "width": 8, "blocks": 2},
    "plain_pairs": {"kind": "plain_pairs", "width": 8, "blocks": 2},
    "tokens": {"kind": "tokens", "classes": 4},
}


def made(family: str, head: dict) -> torch.nn.Module:
    model = finetuned.build(ENCODERS[family], head).eval()
    state = {name: by_rule(name, tensor.shape) for name, tensor in model.head.state_dict().items() if tensor.dim()}
    state |= {name: tensor.abs() + 0.5 for name, tensor in state.items() if name.endswith("running_var")}
    model.head.load_state_dict(state, strict=False)
    return model


def encoded(model) -> list:
    return [model.encoder.tokeniser.encode(sequence) for sequence in SEQUENCES]


@pytest.mark.parametrize("family", ENCODERS)
@pytest.mark.parametrize("name", HEADS)
@torch.no_grad()
def test_alone_and_in_a_batch(name, family):
    model = made(family, HEADS[name])
    everything = model(pack(encoded(model)))
    if name == "tokens":
        everything = everything.split([len(ids) for ids in encoded(model)])
    for ids, together in zip(encoded(model), everything, strict=True):
        alone = model(pack([ids])) if name == "tokens" else model(pack([ids]))[0]
        close(together, alone, max(1.0, alone.abs().max().item()))


@pytest.mark.parametrize("name", HEADS)
def test_half_precision(name):
    """Of the matrix products: the numbers are near, and every parameter has a finite gradient."""
    model, outs = made("rinalmo", HEADS[name]), {}
    long = pack([ids for ids in encoded(model) if len(ids) > 10])
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            outs[half] = torch.cat([out.float().flatten() for out in model(long)])
    outs[True].square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.head.parameters())
    difference = (outs[True] - outs[False]).square().mean().sqrt()
    assert difference < 0.1 * max(1.0, outs[False].square().mean().sqrt())


@pytest.mark.parametrize("name", ["scalar", "scalar_102", "mean", "positions_60", "positions_blocks"])
def test_gradients_of_a_batch_are_the_sum_of_those_of_its_sequences(name):
    def gradients(batches) -> list[torch.Tensor]:
        model.zero_grad()
        sum(out.square().sum() for batch in batches for out in model(batch)).backward()
        return [parameter.grad.clone() for parameter in model.head.parameters()]

    model = made("rinalmo", HEADS[name])
    # Norms over two nucleotides make large gradients from small differences.
    long = [ids for ids in encoded(model) if len(ids) > 10]
    together, apart = gradients([pack(long)]), gradients([pack([ids]) for ids in long])
    for a, b in zip(together, apart, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * max(1.0, b.abs().max().item()), rtol=1e-4)


@torch.no_grad()
def test_instance_norm_of_padding():
    """A batch's padding changes nothing by default; the published mode counts rows of zeros up to 102."""
    head = ScalarHead(60, 16, 6).eval()
    hidden = torch.randn(30, 60, generator=torch.Generator().manual_seed(0))
    other = torch.randn(90, 60, generator=torch.Generator().manual_seed(1))
    plain = head(hidden, (30,))
    torch.testing.assert_close(head(torch.cat((hidden, other)), (30, 90))[:1], plain, atol=1e-5, rtol=0)
    padded = {length: head(hidden, (30,), length) for length in (30, 60, 80, 102)}
    torch.testing.assert_close(padded[30], plain)
    assert all((padded[length] - plain).abs() > 1e-3 for length in (60, 80, 102))
    torch.testing.assert_close(head(torch.cat((hidden, other)), (30, 90), 102)[:1], padded[102], atol=1e-5, rtol=0)


@torch.no_grad()
def test_masked_norm_is_torchs_where_nothing_is_masked():
    x = torch.randn(3, 5, 40, generator=torch.Generator().manual_seed(0)) * 7 + 2
    ours = instance_norm(x, torch.ones(3, 1, 40, dtype=torch.bool))
    torch.testing.assert_close(ours, torch.nn.functional.instance_norm(x), atol=1e-5, rtol=0)


def test_published_sizes():
    sizes = {
        254_593: ("rinalmo", {"kind": "pairs", "width": 64, "blocks": 2}, 1280),
        77_889: ("rinalmo", {"kind": "scalar", "width": 32, "blocks": 6, "padded_to": 0, "mean": 0, "std": 1}, 1280),
        616_584: ("ernie_rna", {"kind": "maps", "maps": [5], "blocks": 8, "dropout": 0.3}, 768),
        1_207_421: ("ernie_rna", {"kind": "maps", "maps": list(range(12)), "blocks": 16, "dropout": 0.4}, 768),
        148_610: ("rnaret", {"kind": "classes", "width": 384, "classes": 2, "activation": "tanh"}, 384),
        2_989_313: ("rnaret", {"kind": "plain_pairs", "width": 128, "blocks": 16}, 384),
        49_665: ("rnaret", {"kind": "positions", "width": 128, "padded_to": 3000}, 384),
        49_665 + 2_365_440: ("rnaret", {"kind": "positions", "width": 128, "padded_to": 0, "blocks": 16}, 384),
    }
    others = {
        "rinalmo": {"heads": 20},
        "ernie_rna": {"heads": 12, "hidden": 8, "pair_hidden": 6},
        "rnaret": {"k": 1, "heads": 4, "value_dim": 512, "hidden": 8},
    }
    for parameters, (family, head, dim) in sizes.items():
        with torch.device("meta"):
            model = finetuned.build(registry.build({"family": family, "dim": dim, "layers": 1, **others[family]}), head)
        assert sum(parameter.numel() for parameter in model.head.parameters()) == parameters


def test_a_batch_of_ribosome_loads_normalises_by_its_own_nucleotides():
    """ERNIE-RNA's batch norms learn from real positions: padding moves no running mean."""
    model = made("ernie_rna", HEADS["load"]).train()
    norm = model.head.predictor[1].bn1
    seen = []
    norm.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].shape))
    model(pack(encoded(model)))
    assert seen == [(sum(map(len, SEQUENCES)), 16)]


def test_a_short_sequence_alone_can_be_trained_on_by_batch_norms():
    """Of eight nucleotides or less one position is left, which has no spread: the running statistics stand for it."""
    model = finetuned.build(ENCODERS["ernie_rna"], HEADS["load"]).train()
    before = {name: tensor.clone() for name, tensor in model.head.named_buffers()}
    for sequence in ("G", "ACGUACGU", "ACGUACGUACGU"):
        model(pack([model.encoder.tokeniser.encode(sequence)])).sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.head.parameters())
    assert any(not torch.equal(tensor, before[name]) for name, tensor in model.head.named_buffers())


def test_a_sequence_of_one_nucleotide_has_a_number_from_every_head():
    for name, head in HEADS.items():
        model = made("ernie_rna" if name == "load" else "rinalmo", head)
        for sequence in ("A", "AC", "ACG"):
            with torch.no_grad():
                out = model(pack([model.encoder.tokeniser.encode(sequence)]))
            assert torch.as_tensor(out if name == "tokens" else out[0]).isfinite().all(), (name, sequence)


def test_mean_and_std_of_a_head_need_no_padding_to_be_named():
    """Own tasks say neither padding nor blocks: docs/own_task.md."""
    assert finetuned.build(ENCODERS["rinalmo"], {"kind": "positions", "width": 8}).padded_to == 0
    scalar = {"kind": "scalar", "width": 8, "blocks": 1, "mean": 0.0, "std": 1.0}
    assert finetuned.build(ENCODERS["rinalmo"], scalar).padded_to == 0
