"""Weights that are exported are what they were, and come back the same."""

import pytest
import torch
from published_weights import ENCODERS, HEADS, LAYOUTS, SEQUENCE, equal, imported, published, published_head, rnalm_
from rnalm.models import directory, finetuned, registry
from rnalm.models.exchange import multimolecule
from rnalm.tokens.packing import pack
from safetensors.torch import load_file
from small_models import ERNIE_RNA, TINY, encoder

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.mark.parametrize("family", LAYOUTS)
def test_round_trip(tmp_path, family):
    first = imported(tmp_path, published(family), family)
    rnalm_("export-weights", tmp_path / "model", "--to", LAYOUTS[family], "--out", tmp_path / "again.pt")
    content = torch.load(tmp_path / "again.pt", weights_only=True)
    content = content["model"] if family == "ernie_rna" else content
    equal(content, {name: tensor for name, tensor in published(family).items() if "inv_freq" not in name})
    again = imported(tmp_path, content, family, "second")
    equal(again.encoder.state_dict(), first.encoder.state_dict())
    assert registry.describe(again.encoder) == registry.describe(first.encoder)


@pytest.mark.parametrize("name", HEADS)
def test_round_trip_with_head(tmp_path, name):
    family = HEADS[name][0]
    imported(tmp_path, published_head(name), family)
    rnalm_("export-weights", tmp_path / "model", "--to", LAYOUTS[family], "--out", tmp_path / "again.pt")
    equal(torch.load(tmp_path / "again.pt", weights_only=True), published_head(name))


@pytest.mark.parametrize("name", ["rinalmo", "ernie_rna", "structure", "ernie_structure"])
def test_round_trip_of_multimolecule(tmp_path, name):
    if name in LAYOUTS:
        first = imported(tmp_path, published(name), name)
    else:
        first = imported(tmp_path, published_head(name), HEADS[name][0])
    # ERNIE-RNA's tokens without a meaning have no place there; they must come back all the same.
    state = first.encoder.state_dict()
    if "embed_tokens.weight" in state:
        state["embed_tokens.weight"][21:24] = 0.5
        directory.save(tmp_path / "model", first.encoder, "# card", first.model, first.config["head"])
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    rnalm_("import-weights", tmp_path / "theirs", "--from", "multimolecule", "--out", tmp_path / "again")
    again = directory.load(tmp_path / "again")
    equal((again.model or again.encoder).state_dict(), (first.model or first.encoder).state_dict())
    assert again.config["head"] == first.config["head"]
    assert registry.describe(again.encoder) == registry.describe(first.encoder)


def test_files_are_readable_as_the_users_mask_says(tmp_path):
    imported(tmp_path, published("ernie_rna"), "ernie_rna")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    (tmp_path / "plain").write_text("")
    files = [*(tmp_path / "model").iterdir(), *(tmp_path / "theirs").iterdir()]
    assert {file.stat().st_mode for file in files} == {(tmp_path / "plain").stat().st_mode}


def test_tokens_of_multimolecule(tmp_path):
    imported(tmp_path, published("rinalmo"), "rinalmo")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    tensors = load_file(tmp_path / "theirs" / "model.safetensors")
    ours, theirs = ENCODERS["rinalmo"].embedding.weight, tensors["model.embeddings.word_embeddings.weight"]
    tokens, names = ENCODERS["rinalmo"].tokeniser.tokens, multimolecule.TOKENS
    assert tuple((tmp_path / "theirs" / "vocab.txt").read_text().split()) == names
    assert torch.equal(theirs[names.index("U")], ours[tokens.index("T")])
    assert torch.equal(theirs[names.index("<pad>")], ours[tokens.index("<pad>")])
    for token in ("X", "<null>", "|", ".", "*", "?"):
        assert torch.equal(theirs[names.index(token)], ours[tokens.index("<unk>")])
        assert tensors["lm_head.bias"][names.index(token)] == -1e4
    logits = torch.randn(5, 60) @ tensors["lm_head.decoder.weight"].T + tensors["lm_head.bias"]
    shared = [names.index("U" if token == "T" else token) for token in tokens]
    torch.testing.assert_close(logits.softmax(dim=1)[:, shared], logits[:, shared].softmax(dim=1))


def test_a_trained_model_of_ours(tmp_path):
    """A head as fine-tuning saves it, without `kind`, and dropouts of its own."""
    head = {"task": "structure", "width": 64, "blocks": 2, "threshold": 0.21}
    model = finetuned.build(encoder({**TINY, "dropout": 0.3}), head)
    directory.save(tmp_path / "ours", model.encoder, "# card", model, head)
    for layout, out in (("rinalmo", "ours.pt"), ("multimolecule", "theirs")):
        rnalm_("export-weights", tmp_path / "ours", "--to", layout, "--out", tmp_path / out)
        heads = ["--heads", 4]
        rnalm_("import-weights", tmp_path / out, "--from", layout, "--out", tmp_path / f"from-{layout}", *heads)
        again = directory.load(tmp_path / f"from-{layout}")
        equal(again.model.state_dict(), model.state_dict())
        assert again.config["head"]["threshold"] == 0.21
        batch = pack([model.encoder.tokeniser.encode(SEQUENCE)])
        assert torch.equal(again.model(batch)[0], model.eval()(batch)[0])


def test_the_scale_of_a_model_of_ours(tmp_path):
    """Mean and deviation as training computes them, which single precision does not hold."""
    scale = {"mean": 5.1234567890123, "std": 1.0000000000000002}
    head = {"task": "load", "kind": "scalar", "width": 8, "blocks": 1, "padded_to": 102, **scale}
    model = finetuned.build(encoder(TINY), head)
    directory.save(tmp_path / "ours", model.encoder, "# card", model, head)
    rnalm_("export-weights", tmp_path / "ours", "--to", "rinalmo", "--out", tmp_path / "ours.pt")
    rnalm_("import-weights", tmp_path / "ours.pt", "--from", "rinalmo", "--out", tmp_path / "again", "--heads", 4)
    again = directory.load(tmp_path / "again").config["head"]
    assert {name: again[name] for name in scale} == scale


def test_tied_tensors_become_two(tmp_path):
    state = published("rinalmo")
    state["lm_mask_head.linear2.weight"] = state["embedding.weight"]
    again = imported(tmp_path, state, "rinalmo").encoder.state_dict()
    assert torch.equal(again["lm_mask_head.linear2.weight"], state["embedding.weight"])
    assert torch.equal(again["embedding.weight"], state["embedding.weight"])


@pytest.mark.parametrize("layout", ["ernie-rna", "multimolecule"])
def test_how_masks_are_read_is_no_matter_of_weights(tmp_path, layout):
    directory.save(tmp_path / "ours", registry.build({**ERNIE_RNA, "mask_pairs": False}), "# card")
    rnalm_("export-weights", tmp_path / "ours", "--to", layout, "--out", tmp_path / "theirs")
