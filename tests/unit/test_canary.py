"""Canaries: garbage in the place of test records changes nothing that is trained, fitted, scaled or chosen.

By the whole stages task_data and finetune, for every kind of label; base pairs are in test_finetuning.py, too.
"""

import json
import random

import pytest
import yaml
from rnalm import provenance
from rnalm.models import directory
from small_models import TINY, encoder
from stage_scripts import run_stage

DRAW = random.Random(7)
SEQUENCES = ["".join(DRAW.choices("ACGU", k=DRAW.randint(12, 30))) for _ in range(18)]
PARTS = ["train"] * 10 + ["valid"] * 4 + ["test"] * 4
TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "precision": "fp32",
    "unfreeze": {0: ["head"], 1: ["encoder"]},
}


def number(i: int, sequence: str) -> str:
    return str(len(sequence) + i / 7)


def name(i: int, sequence: str) -> str:
    return "abc"[i % 3]


def digits(i: int, sequence: str) -> str:
    return "".join("01"[letter in "GC"] for letter in sequence)


def brackets(i: int, sequence: str) -> str:
    return "((" + "." * (len(sequence) - 4) + "))"


# Head, labels, and garbage of the test: its numbers would move a scaler, its lengths a batch, its letters a vocabulary.
KINDS = {
    "number": ({"kind": "scalar", "width": 8, "blocks": 1}, number, lambda n: str(1e9 * n)),
    "classes": ({"kind": "classes", "width": 8, "activation": "gelu", "pooling": "first"}, name, lambda n: "c"),
    "positions": ({"kind": "positions", "width": 8, "blocks": 1}, digits, lambda n: "1" * n),
    "pairs": ({"kind": "pairs", "width": 8, "blocks": 1}, brackets, lambda n: "." * n),
}


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """A function that makes data and model of a kind from rows of a table; returns the model's folder."""

    def run(folder: str, kind: str, init: str, rows: list[str], **keys):
        (place := tmp_path / folder).mkdir()
        (place / "own.csv").write_text("id,sequence,label,set\n" + "\n".join(rows) + "\n")
        head, *_ = KINDS[kind]
        task = {"task": "own", "source": {"name": "mine", "release": "1"}, "reader": "table", "head": head}
        task |= {"splits": {"s": {"rule": "given", "train": "train", "valid": "valid", "test": "test"}}}
        (place / "task.yaml").write_text(yaml.safe_dump(task | {"training": TRAINING} | keys))
        with provenance.stage("retrieve", place / "retrieved.json", [], {}) as record:
            record.outputs.append(place / "own.csv")
        with provenance.stage("export", tmp_path / "start" / "manifest.json", [], {}) as record:
            record.outputs += directory.save(tmp_path / "start", encoder(TINY, dropout=0.1), "# card")
        common = {"task_config": place / "task.yaml", "seed": 42}
        data = place / "data" / "manifest.json"
        run_stage("task_data", monkeypatch, **common, retrieved=place / "retrieved.json", manifest=data)
        run_stage(
            "finetune", monkeypatch, **common, data=data, model=tmp_path / "start" / "manifest.json", split="s",
            init=init, state=place / "state", manifest=place / "model" / "manifest.json",
        )  # fmt: skip
        return place / "model"

    return run


def rows(kind: str, spoilt: bool) -> list[str]:
    """The table; spoilt: with garbage in the place of the test's sequences and labels, and more of it."""
    _, label, garbage = KINDS[kind]
    made = [f"{part}{i},{s},{label(i, s)},{part}" for i, (s, part) in enumerate(zip(SEQUENCES, PARTS, strict=True))]
    if not spoilt:
        return made
    kept = [row for row in made if not row.startswith("test")]
    lengths = (1, 2, 90, 7, 300)
    return kept + [f"x{n},{'NRYKMSW' * (n // 7) + 'N' * (n % 7)},{garbage(n)},test" for n in lengths]


@pytest.mark.parametrize("init", ["pretrained", "frozen", "onehot"])
@pytest.mark.parametrize("kind", KINDS)
def test_canary_test_rows_never_reach_training_scaler_classes_threshold_or_choice_of_epoch(stages, kind, init):
    real, canary = stages("real", kind, init, rows(kind, False)), stages("canary", kind, init, rows(kind, True))
    for file in ("model.safetensors", "config.json", "history.csv"):
        assert (real / file).read_bytes() == (canary / file).read_bytes(), file
    counts = [provenance.load(folder / "manifest.json")["counts"] for folder in (real, canary)]
    assert counts[0] == counts[1]


def test_canary_early_stopping_and_a_metric_of_errors_see_validation_alone(stages):
    training = TRAINING | {"epochs": 5, "patience": 1, "choose_by": "mae", "learning_rate": 0.1}
    made = [
        stages(name, "number", "frozen", rows("number", name == "canary"), training=training)
        for name in ("real", "canary")
    ]
    real, canary = ((folder / "history.csv").read_bytes() for folder in made)
    assert real == canary and len(real.splitlines()) < 6, "training ended early"


def test_the_scaler_is_that_of_the_training_rows(stages):
    folder = stages("real", "number", "frozen", rows("number", False))
    head = json.loads((folder / "config.json").read_text())["head"]
    values = [float(number(i, sequence)) for i, sequence in enumerate(SEQUENCES[:10])]
    mean = sum(values) / 10
    assert head["mean"] == pytest.approx(mean)
    assert head["std"] == pytest.approx((sum((value - mean) ** 2 for value in values) / 10) ** 0.5), "of the population"


def test_changed_validation_rows_are_seen(stages):
    """The canary can sing: what is in validation does move the history."""
    made = rows("number", False)
    other = [row.partition(",")[0] + ",ACGUUUUUACGU,99,valid" if row.startswith("valid10") else row for row in made]
    real, changed = (stages(folder, "number", "frozen", table) for folder, table in (("a", made), ("b", other)))
    assert (real / "history.csv").read_bytes() != (changed / "history.csv").read_bytes()
