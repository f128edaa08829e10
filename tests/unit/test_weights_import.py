"""Published checkpoints, imported, give the golden numbers, and what they are is recorded."""

import argparse
import csv
import json

import numpy as np
import pytest
import torch
from published_weights import ENCODERS, HEADS, SEQUENCE, THRESHOLD, equal, imported, published, refused, rnalm_
from rnalm import golden
from rnalm.files import sha256
from rnalm.models import directory, finetuned, registry
from rnalm.models.exchange import multimolecule, transfer
from rnalm.models.rnaret import computed_tensors
from rnalm.tokens.packing import pack
from safetensors.torch import save_file
from small_models import by_rule, close, ernie_rna_weights, rnaret

pytestmark = pytest.mark.usefixtures("no_gradients")


def test_rinalmo(tmp_path):
    model, pairs = imported(tmp_path, published("rinalmo"), "rinalmo"), golden.load("rinalmo")
    assert registry.describe(model.encoder) == {**registry.describe(ENCODERS["rinalmo"])}
    for i in range(4):
        hidden = model.encoder(pack([pairs[f"ids{i}"]]))
        close(hidden, pairs[f"representation{i}"])
        close(model.encoder.logits(hidden), pairs[f"logits{i}"])


def test_rinalmo_structure_folds(tmp_path):
    content = published("rinalmo")
    content = {f"lm.{name}": tensor for name, tensor in content.items()} | {"threshold": THRESHOLD}
    shapes = finetuned.build(ENCODERS["rinalmo"], HEADS["structure"][1]).head.state_dict()
    # The golden pairs' own rule, which is about `pred_head.` and the key.
    content |= {f"pred_head.{key}": by_rule(f"pred_head.{key}", tensor.shape) for key, tensor in shapes.items()}
    model, pairs = imported(tmp_path, content, "rinalmo"), golden.load("rinalmo")
    for i in range(4):
        close(model.model(pack([pairs[f"ids{i}"]]))[0], pairs[f"pair_logits{i}"])
    assert model.config["head"]["threshold"] == THRESHOLD
    (tmp_path / "in.fa").write_text(f">a\n{SEQUENCE}\n")
    rnalm_("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn")
    assert (tmp_path / "out.dbn").read_text().splitlines()[1] == SEQUENCE
    assert "(" in (tmp_path / "out.dbn").read_text()


def test_ernie_rna(tmp_path):
    content = {
        "args": argparse.Namespace(arch="ernie_rna"),
        "model": published("ernie_rna"),
        "last_optimizer_state": {},
    }
    model, pairs = imported(tmp_path, content, "ernie_rna"), golden.load("ernie_rna")
    assert registry.describe(model.encoder) == registry.describe(ENCODERS["ernie_rna"])
    for i, sequence in enumerate(pairs["sequences"].tolist()):
        close(model.encoder(pack([model.encoder.tokeniser.encode(sequence)])), pairs[f"h{i}_3"])


