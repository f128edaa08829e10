"""RNAret equals the authors' code on recorded numbers, in each of its forms."""

import numpy as np
import pytest
import torch
import yaml
from rnalm import golden
from rnalm.models import registry
from rnalm.models.rnaret import computed_tensors
from rnalm.tokens.kmer import CLS, MASK, PAD, UNKNOWN
from rnalm.tokens.packing import pack
from small_models import ROOT, rnaret

pytestmark = pytest.mark.usefixtures("no_gradients")
GOLDEN = golden.load("rnaret")
EVERY = pytest.mark.parametrize(("k", "length"), [(k, length) for k in (1, 3) for length in (7, 80, 300)])
PARAMETERS = {1: 11_810_688, 3: 11_856_768, 5: 12_594_048}


@pytest.fixture(scope="module")
def models():
    return {k: rnaret(k=k) for k in (1, 3)}


def close(ours, golden) -> None:
    """To 1e-5 of the largest value: in fp32 the recorded numbers are themselves no closer to those in fp64."""
    golden = torch.as_tensor(golden)
    torch.testing.assert_close(ours, golden, rtol=0, atol=1e-5 * golden.abs().max().item())


@EVERY
def test_residual_stream_and_logits(models, k, length):
    ids = GOLDEN[f"k{k}_L{length}_ids"]
    assert ids[:2].tolist() == [CLS, UNKNOWN] and MASK in ids
    hidden = models[k](pack([ids]))
    close(hidden, GOLDEN[f"k{k}_L{length}_residual_stream"])
    close(models[k].logits(hidden), GOLDEN[f"k{k}_L{length}_logits"])


@EVERY
@pytest.mark.parametrize(("size", "stretch"), [(16, 1), (16, 3), (64, 2)])
def test_streaming(models, k, length, size, stretch):
    batch = pack([GOLDEN[f"k{k}_L{length}_ids"]])
    streamed = models[k].stream(batch, models[k].chunks(batch, size), stretch)
    close(streamed, GOLDEN[f"k{k}_L{length}_residual_stream"])


@pytest.mark.parametrize("k", [1, 3])
def test_retention_maps(models, k):
    maps = models[k].attention_maps(pack([GOLDEN[f"k{k}_L7_ids"], GOLDEN[f"k{k}_L80_ids"]]))
    assert [len(layers) for layers in maps] == [3, 3]
    close(maps[1][-1], GOLDEN[f"k{k}_L80_retention_last"])


@pytest.mark.parametrize("k", [1, 3])
def test_pack(models, k):
    order = (80, 7, 300, 7, 80)
    batch = pack([GOLDEN[f"k{k}_L{length}_ids"] for length in order])
    for length, hidden in zip(order, batch.split(models[k](batch)), strict=True):
        close(hidden, GOLDEN[f"k{k}_L{length}_residual_stream"])


def test_padding_stays_zero(models):
    hidden = models[1](pack([np.full(50, PAD), GOLDEN["k1_L80_ids"]]))
    assert not hidden[:50].any()


@pytest.mark.parametrize("k", PARAMETERS)
def test_parameters_and_names(k):
    settings = yaml.safe_load((ROOT / "config/models" / f"rnaret_{k}mer.yaml").read_text())
    with torch.device("meta"):
        model = registry.build(settings)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert sum(map(np.prod, shapes.values())) == PARAMETERS[k]
    vocabulary = 4**k + 6
    expected = {"embed_tokens.weight": (vocabulary, 384), "output_projection.weight": (vocabulary, 384)}
    expected |= {"layer_norm.weight": (384,)}
    for i in range(8):
        expected |= {f"layers.{i}.retention.{name}_proj.weight": (384, 384) for name in "qk"}
        expected |= {f"layers.{i}.retention.{name}_proj.weight": (512, 384) for name in "vg"}
        expected |= {f"layers.{i}.ffn.{name}.weight": (512, 384) for name in ("fc1", "gate")}
        expected |= {f"layers.{i}.{name}.weight": (384, 512) for name in ("retention.out_proj", "ffn.fc2")}
        expected |= {f"layers.{i}.{name}_layer_norm.weight": (384,) for name in ("retention", "final")}
    assert shapes == expected
    assert len(shapes) + len(computed_tensors(model.config)) == 85


def test_computed_tensors():
    settings = yaml.safe_load((ROOT / "config/models/rnaret_1mer.yaml").read_text())
    with torch.device("meta"):
        config = registry.build(settings).config
    computed = computed_tensors(config)
    angle, decay = computed["retnet_rel_pos.angle"], computed["retnet_rel_pos.decay"]
    assert (angle.shape, decay.shape, angle.dtype, decay.dtype) == ((96,), (4,), torch.float32, torch.float32)
    np.testing.assert_allclose(decay.exp(), [0.96875, 0.984375, 0.9921875, 0.99609375], rtol=1e-6)
    np.testing.assert_allclose(angle, np.repeat(10000.0 ** -(np.arange(48) / 47), 2), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name, _ in rnaret().named_parameters()])
def test_every_parameter_is_used(name):
    changed = rnaret()
    batch = pack([GOLDEN["k1_L80_ids"]])
    before = changed.logits(changed(batch))
    parameter = changed.get_parameter(name)
    parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    assert (changed.logits(changed(batch)) - before).abs().max() > 1e-4
