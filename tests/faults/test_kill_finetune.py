"""scripts/finetune.py killed between two epochs, and started again: the weights of a run that nobody touched."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from rnalm import provenance
from rnalm.models import directory
from rnalm.tasks.records import write
from small_models import ROOT, TINY, encoder, transfer_rnas

TASK = {
    "task": "structure",
    "source": {"name": "rfam", "release": "demo"},
    "reader": "stockholm",
    "splits": {"random": {"rule": "random"}},
    "head": {"kind": "pairs", "width": 8, "blocks": 1},
    "training": {
        "epochs": 4,
        "batch_size": 2,
        "learning_rate": 1e-2,
        "decay": {"end_factor": 0.1, "steps": 40},
        "precision": "fp32",
        "unfreeze": {0: ["head"], 2: ["encoder"]},
        "unfrozen_factor": 0.3,
    },
}
FILES = ("model.safetensors", "config.json", "history.csv")


@pytest.fixture
def command(tmp_path):
    """A function that gives the command of a run in a folder of its own."""
    rnas = transfer_rnas()[:480:10]
    parts = {"train": list(rnas[:36]), "valid": list(rnas[36:42]), "test": list(rnas[42:])}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(TASK))
    with provenance.stage("task_data", tmp_path / "data" / "manifest.json", [], {}) as record:
        (tmp_path / "data").mkdir(exist_ok=True)
        record.outputs += write(list(rnas), {"random": parts}, "pairs", tmp_path / "data")
    with provenance.stage("export", tmp_path / "start" / "manifest.json", [], {}) as record:
        record.outputs += directory.save(tmp_path / "start", encoder(TINY, dropout=0.1), "# card")

    def of(name: str, init: str) -> list:
        options = {
            "task-config": tmp_path / "task.yaml",
            "data": tmp_path / "data" / "manifest.json",
            "model": tmp_path / "start" / "manifest.json",
            "split": "random",
            "init": init,
            "seed": 42,
            "state": tmp_path / name / "state",
            "manifest": tmp_path / name / "model" / "manifest.json",
        }
        words = [word for flag, value in options.items() for word in (f"--{flag}", str(value))]
        return [sys.executable, ROOT / "scripts" / "finetune.py", *words]

    return of


def kill_after_an_epoch(command: list, state) -> None:
    """Start the command and kill it, with all that it started, as soon as its first epoch is kept."""
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not any(state.glob("step-*/state.pt")):
        assert process.poll() is None and time.monotonic() < deadline, "no epoch was kept"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was still at work"


@pytest.mark.parametrize("init", ["pretrained", "frozen"])
def test_a_run_killed_between_epochs_ends_in_the_same_weights(command, tmp_path, init):
    subprocess.run(command("whole", init), check=True, capture_output=True)
    kill_after_an_epoch(command("killed", init), tmp_path / "killed" / "state")
    model = tmp_path / "killed" / "model"
    assert not (model / "manifest.json").exists() and not (model / "model.safetensors").exists()
    subprocess.run(command("killed", init), check=True, capture_output=True)
    for name in FILES:
        assert (model / name).read_bytes() == (tmp_path / "whole" / "model" / name).read_bytes(), name
    assert [path.name for path in (tmp_path / "killed" / "state").iterdir()] == ["lock"]
