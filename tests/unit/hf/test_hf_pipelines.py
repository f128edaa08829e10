"""Pipelines of Transformers, and the examples of the documentation as written."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from models_of_hf import ENCODERS, EVERY, MASKED, SEQUENCES, close, embedded
from rnalm.models import directory
from rnalm.tokens.packing import pack
from small_models import ROOT
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)


@pytest.mark.parametrize("name", ["rinalmo", "ernie_rna", "rnaret"])
def test_fill_mask(folder, name):
    made = ENCODERS[name]
    fill = pipeline("fill-mask", model=str(folder / name))
    found = fill(MASKED, top_k=3)
    tokenizer = fill.tokenizer
    ids = tokenizer(MASKED)["input_ids"]
    with torch.no_grad():
        scores = made.logits(made(pack([np.array(ids)])))[ids.index(tokenizer.mask_token_id)].softmax(0)
    for entry, score, number in zip(found, *scores.topk(3), strict=True):
        assert entry["token"] == number and entry["score"] == pytest.approx(score.item(), abs=1e-5)
        token = made.tokeniser.tokens[number]
        assert entry["token_str"] == token
        if not token.startswith("<"):
            assert entry["sequence"] == MASKED.replace("<mask>", token).replace("U", made.tokeniser.thymine)
    letters = fill(MASKED, targets=["A", "C", "G", "U"])
    assert {entry["token_str"] for entry in letters} == {"A", "C", "G", made.tokeniser.thymine}
    assert [len(one) for one in fill([MASKED, "GG<mask>A"], top_k=2)] == [2, 2]


def test_fill_mask_with_kmers(folder):
    """A hidden nucleotide is in three 3-mers: each is predicted, and each prediction is a whole sequence."""
    fill = pipeline("fill-mask", model=str(folder / "rnaret_3mer"))
    found = fill(MASKED, top_k=64 + 6)
    assert len(found) == 3
    place, clean = MASKED.index("<mask>"), MASKED.replace("U", "T").replace("<mask>", "?")
    for shift, candidates in zip((1, 0, -1), found, strict=True):
        assert sum(entry["score"] for entry in candidates) == pytest.approx(1, abs=1e-4)
        assert len({entry["token"] for entry in candidates}) == 70
        # Those that agree with the neighbours differ in the hidden nucleotide alone.
        window = clean[place - 1 - shift : place + 2 - shift]
        agreeing = {window.replace("?", letter): clean.replace("?", letter) for letter in "ACGT"}
        given = {entry["token_str"]: entry["sequence"] for entry in candidates if entry["token_str"] in agreeing}
        assert given == agreeing
    with pytest.raises(transformers.pipelines.base.PipelineException, match="No mask_token"):
        fill("A<mask>")


@EVERY
def test_other_pipelines(folder, tmp_path, name):
    path = str(folder / name)
    features = pipeline("feature-extraction", model=path)(SEQUENCES[3])
    close(torch.tensor(features[0]), ENCODERS[name](pack([ENCODERS[name].tokeniser.encode(SEQUENCES[3])])).detach())
    model = AutoModelForSequenceClassification.from_pretrained(path, id2label={0: "no", 1: "yes"})
    classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(path))
    assert all(entry["label"] in ("no", "yes") for entry in classify(SEQUENCES))
    # A batch is padded, one alone is not.
    scores = [entry["score"] for entry in classify(SEQUENCES, batch_size=4)]
    assert scores == pytest.approx([entry["score"] for entry in classify(SEQUENCES, batch_size=1)], abs=1e-5)


def example(page: str) -> str:
    """The Python blocks of a page that are about Transformers."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    return "\n".join(block for block in blocks if "transformers" in block)


def test_the_page_as_written(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "rinalmo", "models/micro")
    seen = {}
    exec(example("docs/transformers.md"), seen)
    assert seen["hidden"].shape == (2, 14, 60)
    assert [entry["sequence"][7] for entry in seen["fill"]("GGCUAUU<mask>GGCC", top_k=3, targets=["A", "C", "G"])]
    mine = directory.load("models/mine")
    assert mine.config["head"]["classes"] == 2 and mine.config["id2label"] == {"0": "tRNA", "1": "snoRNA"}
    assert len(embedded(Path("models/mine"), tmp_path)) == len(SEQUENCES)


def test_the_readme_as_written(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "rinalmo", "results/demo/models/pretrained")
    exec(example("README.md"), {})
