"""RiNALMo equals the authors' code on recorded numbers, alone, packed and padded."""

import numpy as np
import pytest
import torch
import yaml
from rnalm import golden
from rnalm.models import registry
from rnalm.models.attention import attention
from rnalm.models.heads import PairHead
from rnalm.models.rinalmo import token_dropout
from rnalm.tokens.packing import from_padded, pack, to_padded
from rnalm.tokens.rinalmo import MASK, PAD, TOKENISER
from small_models import ROOT, close, encoder, weights_by_rule

pytestmark = pytest.mark.usefixtures("no_gradients")
GOLDEN = golden.load("rinalmo")
SEQUENCES = GOLDEN["sequences"].tolist()
EVERY = pytest.mark.parametrize("index", range(len(SEQUENCES)))
SIZES = {
    # name: parameters, tensors
    "nano": (7_508_824, 87),
    "micro": (33_491_074, 165),
    "mega": (148_056_972, 399),
    "giga": (650_901_793, 438),
}


@pytest.fixture(scope="module")
def model():
    return encoder()


@pytest.fixture(scope="module")
def head():
    return weights_by_rule(PairHead(60), "pred_head.")


def ids(index: int) -> np.ndarray:
    encoded = TOKENISER.encode(SEQUENCES[index])
    if index == 2:
        encoded[[3, 7]] = MASK
    return encoded


# The authors' numbers


@EVERY
def test_ids(index):
    assert ids(index).tolist() == GOLDEN[f"ids{index}"].tolist()


@EVERY
def test_representation_and_logits(model, index):
    hidden = model(pack([ids(index)]))
    close(hidden, GOLDEN[f"representation{index}"])
    close(model.logits(hidden), GOLDEN[f"logits{index}"])


@pytest.mark.parametrize("index", [0, 1])
def test_attention_maps(model, index):
    close(model.attention_maps(pack([ids(index)]))[0][-1], GOLDEN[f"attention_last{index}"])


def test_attention_maps_of_a_pack(model):
    maps = model.attention_maps(pack([ids(0), ids(3), ids(1)]))
    assert [len(layers) for layers in maps] == [3, 3, 3]
    close(maps[0][-1], GOLDEN["attention_last0"])
    close(maps[2][-1], GOLDEN["attention_last1"])


@EVERY
def test_pair_logits(model, head, index):
    close(head(model(pack([ids(index)]))[1:-1]), GOLDEN[f"pair_logits{index}"])


# One sequence alone, packed, padded


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 1, 0, 3, 1, 2, 2)])
def test_packed_in_any_order(model, order):
    batch = pack([ids(index) for index in order])
    for index, hidden in zip(order, batch.split(model(batch)), strict=True):
        close(hidden, GOLDEN[f"representation{index}"])


def test_padded_batch(model):
    longest = max(len(ids(index)) for index in range(len(SEQUENCES)))
    padded = torch.full((len(SEQUENCES), longest), PAD)
    for index in range(len(SEQUENCES)):
        padded[index, : len(ids(index))] = torch.from_numpy(ids(index).astype(np.int64))
    keep = padded != PAD
    hidden = to_padded(model(from_padded(padded, keep)), keep)
    assert hidden.shape == (len(SEQUENCES), longest, 60)
    assert not hidden[~keep].any()
    for index in range(len(SEQUENCES)):
        close(hidden[index, : len(ids(index))], GOLDEN[f"representation{index}"])


def test_u_is_t(model):
    rna, dna = pack([TOKENISER.encode("ACGUACGGUUCA")]), pack([TOKENISER.encode("acgtACGGTTCA")])
    assert torch.equal(model(rna), model(dna))


# The published sizes and names


@pytest.mark.parametrize("name", SIZES)
def test_parameters_and_tensors(name):
    settings = yaml.safe_load((ROOT / "config/models" / f"{name}.yaml").read_text())
    with torch.device("meta"):
        state = registry.build(settings).state_dict()
    assert (sum(tensor.numel() for tensor in state.values()), len(state)) == SIZES[name]


