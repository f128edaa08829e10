"""Model directories: what is saved comes back, what does not fit is refused."""

import json

import numpy as np
import pytest
import rnalm
import torch
from rnalm.errors import InputError
from rnalm.models import finetuned, registry
from rnalm.models.directory import FILES, load, save
from rnalm.models.heads import PairModel
from rnalm.tokens.packing import pack
from rnalm.tokens.rinalmo import TOKENISER, TOKENS
from safetensors.torch import load_file
from small_models import ERNIE_RNA, RNARET, TINY, encoder, transfer_rnas, weights_by_rule

HEAD = {"task": "structure", "width": 8, "blocks": 1, "threshold": 0.17}
CLASSES = {"kind": "classes", "width": 8, "classes": 3, "activation": "gelu"}


@pytest.fixture
def plain(tmp_path):
    save(tmp_path / "plain", encoder(TINY), "# card")
    return tmp_path / "plain"


def edit(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_encoder_round_trip(tmp_path):
    saved = encoder(TINY)
    assert save(tmp_path / "m", saved, "# card") == [tmp_path / "m" / name for name in FILES]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == sorted(FILES)
    loaded = load(tmp_path / "m")
    assert loaded.model is None and loaded.config["head"] is None
    assert registry.describe(loaded.encoder) == registry.describe(saved)
    for name, tensor in saved.state_dict().items():
        assert torch.equal(tensor, loaded.encoder.state_dict()[name]), name
    batch = pack([TOKENISER.encode("ACGTGGNA"), TOKENISER.encode("GGG")])
    assert torch.equal(saved(batch), loaded.encoder(batch))
    assert not loaded.encoder.training
    assert json.loads((tmp_path / "m/tokenizer.json").read_text())["tokens"] == list(TOKENS)
    assert {name.split(".")[0] for name in load_file(tmp_path / "m/model.safetensors")} == {"encoder"}


def test_round_trip_with_head(tmp_path):
    saved = weights_by_rule(PairModel(registry.build(TINY), 8, 1))
    save(tmp_path / "m", saved.encoder, "# card", saved, HEAD)
    loaded = load(tmp_path / "m")
    assert loaded.config["head"] == HEAD
    for name, tensor in saved.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name]), name
    batch = pack([TOKENISER.encode("ACGTGGNA")])
    assert torch.equal(saved(batch)[0], loaded.model(batch)[0])


@pytest.mark.parametrize("name", FILES[:3])
def test_missing_file(plain, name):
    (plain / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}"):
        load(plain)


def test_no_directory(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_other_tokens(plain):
    swapped = [*TOKENS[:5], "C", "A", *TOKENS[7:]]
    edit(plain / "tokenizer.json", tokens=swapped)
    with pytest.raises(InputError, match=r"tokenizer\.json: lists other tokens"):
        load(plain)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": {**TINY, "dim": 40}}, r"model\.safetensors: does not fit"),
        ({"model": {**TINY, "layers": 3}}, r"model\.safetensors: does not fit"),
        ({"model": {**TINY, "family": "rnalmo"}}, "family 'rnalmo' is unknown"),
        ({"model": {**TINY, "depth": 3}}, "depth"),
        ({"head": HEAD}, r"model\.safetensors: does not fit"),
        ({"model": ERNIE_RNA}, "lists other tokens"),
        ({"model": None}, "family None is unknown"),
        ({"model": {**TINY, "family": []}}, r"family \[\] is unknown"),
        ({"model": {**TINY, "heads": 0}}, "heads 0 is no whole number of at least 1"),
        ({"model": {**TINY, "layers": "2"}}, "layers '2' is no whole number"),
        ({"model": {**TINY, "dim": -32}}, "dim -32 is no whole number"),
        ({"model": {**TINY, "heads": 3}}, "dim 32 is no multiple of 6, for 3 heads"),
        ({"model": {**TINY, "heads": 32}}, "dim 32 is no multiple of 64"),
        ({"model": {**TINY, "dropout": 2}}, "dropout probability"),
        ({"model": {**RNARET, "value_dim": 62}}, "value_dim 62 is no multiple of 4, for 4 heads"),
        ({"model": {**RNARET, "k": 2}}, "k 2 is not one of"),
        ({"model": {**RNARET, "k": 20}}, "k 20 is not one of"),
        ({"head": "pairs"}, "has the head 'pairs'"),
        ({"head": {**HEAD, "kind": []}}, r"head of kind \[\] is unknown"),
        ({"head": {**HEAD, "width": -8}}, "does not fit a head of kind 'pairs'"),
        ({"head": {**HEAD, "threshold": None}}, "has the threshold None"),
        ({"head": {**CLASSES, "labels": ["a", "b"]}}, r"has the labels \['a', 'b'\]; give a list of 3 names"),
        ({"head": {**CLASSES, "labels": "abc"}}, "give a list of 3 names"),
        ({"head": {**CLASSES, "labels": [1, 2, 3]}}, "give a list of 3 names"),
        ({"head": {**CLASSES, "classes": 1, "labels": ["yes"]}}, "give a list of 2 names"),
        ({"head": {"kind": "maps", "maps": [0, 4], "blocks": 1, "dropout": 0}}, "only ERNIE-RNA has attention logits"),
    ],
)
def test_config_that_does_not_fit_the_weights(plain, change, expected):
    edit(plain / "config.json", **change)
    with pytest.raises(InputError, match=expected) as error:
        load(plain)
    assert "\n" not in str(error.value) and len(str(error.value)) < 700


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", [{}, [], None, 3, "model", {"model_type": "bert"}, {"tokens": 3}, {"tokens": [1]}])
def test_json_of_others(plain, name, content):
    (plain / name).write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=rf"{name}: (has no entry|lists no tokens).*a directory that this library made"
    ):
        load(plain)


def test_broken_files(plain):
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        whole = (plain / name).read_bytes()
        (plain / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=name):
            load(plain)
        (plain / name).write_bytes(whole)
    load(plain)


def test_hidden_states_through_the_package(plain):
    sequences = [record.sequence for record in transfer_rnas()[:30]]
    model = rnalm.load(plain)
    states = model.hidden_states(sequences)
    assert [state.shape for state in states] == [(len(sequence) + 2, 32) for sequence in sequences]
    assert {state.dtype for state in states} == {np.dtype(np.float32)}
    with torch.no_grad():
        for sequence, state in zip(sequences[:5], states, strict=False):
            alone = model.encoder(pack([TOKENISER.encode(sequence)])).cpu().numpy()
            np.testing.assert_allclose(state, alone, atol=1e-5)
    rna = [sequence.replace("T", "u").lower() for sequence in sequences]
    assert all(np.array_equal(a, b) for a, b in zip(states, model.hidden_states(rna), strict=True))


def test_maps_that_the_encoder_has_not_are_named():
    with pytest.raises(InputError, match=r"maps \[6\] of 6 attention heads"):
        finetuned.build(registry.build(ERNIE_RNA), {"kind": "maps", "maps": [0, 6], "blocks": 1, "dropout": 0})
