"""Every family pre-trains, is exported, embeds and is fine-tuned through the same code."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rnalm
import torch
import yaml
from rnalm import config, provenance
from rnalm.models import directory, registry
from rnalm.models.heads import PairModel
from rnalm.randomness import key
from rnalm.tokens.loader import IGNORED, MaskedBatch, pack_masked, prepare
from rnalm.tokens.packing import pack
from rnalm.training import finetuning
from rnalm.training.pretraining import MaskedLanguageModel, Settings
from small_models import ERNIE_RNA, RNARET, ROOT, TINY, encoder, ernie_rna, rnaret, transfer_rnas

SETTINGS = {
    "rinalmo": TINY,
    "ernie_rna": ERNIE_RNA,
    "rnaret": {**RNARET, "k": 3, "dropout": 0.1},
}
MODELS = {"rinalmo": encoder(TINY), "ernie_rna": ernie_rna(), "rnaret": rnaret(k=3)}
FAMILY = pytest.mark.parametrize("family", SETTINGS)
RNAS = transfer_rnas()[:400:4]
KEY = key(42, "mask", 0)
EPOCHS, BATCH = 5, 16


@FAMILY
def test_filler_and_ignored_targets_change_neither_loss_nor_gradients(family):
    def loss_and_gradients(masked: MaskedBatch):
        model = MaskedLanguageModel(MODELS[family]).requires_grad_(True)
        model.zero_grad()
        loss, right = model(masked)
        loss.backward()
        return loss.detach(), right, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    tokeniser = MODELS[family].tokeniser
    clean = [tokeniser.encode(record.sequence) for record in RNAS[:5]]
    masked = [tokeniser.mask(ids, row, KEY) for row, ids in enumerate(clean)]
    rounded = pack_masked(clean, masked, tokeniser.pad)
    real = rounded.targets != IGNORED
    chosen = rounded.selected[real]
    plain = MaskedBatch(pack([ids for ids, _ in masked], chosen.numpy()), chosen, rounded.targets[real])
    assert len(rounded.batch.ids) > len(plain.batch.ids)
    assert rounded.batch.selected.sum() == plain.batch.selected.sum() == len(plain.targets)
    loss, right, gradients = loss_and_gradients(rounded)
    plain_loss, plain_right, plain_gradients = loss_and_gradients(plain)
    torch.testing.assert_close(loss, plain_loss)
    assert right == plain_right
    for name, gradient in gradients.items():
        scale = max(1.0, gradient.abs().max().item())
        torch.testing.assert_close(gradient, plain_gradients[name], atol=1e-5 * scale, rtol=1e-5, msg=name)


@FAMILY
def test_a_process_without_a_sequence_has_gradients_of_zero(family):
    rows = pl.DataFrame({"row": [0], "sequence": [RNAS[0].sequence], "is_fragment": [False]})
    (idle,) = prepare(rows, MODELS[family].tokeniser, KEY, 1, 2, 300).micro_batches
    assert (idle.targets == IGNORED).all()
    model = MaskedLanguageModel(registry.build(SETTINGS[family]))
    loss, _ = model(idle)
    loss.backward()
    assert loss == 0
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())


def test_ernie_rna_sees_no_pair_of_a_selected_token():
    """Kept or masked, what was selected gives the same pairs: from the ids alone a kept one could not be told."""
    model = MODELS["ernie_rna"]
    ids = model.tokeniser.encode(RNAS[0].sequence)
    for selected in (None, np.array([5])):
        before = model.logit_maps(pack([ids], selected))[0][0]
        masked = ids.copy()
        masked[5] = model.tokeniser.tokens.index("<mask>")
        after = model.logit_maps(pack([masked], selected))[0][0]
        assert torch.equal(before, after) == (selected is not None)


# The stages


def draw(folder: Path, records) -> Path:
    """A draw of these RNAs, every third a fragment; returns its manifest."""
    with provenance.stage("draw", folder / "manifest.json", [], {}) as record:
        rows = {"row": range(len(records)), "sequence": [rna.sequence for rna in records]}
        fragments = pl.Series([i % 3 == 0 for i in range(len(records))])
        pl.DataFrame({**rows, "is_fragment": fragments}).write_parquet(folder / "shard-00000.parquet")
        record.outputs.append(folder / "shard-00000.parquet")
        record.counts["rows"] = len(records)
    return folder / "manifest.json"


def run(*command) -> None:
    # DeepSpeed's import decorates an optimiser that is not used here with torch.compile.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A function: pre-train a family for a few steps with the demo's settings and export it; returns its directory."""

    def made(family: str) -> Path:
        folder = tmp_path_factory.mktemp(family)
        for name in ("training", "validation"):
            (folder / name).mkdir()
        training, validation = draw(folder / "training", RNAS[:80]), draw(folder / "validation", RNAS[80:])
        demo = config.load(ROOT / "config/demo.yaml")["pretrain"]
        settings = {field.name: demo[field.name] for field in dataclasses.fields(Settings)} | {
            **{"batch_size": BATCH, "tokens_per_microbatch": 700},
            **{"checkpoint_steps": 10, "validate_steps": 5, "log_steps": 1},
            "learning_rate": {"start": 1e-7, "peak": 5e-3, "end": 1e-3, "warmup_steps": 4, "decay_epochs": EPOCHS},
        }
        (folder / "model.yaml").write_text(yaml.safe_dump(SETTINGS[family]))
        segment = folder / "segment" / "manifest.json"
        run(
            *("bash", ROOT / "scripts/launch.sh", 1, 1, 1, ROOT / "scripts/pretrain.py", "--run", family),
            *("--stage-version", 1, "--seed", 42),
            *("--settings", json.dumps(settings), "--model-config", folder / "model.yaml", "--device", "cpu"),
            *("--deepspeed", ROOT / "config/deepspeed/zero1_bf16.json", "--draws", *[training] * EPOCHS),
            *("--first-epoch", 0, "--validation", validation, "--state", folder / "state", "--log", folder / "log"),
            *("--manifest", segment),
        )
        model = folder / "model" / "manifest.json"
        export = ROOT / "scripts/export.py"
        run(
            *(sys.executable, export, "--segment", segment, "--corpus-manifests", training, validation),
            *("--manifest", model),
        )
        return folder

    return made