@pytest.mark.parametrize("k", [1, 3])
def test_rnaret(tmp_path, k):
    content, pairs = rnaret(k=k).state_dict() | computed_tensors(ENCODERS["rnaret"].config), golden.load("rnaret")
    model = imported(tmp_path, content, "rnaret")
    assert registry.describe(model.encoder) == registry.describe(rnaret(k=k))
    for length in (7, 80, 300):
        hidden = model.encoder(pack([pairs[f"k{k}_L{length}_ids"]]))
        expected = pairs[f"k{k}_L{length}_residual_stream"]
        close(hidden, expected, np.abs(expected).max())


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_multimolecule(tmp_path, file):
    """The golden pairs of ERNIE-RNA are MultiMolecule's numbers for these tensors under its names."""
    shapes = {}
    for name, tensor in ENCODERS["ernie_rna"].state_dict().items():
        tokens = name in multimolecule.FAMILIES["ernie_rna"].by_token
        (theirs,) = multimolecule.named(name, multimolecule.ERNIE_RNA_NAMES)
        shapes[theirs] = (28, *tensor.shape[1:]) if tokens else tuple(tensor.shape)
    # The word embedding is tied to the decoder and named after it.
    tied = {"model.embeddings.word_embeddings.weight": "lm_head.decoder.weight", "lm_head.bias": "lm_head.decoder.bias"}
    drawn = {key: ernie_rna_weights(tied.get(key, key), shape) for key, shape in shapes.items()}
    tensors = {key: torch.from_numpy(x.astype(np.float32)) for key, x in drawn.items()}
    tensors["model.embeddings.token_type_embeddings.weight"] = torch.zeros(2, 72)
    tensors["model.pooler.dense.weight"] = torch.zeros(72, 72)
    folder = tmp_path / "theirs"
    folder.mkdir()
    if file == "model.safetensors":
        save_file(tensors, folder / file)
    else:
        torch.save(tensors, folder / file)
    sizes = {"hidden_size": 72, "num_hidden_layers": 3, "num_attention_heads": 6, "intermediate_size": 288}
    (folder / "config.json").write_text(json.dumps({"model_type": "ernierna", "vocab_size": 28, **sizes}))
    rnalm_("import-weights", folder / file, "--from", "multimolecule", "--out", tmp_path / "ours")
    model, pairs = directory.load(tmp_path / "ours").encoder, golden.load("ernie_rna")
    equal(model.state_dict(), ENCODERS["ernie_rna"].state_dict())
    for i, sequence in enumerate(pairs["sequences"].tolist()):
        close(model(pack([model.tokeniser.encode(sequence)])), pairs[f"h{i}_3"])


def test_half_precision_and_data_parallelism(tmp_path):
    state = {f"module.{name}": tensor.half() for name, tensor in published("rinalmo").items()}
    model = imported(tmp_path, {"epoch": 3, "state_dict": state}, "rinalmo").encoder
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, ENCODERS["rinalmo"].state_dict()[name].half().float()), name


def test_what_was_interrupted_can_be_made_again(tmp_path, monkeypatch):
    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(directory, "save_file", interrupted)
        with pytest.raises(SystemExit) as ended:
            imported(tmp_path, published("rnaret"), "rnaret")
    assert ended.value.code == 130
    imported(tmp_path, published("rnaret"), "rnaret")


def test_the_sum_is_recorded(tmp_path):
    model = imported(tmp_path, published("rinalmo"), "rinalmo")
    total = sha256(tmp_path / "model.pt")
    assert model.config["source"] == {"file": "model.pt", "layout": "rinalmo", "sha256": total}
    assert total in (tmp_path / "model" / "README.md").read_text()


def test_a_published_file_must_be_that_file(tmp_path, capsys):
    torch.save(published("rinalmo"), tmp_path / "rinalmo_micro_pretrained.pt")
    refused(capsys, tmp_path / "rinalmo_micro_pretrained.pt", "rinalmo", "has SHA-256", "910c73aa")
    (tmp_path / "rinalmo_micro_pretrained.pt").rename(tmp_path / "rinalmo_giga_mrl_ft.pt")
    rnalm_(
        "import-weights",
        tmp_path / "rinalmo_giga_mrl_ft.pt",
        "--from",
        "rinalmo",
        "--heads",
        6,
        "--out",
        tmp_path / "m",
    )
    assert "no sum of a published file of this name is known" in (tmp_path / "m" / "README.md").read_text()


def test_table_of_published_files():
    with open(transfer.PUBLISHED, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["family"] for row in rows} == set(registry.FAMILIES) - {"onehot", "kmer"}
    assert {len(row["sha256"]) for row in rows} == {0, 64}
    assert all(row["what"] and row["where"].startswith("https://") for row in rows)
    files = [row["file"] for row in rows if row["file"]]
    assert len(files) == len(set(files))
