"""ERNIE-RNA equals MultiMolecule's port on recorded numbers, by both ways of its attention."""

import numpy as np
import pytest
import torch
import yaml
from rnalm import golden
from rnalm.models import registry
from rnalm.models.ernie_rna import PUBLISHED_NAMES, PUBLISHED_UNUSED
from rnalm.models.names import rename
from rnalm.tokens.ernie_rna import TOKENISER, TOKENS
from rnalm.tokens.packing import pack
from small_models import MULTIMOLECULE, ROOT, close, ernie_rna

pytestmark = pytest.mark.usefixtures("no_gradients")
GOLDEN = golden.load("ernie_rna")
SEQUENCES = GOLDEN["sequences"].tolist()
EVERY = pytest.mark.parametrize("index", range(len(SEQUENCES)))
SHARED = [token for token in TOKENS if token in MULTIMOLECULE]


@pytest.fixture(scope="module")
def model():
    return ernie_rna()


def columns(logits, tokens) -> np.ndarray:
    return np.asarray(logits)[:, [tokens.index(token) for token in SHARED]]


@EVERY
def test_hidden_states_and_logits(model, index):
    batch = pack([TOKENISER.encode(SEQUENCES[index])])
    levels = list(model.levels(batch))
    assert len(levels) == 4
    for level, hidden in enumerate(levels):
        close(hidden, GOLDEN[f"h{index}_{level}"])
    assert torch.equal(model(batch), levels[-1])
    logits = columns(model.logits(levels[-1]), TOKENS)
    np.testing.assert_allclose(logits, columns(GOLDEN[f"logits{index}"], MULTIMOLECULE), rtol=0, atol=1e-5)
    assert len(SHARED) == 22


@pytest.mark.parametrize("carried", [0, 20, 1024])
def test_pack_by_both_ways(model, carried):
    order = (2, 0, 1, 1, 0)
    batch = pack([TOKENISER.encode(SEQUENCES[index]) for index in order])
    x, pairs = model.embed(batch), model.pair_logits(batch, carried=carried)
    for layer in model.layers:
        x = layer(x, pairs)
    for index, hidden in zip(order, batch.split(x), strict=True):
        close(hidden, GOLDEN[f"h{index}_3"])


def published() -> torch.nn.Module:
    with torch.device("meta"):
        return registry.build(yaml.safe_load((ROOT / "config/models/ernie_rna.yaml").read_text()))


def test_parameters():
    model = published()
    layer = sum(parameter.numel() for parameter in model.layers[0].parameters())
    head = sum(parameter.numel() for parameter in model.lm_head.parameters())
    every = sum(parameter.numel() for parameter in model.parameters())
    # The position module's one element is a marker, not a weight.
    unused = sum(np.prod(shape) for name, shape in PUBLISHED_UNUSED.items() if "_float_tensor" not in name)
    assert (layer, every - head, every + unused) == (7_087_872, 85_075_296, 86_261_113)


def test_published_names():
    names = {rename(name, PUBLISHED_NAMES): tuple(tensor.shape) for name, tensor in published().state_dict().items()}
    inner = "encoder.sentence_encoder."
    expected = {inner + "embed_tokens.weight": (25, 768), "encoder.lm_output_learned_bias": (25,)}
    norms = [inner + "emb_layer_norm", "encoder.layer_norm"]
    linears = {"encoder.lm_head_transform_weight": (768, 768)}
    linears |= {"encoder.twod_proj.linear1": (6, 1), "encoder.twod_proj.linear2": (12, 6)}
    for i in range(12):
        layer = f"{inner}layers.{i}."
        norms += [layer + "self_attn_layer_norm", layer + "final_layer_norm"]
        linears |= {f"{layer}self_attn.{name}_proj": (768, 768) for name in ("q", "k", "v", "out")}
        linears |= {layer + "fc1": (3072, 768), layer + "fc2": (768, 3072)}
    expected |= {f"{norm}.{part}": (768,) for norm in norms for part in ("weight", "bias")}
    expected |= {f"{linear}.weight": shape for linear, shape in linears.items()}
    expected |= {f"{linear}.bias": shape[:1] for linear, shape in linears.items()}
    assert names == expected


@pytest.mark.parametrize("name", [name for name, _ in ernie_rna().named_parameters()])
def test_every_parameter_is_used(name):
    changed = ernie_rna()
    batch = pack([TOKENISER.encode(SEQUENCES[2])])

    def state():
        # A key's bias and the pair network's last add one number to a row of logits: the softmax takes it away.
        logits, maps = changed.logits(changed(batch)), changed.logit_maps(batch)[0]
        return torch.cat((logits.flatten(), maps[-1].flatten()))

    before = state()
    parameter = changed.get_parameter(name)
    parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    assert (state() - before).abs().max() > 1e-4
