"""Files that do not fit a layout, and models that a layout cannot hold, are refused in one line."""

import json
import resource

import pytest
import rnalm
import torch
from published_weights import HEADS, SEQUENCE, imported, published, published_head, refused, rnalm_
from rnalm.errors import InputError
from rnalm.models import directory, finetuned, registry
from rnalm.models.exchange import transfer
from safetensors.torch import load_file, save_file
from small_models import ERNIE_RNA, GOLDEN, RNARET, TINY

pytestmark = pytest.mark.usefixtures("no_gradients")


def without(state: dict, *names: str) -> dict:
    return {name: tensor for name, tensor in state.items() if name not in names}


KIND = ("tensors of another kind: lm_mask_head.linear1.bias",)
BAD = {
    "missing": (
        lambda: without(published("rinalmo"), "lm_mask_head.linear1.bias", "lm_mask_head.linear2.bias"),
        ("lacks the tensors lm_mask_head.linear1.bias, lm_mask_head.linear2.bias",),
    ),
    "unknown": (
        lambda: published("rinalmo") | {f"extra{i}": torch.ones(1) for i in range(5)},
        ("has unknown entries extra0, extra1, extra2 and 2 more",),
    ),
    "shape": (
        lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.ones(61)},
        ("other shapes", "lm_mask_head.linear1.bias"),
    ),
    "no threshold": (lambda: without(published_head("structure"), "threshold"), ("without its threshold",)),
    "no scaler": (lambda: without(published_head("ribosome"), "scaler._std"), ("without its threshold or scaler",)),
    "other head": (
        lambda: {f"lm.{n}": t for n, t in published("rinalmo").items()} | {"pred_head.attention.weight": torch.ones(1)},
        ("head of unknown form", "structure, mean ribosome load, splice sites and ncRNA families"),
    ),
    "other family": (lambda: published("rnaret"), ("has no tensor embedding.weight", "--from")),
    "no tensor": (
        lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": 3},
        ("no tensors under", "linear1.bias"),
    ),
    "a number as embedding": (
        lambda: published("rinalmo") | {"embedding.weight": torch.ones(())},
        ("a tensor embedding.weight of the shape ()",),
    ),
    "an embedding of nothing": (
        lambda: published("rinalmo") | {"embedding.weight": torch.ones(22, 0)},
        ("a tensor embedding.weight of the shape (22, 0)",),
    ),
    "not finite": (
        lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.full((60,), torch.inf)},
        ("numbers that are not finite in lm_mask_head.linear1.bias",),
    ),
    "integers": (lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.ones(60).long()}, KIND),
    "complex": (lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.ones(60).cfloat()}, KIND),
    "sparse": (lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.ones(60).to_sparse()}, KIND),
    "without contents": (
        lambda: published("rinalmo") | {"lm_mask_head.linear1.bias": torch.ones(60, device="meta")},
        KIND,
    ),
    "threshold is no number": (
        lambda: published_head("structure") | {"threshold": None},
        ("no number under threshold",),
    ),
    "scaler is no number": (
        lambda: published_head("ribosome") | {"scaler._std": torch.tensor([torch.nan])},
        ("no number under scaler._std",),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_does_not_fit(tmp_path, capsys, case):
    make, expected = BAD[case]
    torch.save(make(), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "bad.pt", *expected)


def test_heads_that_do_not_divide_the_width(tmp_path, capsys):
    torch.save(published("rinalmo"), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "width 60", "--heads", heads=7)
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "0 attention heads", heads=0)
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "-3 attention heads", heads=-3)


