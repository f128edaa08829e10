"""One unfreezing schedule fits every family and size."""

import pytest
from rnalm.errors import InputError
from rnalm.models import registry
from rnalm.models.heads import ClassModel
from rnalm.tokens.packing import pack
from rnalm.training.unfreezing import unfreeze
from small_models import GOLDEN, encoder, ernie_rna, rnaret

FAMILIES = {
    "rinalmo": lambda: encoder(GOLDEN),
    "ernie_rna": ernie_rna,
    "rnaret": rnaret,
    "onehot": lambda: registry.build({"family": "onehot"}),
}
FAMILY = pytest.mark.parametrize("family", FAMILIES)
LANGUAGE_MODEL = {
    "rinalmo": ("encoder.embedding.", "encoder.lm_mask_head."),
    "ernie_rna": ("encoder.embed_tokens.", "encoder.lm_head."),
    "rnaret": ("encoder.embed_tokens.", "encoder.output_projection.", "encoder.layer_norm."),
    "onehot": (),
}


def frozen(family: str) -> ClassModel:
    return ClassModel(FAMILIES[family](), 4, 2, "gelu", "mean").requires_grad_(False)


def unfrozen(model, *names) -> set[str]:
    """Names of the parameters that these parts are; what is returned and what may be trained must be the same."""
    parameters = {id(parameter) for parameter in unfreeze(model, list(names))}
    found = {name for name, parameter in model.named_parameters() if id(parameter) in parameters}
    assert found == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return found


@FAMILY
def test_encoder_is_all_but_embedding_and_language_model_head(family):
    model = frozen(family)
    expected = {name for name, _ in model.named_parameters() if name.startswith("encoder.")}
    expected = {name for name in expected if not name.startswith(LANGUAGE_MODEL[family])}
    assert unfrozen(model, "encoder") == expected


@FAMILY
def test_encoder_is_what_the_representation_depends_on(family):
    """But for the embedding, every parameter of it has a gradient, and none of the others."""
    model = frozen(family)
    unfreeze(model, ["encoder", "head"])
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(True)
    model(pack([model.encoder.tokeniser.encode("ACGGUUACGUCC")])).square().sum().backward()
    named = unfrozen(frozen(family), "encoder")
    for name, parameter in model.encoder.named_parameters(prefix="encoder"):
        if "embed" not in name:
            assert (parameter.grad is not None) == (name in named), name


@FAMILY
def test_head(family):
    assert unfrozen(frozen(family), "head") == {"head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"}


@pytest.mark.parametrize("family", ["rinalmo", "ernie_rna", "rnaret"])
@pytest.mark.parametrize(
    ("name", "blocks"),
    [("blocks[-2:]", (1, 2)), ("blocks[1:]", (1, 2)), ("blocks[:]", (0, 1, 2)), ("blocks[0:-1]", (0, 1)),
     ("blocks[9:12]", ()), ("blocks[-6:-3]", ())],
)  # fmt: skip
def test_slices_of_blocks(family, name, blocks):
    where = "encoder.transformer.blocks." if family == "rinalmo" else "encoder.layers."
    model = frozen(family)
    expected = {name for name, _ in model.named_parameters() if name.startswith(tuple(f"{where}{i}." for i in blocks))}
    assert unfrozen(model, name) == expected


def test_gradual_schedule_gives_each_part_once():
    model = frozen("rinalmo")
    first = unfreeze(model, ["head"])
    second = unfreeze(model, ["final_norm", "blocks[-1:]"])
    third = unfreeze(model, ["blocks[-2:]", "encoder"])
    parameters = [id(parameter) for parameter in (*first, *second, *third)]
    assert len(parameters) == len(set(parameters))
    assert len(second) == 2 + len(list(model.encoder.blocks[-1].parameters()))
    assert unfreeze(model, ["head", "encoder", "final_norm"]) == []


def test_final_norm_and_embedding():
    norm = {"encoder.transformer.final_layer_norm.weight", "encoder.transformer.final_layer_norm.bias"}
    assert unfrozen(frozen("rinalmo"), "final_norm") == norm
    assert unfrozen(frozen("ernie_rna"), "final_norm") == unfrozen(frozen("rnaret"), "final_norm") == set()
    assert unfrozen(frozen("rinalmo"), "embedding") == {"encoder.embedding.weight"}
    assert unfrozen(frozen("ernie_rna"), "embedding") == {"encoder.embed_tokens.weight"}


def test_prefixes_of_parameter_names():
    model = frozen("rinalmo")
    expected = {name for name, _ in model.named_parameters() if name.startswith("encoder.transformer.")}
    assert unfrozen(model, "encoder.transformer") == expected
    assert unfrozen(frozen("rinalmo"), "encoder.transformer.blocks.1.transition.0.beta") == {
        "encoder.transformer.blocks.1.transition.0.beta"
    }


@pytest.mark.parametrize(
    "name", ["encoder.transfomer", "hea", "encoder.transformer.blocks.7", "blocks[1]", "blocks[a:]", ""]
)
def test_unknown_name(name):
    with pytest.raises(InputError, match="is no part of the model; name head, encoder, final_norm") as error:
        unfreeze(frozen("rinalmo"), ["head", name])
    assert str(error.value).startswith(f"unfreeze: {name}".strip())


def test_features_have_nothing_to_unfreeze():
    model = frozen("onehot")
    assert unfrozen(model, "encoder", "final_norm", "blocks[-3:]", "embedding") == set()
