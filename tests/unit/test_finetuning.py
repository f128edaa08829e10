"""Fine-tuning on a dozen real RNAs: it learns, it is reproducible, and it never looks at test RNAs."""

import dataclasses

import polars as pl
import pytest
import torch
import yaml
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.models import directory, finetuned, registry
from rnalm.models.heads import PairModel
from rnalm.structure import score
from rnalm.structure.tuning import THRESHOLDS
from rnalm.tasks.losses import pair_loss
from rnalm.tasks.records import Record, write
from rnalm.training import finetuning
from rnalm.training.checkpoints import State
from rnalm.training.finetuning import Run, Settings, finetune, train_epoch, validate
from rnalm.training.prediction import predict
from small_models import TINY, encoder, transfer_rnas
from stage_scripts import run_stage

RNAS = transfer_rnas()[:400:25]
TRAIN, VALID, TEST = list(RNAS[:8]), list(RNAS[8:12]), list(RNAS[12:])
TRAINING = {
    "epochs": 6,
    "batch_size": 1,
    "learning_rate": 1e-2,
    "decay": {"end_factor": 0.1, "steps": 48},
    "unfreeze": {0: ["head"], 2: ["encoder.transformer"]},
    "unfrozen_factor": 0.3,
    "precision": "fp32",
}
HEAD = {"kind": "pairs", "width": 12, "blocks": 1}
HEAD_ONLY = {**TRAINING, "unfreeze": {0: ["head"]}}


STEP = {**HEAD_ONLY, "batch_size": len(TRAIN), "epochs": 1, "unfreeze": {0: ["head", "encoder"]}}


def fresh() -> PairModel:
    torch.manual_seed(3)
    return PairModel(encoder(TINY, dropout=0.1), 12, 1)


def train(settings: dict, records=TRAIN, valid=VALID, seed: int = 1):
    model = fresh()
    return model, finetune(model, HEAD, records, valid, Settings(**settings), seed)


@pytest.fixture(scope="module")
def trained():
    return train(TRAINING)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_loss_falls(trained):
    _, result = trained
    assert [row["epoch"] for row in result.history] == list(range(6))
    for loss in ("train_loss", "valid_loss"):
        assert result.history[-1][loss] < 0.7 * result.history[0][loss]


def test_best_epoch_and_threshold_are_those_of_validation(trained):
    model, result = trained
    best = max(result.history, key=lambda row: row["valid_relaxed_f1"])
    assert (result.metric, result.best_epoch, result.best) == ("relaxed_f1", best["epoch"], best["valid_relaxed_f1"])
    assert result.fitted["threshold"] in THRESHOLDS
    assert (min(THRESHOLDS), max(THRESHOLDS), len(THRESHOLDS)) == (0.01, 0.29, 29)
    # The model holds that epoch's weights: validating it again gives that epoch's row.
    loss, metrics, fitted = validate(model, HEAD, VALID, "fp32")
    assert (fitted, metrics["relaxed_f1"]) == (result.fitted, result.best)
    assert loss == pytest.approx(best["valid_loss"], abs=1e-6)


def test_threshold_comes_from_validation(trained):
    """Other validation RNAs train the same head, epoch by epoch, and tune another threshold or score."""
    other = [dataclasses.replace(record, label=record.label[:2]) for record in VALID]
    _, result = train(TRAINING, valid=other)
    rows = zip(trained[1].history, result.history, strict=True)
    assert all(a["train_loss"] == b["train_loss"] for a, b in rows)
    assert result.best != trained[1].best


def test_unfrozen_part_is_trained_and_the_rest_not(trained):
    before, (model, _) = fresh(), trained
    changed = {
        name for name, tensor in model.state_dict().items() if not torch.equal(before.state_dict()[name], tensor)
    }
    # Nothing trains the language-model head, and the embedding was not named.
    trainable = {name for name, _ in model.named_parameters() if name.startswith(("head.", "encoder.transformer."))}
    assert changed <= trainable
    assert changed & {name for name in trainable if name.startswith("encoder.")}


def test_frozen_encoder_is_bit_equal():
    model, _ = train(HEAD_ONLY)
    assert same(model.encoder, fresh().encoder)
    assert not same(model.head, fresh().head)