def test_heads_that_the_file_contradicts(tmp_path, capsys):
    torch.save(published("rnaret"), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rnaret", "has 4 attention heads, not 6", "leave --heads out")


@pytest.mark.parametrize("name", ["embed_tokens.weight", "layers.0.retention.v_proj.weight", "retnet_rel_pos.decay"])
def test_tensors_of_rnaret_without_their_dimensions(tmp_path, capsys, name):
    torch.save(published("rnaret") | {name: torch.ones(())}, tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rnaret", f"a tensor {name} of the shape ()", heads=4)


@pytest.mark.parametrize("name", ["{}", "{", "{0.__class__}", "{:>2000000000}"])
def test_a_name_that_could_be_a_pattern(tmp_path, capsys, name):
    torch.save(published("ernie_rna") | {f"encoder.twod_proj.{name}.weight": torch.ones(1)}, tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "ernie-rna", f"has unknown entries encoder.twod_proj.{name}.weight")


@pytest.mark.parametrize("layout", ["rinalmo", "ernie-rna", "rnaret"])
def test_a_file_that_holds_itself(tmp_path, capsys, layout):
    content = {}
    content["model"] = content
    torch.save(content, tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", layout, "bad.pt", heads=6)


@pytest.mark.parametrize("layout", ["ernie-rna", "rnaret", "multimolecule"])
def test_a_rinalmo_by_another_layout(tmp_path, capsys, layout):
    torch.save(published("rinalmo"), tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", layout)


def test_another_decay(tmp_path, capsys):
    torch.save(published("rnaret") | {"retnet_rel_pos.decay": torch.zeros(4)}, tmp_path / "bad.pt")
    refused(capsys, tmp_path / "bad.pt", "rnaret", "retnet_rel_pos.decay")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vocab_size": 26}, "vocab_size 26"),
        ({"model_type": "bert"}, "model_type 'bert'"),
        ({"model_type": []}, "model_type []"),
        ({"position_embedding_type": "absolute"}, "position_embedding_type 'absolute'"),
        ({"hidden_size": None}, "hidden_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"num_attention_heads": 7}, "dim 72 is no multiple of 14, for 7 heads"),
        ({"hidden_size": 84}, "other shapes"),
        ({"num_hidden_layers": 2}, "unknown entries model.encoder.layer.2."),
        ({"num_hidden_layers": 4}, "lacks the tensors model.encoder.layer.3."),
    ],
)
def test_another_multimolecule(tmp_path, capsys, change, expected):
    imported(tmp_path, published("ernie_rna"), "ernie_rna")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    config = tmp_path / "theirs" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    refused(capsys, tmp_path / "theirs", "multimolecule", expected)
    for broken in ("{", "[1]", "3"):
        config.write_text(broken)
        refused(capsys, tmp_path / "theirs", "multimolecule", "config.json")


@pytest.mark.parametrize(
    "noted", [None, "x", {"head": "pairs"}, {"head": {"kind": "classes"}}, {"head": {"kind": "zero_shot"}}]
)
def test_a_note_of_others_about_the_head_is_not_believed(tmp_path, noted):
    first = imported(tmp_path, published_head("structure"), "rinalmo")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    config = tmp_path / "theirs" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"rnalm": noted}))
    rnalm_("import-weights", tmp_path / "theirs", "--from", "multimolecule", "--out", tmp_path / "again")
    assert directory.load(tmp_path / "again").config["head"] == first.config["head"] | {"threshold": 0.5}


def test_a_torch_file_of_multimolecule_with_numbers_for_names(tmp_path, capsys):
    imported(tmp_path, published("rinalmo"), "rinalmo")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    torch.save({3: torch.ones(1)}, tmp_path / "theirs" / "bad.bin")
    refused(capsys, tmp_path / "theirs" / "bad.bin", "multimolecule", "lacks the tensors")


@pytest.mark.parametrize("layout", ["rinalmo", "multimolecule"])
def test_a_setting_that_a_layout_has_no_place_for(tmp_path, capsys, layout):
    directory.save(tmp_path / "ours", registry.build({**TINY, "rotary_base": 1000.0}), "# card")
    with pytest.raises(SystemExit):
        rnalm_("export-weights", tmp_path / "ours", "--to", layout, "--out", tmp_path / "theirs")
    assert "has no place for rotary_base 1000.0 of this model" in capsys.readouterr().err
    assert not (tmp_path / "theirs").exists()


def test_a_checkpoint_that_may_not_be_read(tmp_path, capsys, monkeypatch):
    torch.save(published("rinalmo"), tmp_path / "bad.pt")
    monkeypatch.setattr(transfer.os, "access", lambda file, mode: False)
    refused(capsys, tmp_path / "bad.pt", "rinalmo", "bad.pt: cannot be read; change its permissions")