# RiNALMo goes through them in tests of the demo.
@pytest.mark.parametrize("family", ["ernie_rna", "rnaret"])
def test_pretrain_export_embed_finetune(family, pretrained):
    folder = pretrained(family)
    losses = pl.read_csv(folder / "segment" / "validation.csv")["loss"]
    assert losses[-1] < losses[0] - 0.1
    model = rnalm.load(folder / "model")
    shape = "(length + 2, d)" if family == "ernie_rna" else "(length, d)"
    assert shape in (folder / "model" / "README.md").read_text()
    assert registry.describe(model.encoder) == registry.describe(registry.build(SETTINGS[family]))

    sequences = [rna.sequence for rna in RNAS[:12]]
    states = model.hidden_states(sequences)
    tokeniser = model.encoder.tokeniser
    assert [state[tokeniser.nucleotides].shape for state in states] == [
        (len(sequence), SETTINGS[family]["dim"]) for sequence in sequences
    ]

    torch.manual_seed(0)
    tuned = PairModel(model.encoder, 8, 1)
    training = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "decay": {"end_factor": 0.1, "steps": 10}}
    training |= {"unfreeze": {0: ["head"], 1: ["encoder"]}, "unfrozen_factor": 0.1, "precision": "bf16"}
    head = {"kind": "pairs", "width": 8, "blocks": 1}
    result = finetuning.finetune(tuned, head, list(RNAS[:8]), list(RNAS[8:12]), finetuning.Settings(**training), 1)
    assert result.history[1]["train_loss"] < result.history[0]["train_loss"]
    head |= {"task": "structure", **result.fitted}
    directory.save(folder / "tuned", tuned.encoder, "# card", tuned, head)
    folded = rnalm.load(folder / "tuned").fold(sequences)
    assert all(i < j < len(sequence) for sequence, pairs in zip(sequences, folded, strict=True) for i, j in pairs)