def test_unfreezing_later_leaves_the_epochs_before_alone(trained):
    _, frozen = train(HEAD_ONLY)
    assert frozen.history[:2] == trained[1].history[:2]
    assert frozen.history[2:] != trained[1].history[2:]


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_run_goes_on_after_its_last_epoch(trained, tmp_path, after):
    """With the parts that joined, the optimiser's moments and the rate where they were: to the last bit."""

    class Killed(Exception):
        pass

    class Dying(State):
        def publish(self, tag, **progress):
            super().publish(tag, **progress)
            if progress["epoch"] == after:
                raise Killed

    with pytest.raises(Killed):
        finetune(fresh(), HEAD, TRAIN, VALID, Settings(**TRAINING), 1, Dying(tmp_path, "a"))
    model = fresh()
    result = finetune(model, HEAD, TRAIN, VALID, Settings(**TRAINING), 1, State(tmp_path, "a"))
    assert result == trained[1] and same(model, trained[0])


def test_patience_ends_training_early():
    still = {**HEAD_ONLY, "learning_rate": 1e-12, "patience": 2}
    _, result = train(still)
    assert (result.best_epoch, len(result.history)) == (0, 3)


KINDS = {
    "pairs": (HEAD, lambda i, rna: rna.label),
    "classes": ({"kind": "classes", "width": 8, "classes": 2, "activation": "gelu", "labels": ["a", "b"]},
                lambda i, rna: "ab"[i % 2]),
    "number": ({"kind": "scalar", "width": 8, "blocks": 1, "mean": 0.0, "std": 1.0}, lambda i, rna: rna.length / 40),
    "positions": ({"kind": "positions", "width": 8}, lambda i, rna: [int(base in "GC") for base in rna.sequence]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_passes_of_a_token_budget_add_up_to_the_batch(kind):
    """Eight RNAs of unlike lengths in one step, in one pass or one by one: the same gradients and losses."""
    head, label = KINDS[kind]
    records = [
        dataclasses.replace(
            rna, sequence=rna.sequence[: 40 + 4 * i], label=[pair for pair in rna.label if pair[1] < 40 + 4 * i]
        )
        for i, rna in enumerate(TRAIN)
    ]
    records = [dataclasses.replace(rna, label=label(i, rna)) for i, rna in enumerate(records)]
    gradients, losses = [], []
    for tokens in (4096, 1):
        torch.manual_seed(3)
        model = finetuned.build(encoder(TINY, dropout=0.0, attention_dropout=0.0), head)
        run = Run(model, head, Settings(**STEP, tokens_per_pass=tokens))
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        losses.append(train_epoch(run, records, seed=1))
        gradients.append([p.grad for p in run.model.parameters() if p.requires_grad])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_a_metric_that_the_task_has_not_is_named_before_an_epoch_is_spent(monkeypatch):
    monkeypatch.setattr(finetuning, "train_epoch", None)
    with pytest.raises(InputError, match="choose_by: accurracy"):
        train({**HEAD_ONLY, "choose_by": "accurracy"})


def test_the_epoch_of_the_smallest_error_is_the_best_one():
    head = {"kind": "scalar", "width": 8, "blocks": 1, "mean": 0.0, "std": 1.0}
    records = [dataclasses.replace(rna, label=rna.length / 40) for rna in RNAS]
    settings = Settings(**{**HEAD_ONLY, "epochs": 5, "learning_rate": 0.05, "choose_by": "mae"})
    model = finetuned.build(encoder(TINY), head)
    result = finetune(model, head, records[:8], records[8:], settings, seed=1)
    errors = [row["valid_mae"] for row in result.history]
    assert len(set(errors)) == 5
    assert result.best_epoch == errors.index(min(errors)) and result.value == min(errors) == -result.best


def test_a_threshold_of_the_config_is_not_tuned():
    model, tuned = fresh(), HEAD | {"threshold": 0.2}
    result = finetune(model, tuned, TRAIN, VALID, Settings(**HEAD_ONLY), 1)
    assert {row["threshold"] for row in result.history} == {0.2} and result.fitted == {"threshold": 0.2}
    # It is scored at that one.
    predicted = predict(model, tuned, VALID)
    f1 = [score(pairs, rna.label, rna.length, relaxed=True)[2] for pairs, rna in zip(predicted, VALID, strict=True)]
    assert result.best == pytest.approx(sum(f1) / len(f1))


def test_training_that_diverges_is_an_error_not_a_model():
    with pytest.raises(InputError, match=r"has the loss (nan|inf) in epoch \d: .*; lower learning_rate"):
        train({**HEAD_ONLY, "learning_rate": 1e18})


def test_same_seed_same_weights(trained):
    again, result = train(TRAINING)
    assert same(again, trained[0])
    assert result == trained[1]
    other, _ = train(TRAINING, seed=2)
    assert not same(other, trained[0])


@pytest.mark.parametrize("name", ["encoder.transfomer", "hea", "encoder.transformer.blocks.7"])
def test_unknown_name_to_unfreeze(name):
    with pytest.raises(InputError, match=name):
        train({**TRAINING, "unfreeze": {0: ["head", name]}})


def test_loss_is_over_the_upper_triangle():
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    record = Record("x", "y", "GGGCCC", [(0, 5), (1, 4)])
    cells = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    by_hand = [torch.nn.functional.softplus(-logits[c] if c in record.label else logits[c]) for c in cells]
    torch.testing.assert_close(pair_loss(logits, record.label), torch.stack(by_hand).mean())


# The whole stage


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Fine-tune with the given test records; returns the directory of the model."""
    task = {"task": "structure", "source": {"name": "rfam", "release": "demo"}, "reader": "stockholm"}
    task |= {"splits": {"random": {"rule": "random"}}, "inits": ["pretrained", "frozen", "random"]}
    task |= {"head": HEAD, "training": TRAINING}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task))
    pretrained = tmp_path / "pretrained"
    with provenance.stage("export", pretrained / "manifest.json", [], {}) as record:
        record.outputs += directory.save(pretrained, encoder(TINY, dropout=0.1), "# card")

    def run(name: str, init: str, test: list[Record]):
        data, target = tmp_path / name / "data", tmp_path / name / "model"
        data.mkdir(parents=True)
        with provenance.stage("task_data", data / "manifest.json", [], {}) as record:
            parts = {"train": TRAIN, "valid": VALID, "test": test}
            record.outputs += write([*TRAIN, *VALID, *test], {"random": parts}, "pairs", data)
        run_stage(
            "finetune",
            monkeypatch,
            task_config=tmp_path / "task.yaml",
            data=data / "manifest.json",
            model=pretrained / "manifest.json",
            split="random",
            init=init,
            seed=42,
            state=tmp_path / name / "state",
            manifest=target / "manifest.json",
        )
        return target

    return run


@pytest.mark.parametrize("init", ["pretrained", "frozen", "random", "lora", "onehot"])
def test_test_records_change_nothing(stage, init):
    """A canary: with garbage for test RNAs the stage makes the same weights, history and threshold, byte by byte."""
    garbage = [Record(f"garbage{i}", "none", "NNNNNNNNNN", [(0, 9)]) for i in range(3)]
    real, canary = stage("real", init, TEST), stage("canary", init, garbage)
    for name in ("model.safetensors", "config.json", "history.csv"):
        assert (real / name).read_bytes() == (canary / name).read_bytes(), name
    loaded = directory.load(real)
    assert loaded.config["head"]["threshold"] == provenance.load(real / "manifest.json")["counts"]["threshold"]
    assert pl.read_csv(real / "history.csv").columns == [
        "epoch",
        "train_loss",
        "valid_loss",
        "valid_relaxed_f1",
        "threshold",
    ]
    assert [path.name for path in (real.parent / "state").iterdir()] == ["lock"]
    if init == "onehot":
        assert registry.describe(loaded.encoder) == {"family": "onehot"}
        return
    assert same(loaded.encoder, encoder(TINY)) == (init == "frozen")
    assert registry.describe(loaded.encoder) == {**registry.describe(encoder(TINY)), "dropout": 0.1}
