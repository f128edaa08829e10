"""Model directories that Transformers reads and writes: nothing is lost on the way."""

import json

import numpy as np
import pytest
from models_of_hf import ENCODERS, EVERY, embedded, same_weights
from rnalm import cli
from rnalm.models import directory, registry
from rnalm.models.heads import PairModel
from safetensors.torch import load_file
from small_models import TINY, encoder, transfer_rnas, weights_by_rule
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)


@EVERY
@pytest.mark.parametrize("auto", [AutoModel, AutoModelForMaskedLM])
def test_round_trip(folder, tmp_path, name, auto):
    model = auto.from_pretrained(folder / name)
    same_weights(model.encoder, ENCODERS[name])
    model.save_pretrained(tmp_path / "saved")
    again = auto.from_pretrained(tmp_path / "saved")
    assert type(again) is type(model) and again.config.model == model.config.model
    same_weights(again, model)
    same_weights(directory.load(tmp_path / "saved").encoder, ENCODERS[name])
    tensors = (load_file(place / "model.safetensors") for place in (folder / name, tmp_path / "saved"))
    assert (
        len({tuple((key, tensor.numpy().tobytes()) for key, tensor in sorted(part.items())) for part in tensors}) == 1
    )
    before, after = embedded(folder / name, tmp_path), embedded(tmp_path / "saved", tmp_path)
    assert before.keys() == after.keys() and all(np.array_equal(before[key], after[key]) for key in before)


def test_what_a_directory_says_beside_its_model_is_kept(tmp_path):
    source = {"file": "a.pt", "layout": "rinalmo", "sha256": "0"}
    directory.save(tmp_path / "made", encoder(TINY), "# card", source=source)
    AutoModel.from_pretrained(tmp_path / "made").save_pretrained(tmp_path / "saved")
    before, after = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("made", "saved"))
    assert {key: after[key] for key in before} == before


def test_a_structure_model_still_folds(tmp_path):
    model = weights_by_rule(PairModel(registry.build(TINY), 8, 1))
    head = {"task": "structure", "width": 8, "blocks": 1, "threshold": 0.3}
    directory.save(tmp_path / "made", model.encoder, "# card", model, head)
    AutoModel.from_pretrained(tmp_path / "made").save_pretrained(tmp_path / "saved")
    same_weights(directory.load(tmp_path / "saved").model, model)
    (tmp_path / "in.fa").write_text(f">a\n{transfer_rnas()[0].sequence}\n")
    for name in ("made", "saved"):
        cli.main(["fold", str(tmp_path / name), str(tmp_path / "in.fa"), "-o", str(tmp_path / f"{name}.dbn")])
    assert (tmp_path / "made.dbn").read_text() == (tmp_path / "saved.dbn").read_text()
    assert "(" in (tmp_path / "saved.dbn").read_text()
    # Another task leaves the structure head aside.
    AutoModelForMaskedLM.from_pretrained(tmp_path / "made").save_pretrained(tmp_path / "plain")
    assert directory.load(tmp_path / "plain").model is None
    labelled = AutoModelForSequenceClassification.from_pretrained(tmp_path / "made", num_labels=3)
    assert labelled.config.head["kind"] == "classes"