def test_tensors_of_multimolecule_that_do_not_fit(tmp_path, capsys):
    imported(tmp_path, published("rinalmo"), "rinalmo")
    rnalm_("export-weights", tmp_path / "model", "--to", "multimolecule", "--out", tmp_path / "theirs")
    file = tmp_path / "theirs" / "model.safetensors"
    tensors = load_file(file)
    layer = "model.encoder.layer.0.attention."
    for name, tensor in (
        ("model.embeddings.word_embeddings.weight", torch.ones(26, 60)),
        (f"{layer}self.query.weight", torch.ones(60, 59)),
        (f"{layer}self.query.weight", torch.ones(())),
        (f"{layer}output.dense.weight", torch.ones(60, 61)),
    ):
        save_file(tensors | {name: tensor}, file)
        refused(capsys, tmp_path / "theirs", "multimolecule")


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    torch.save(published("rinalmo"), tmp_path / "good.pt")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        rnalm_(
            *("import-weights", tmp_path / "good.pt", "--from", "rinalmo"),
            *("--heads", 6, "--out", tmp_path / "file" / "model"),
        )
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["rinalmo", "multimolecule"])
def test_a_full_disk(tmp_path, capsys, layout):
    imported(tmp_path, published("rinalmo"), "rinalmo")
    before, unlimited = sorted(tmp_path.iterdir()), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
    try:
        with pytest.raises(SystemExit) as ended:
            rnalm_("export-weights", tmp_path / "model", "--to", layout, "--out", tmp_path / "theirs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert ended.value.code == 2
    assert "File too large" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_name_that_says_another_format(tmp_path):
    imported(tmp_path, published("rnaret"), "rnaret")
    with pytest.raises(InputError, match=r"end it in \.pt"):
        transfer.export_weights(directory.load(tmp_path / "model"), "rnaret", tmp_path / "theirs.safetensors")


def test_nothing_is_written_over(tmp_path, capsys):
    imported(tmp_path, published("rnaret"), "rnaret")
    with pytest.raises(InputError, match="is there already"):
        transfer.import_weights(tmp_path / "model.pt", "rnaret", tmp_path / "model")
    with pytest.raises(InputError, match="is there already"):
        transfer.export_weights(directory.load(tmp_path / "model"), "rnaret", tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("settings", "head", "layout", "expected"),
    [
        (RNARET, None, "rinalmo", "family rnaret"),
        (RNARET, None, "multimolecule", "has no rnaret"),
        ({"family": "kmer"}, None, "rnaret", "family kmer"),
        ({"family": "onehot"}, None, "multimolecule", "has no onehot"),
        (RNARET, HEADS["coding"][1] | {"blocks": 16}, "rnaret", "never calls the blocks"),
        (GOLDEN, None, "ernie-rna", "family rinalmo"),
        (RNARET, HEADS["structure"][1], "rnaret", "no head of kind 'pairs'"),
        (GOLDEN, HEADS["coding"][1], "rinalmo", "no head of kind 'positions'"),
        (GOLDEN, HEADS["splice"][1], "multimolecule", "no such head"),
        (GOLDEN, HEADS["structure"][1] | {"width": 8}, "multimolecule", "no such head"),
        (GOLDEN, HEADS["ribosome"][1] | {"padded_to": 0}, "rinalmo", "no place for padded_to"),
        (RNARET, HEADS["rnaret_structure"][1] | {"threshold": 0.4}, "rnaret", "no place for threshold"),
        (ERNIE_RNA | {"pair_hidden": 5}, None, "multimolecule", "other shapes"),
    ],
)
def test_what_a_layout_cannot_hold(tmp_path, settings, head, layout, expected):
    model = finetuned.build(registry.build(settings), head) if head else None
    made = model.encoder if model else registry.build(settings)
    directory.save(tmp_path / "ours", made, "# card", model, head)
    with pytest.raises(InputError, match=expected) as error:
        transfer.export_weights(directory.load(tmp_path / "ours"), layout, tmp_path / "out")
    assert "\n" not in str(error.value) and ".tmp" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_a_head_that_is_not_for_structures_does_not_fold(tmp_path):
    imported(tmp_path, published_head("splice"), "rinalmo")
    with pytest.raises(InputError, match="without a structure head"):
        rnalm.load(tmp_path / "model").fold([SEQUENCE])