def test_names_and_shapes_of_giga():
    settings = yaml.safe_load((ROOT / "config/models/giga.yaml").read_text())
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in registry.build(settings).state_dict().items()}
    d, hidden = 1280, 3413
    expected = {"embedding.weight": (22, d)}
    for i in range(33):
        block = f"transformer.blocks.{i}."
        expected |= {
            block + "mh_attn.Wqkv.weight": (3 * d, d),
            block + "mh_attn.out_proj.weight": (d, d),
            block + "transition.0.beta": (1,),
            block + "transition.2.weight": (d, hidden),
            block + "transition.2.bias": (d,),
        }
        for layer in ("linear", "linear_gate"):
            expected |= {block + f"transition.0.{layer}.weight": (hidden, d)}
            expected |= {block + f"transition.0.{layer}.bias": (hidden,)}
        for norm in ("attn_layer_norm", "out_layer_norm"):
            expected |= {block + f"{norm}.{part}": (d,) for part in ("weight", "bias")}
    expected |= {f"transformer.final_layer_norm.{part}": (d,) for part in ("weight", "bias")}
    expected |= {f"lm_mask_head.layer_norm.{part}": (d,) for part in ("weight", "bias")}
    expected |= {"lm_mask_head.linear1.weight": (d, d), "lm_mask_head.linear1.bias": (d,)}
    expected |= {"lm_mask_head.linear2.weight": (22, d), "lm_mask_head.linear2.bias": (22,)}
    assert shapes == expected


def test_structure_head_of_giga():
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in PairHead(1280).state_dict().items()}
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 254_593
    expected = {"linear_in.weight": (64, 2560), "linear_in.bias": (64,)}
    expected |= {"conv_out.weight": (1, 64, 3, 3), "conv_out.bias": (1,)}
    for block in (0, 1):
        for layer, size in ((0, 1), (3, 3), (6, 1)):
            expected[f"resnet.blocks.{block}.conv_net.{layer}.weight"] = (64, 64, size, size)
    assert shapes == expected


# What is notable about the model


@pytest.mark.parametrize(("masked", "scale"), [([], 0.88), ([5], 0.96), ([2, 5], 0.88 / (1 - 2 / 12))])
def test_token_dropout(masked, scale):
    encoded = TOKENISER.encode("ACGTACGTAC")
    encoded[masked] = MASK
    x = torch.randn(12 + 5, 7)
    scaled = token_dropout(x, pack([encoded, TOKENISER.encode("ACG")]))
    expected = x * torch.cat((torch.full((12,), scale), torch.full((5,), 0.88)))[:, None]
    expected[masked] = 0
    torch.testing.assert_close(scaled, expected)


def test_attention_residual_is_the_normalised_input(model):
    block, batch = model.transformer.blocks[0], pack([ids(0)])
    x = torch.randn(14, 60)
    rotary = model.transformer.rotary(batch)
    y = block.attn_layer_norm(x)
    mixed = attention(*block.mh_attn.project(y, rotary), batch)
    z = y + block.mh_attn.out_proj(mixed.flatten(1))
    torch.testing.assert_close(block(x, rotary, batch), z + block.transition(block.out_layer_norm(z)))
    # An affine change of the input is gone after the normalisation; with the raw input added it would not be.
    torch.testing.assert_close(block(3 * x + 1, rotary, batch), block(x, rotary, batch), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", [name for name, _ in encoder().named_parameters()])
def test_every_parameter_is_used(name):
    """Perturbing any tensor, each block's beta too, changes the logits."""
    changed = encoder()
    before = changed.logits(changed(pack([ids(1)])))
    generator = torch.Generator().manual_seed(0)
    parameter = changed.get_parameter(name)
    parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    assert (changed.logits(changed(pack([ids(1)]))) - before).abs().max() > 1e-4


def test_pair_head_is_that_of_the_explicit_concatenation(head):
    hidden = torch.randn(17, 60, generator=torch.Generator().manual_seed(1))
    left, right = hidden[:, None].expand(17, 17, 60), hidden[None, :].expand(17, 17, 60)
    x = head.linear_in(torch.cat((left, right), dim=-1)).permute(2, 0, 1)[None]
    for block in head.resnet.blocks:
        x = block(x)
    upper = head.conv_out(x)[0, 0].triu(1)
    close(head(hidden), upper + upper.T)


def test_gradients_of_a_pack_are_the_sum_of_those_alone():
    def gradients(*batches):
        model = encoder()
        with torch.enable_grad():
            for batch in batches:
                logits = model.logits(model(batch))
                torch.nn.functional.cross_entropy(logits, batch.ids, reduction="sum").backward()
        return {name: parameter.grad for name, parameter in model.named_parameters()}

    every = [ids(index) for index in range(len(SEQUENCES))]
    packed, alone = gradients(pack(every)), gradients(*(pack([one]) for one in every))
    for name, gradient in packed.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(gradient, alone[name], rtol=0, atol=1e-5 * max(1.0, scale), msg=name)
