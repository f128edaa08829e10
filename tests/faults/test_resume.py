"""Pre-training that is killed, resumed, continued in a second segment or run on another number of processes."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest
import yaml
from rnalm import config, provenance
from rnalm.corpus import draws
from rnalm.sequences.alphabet import digest
from rnalm.training.pretraining import Settings
from small_models import ROOT, TINY, transfer_rnas

SEED, EPOCHS, BATCH = 42, 4, 16
# One row more than whole batches: in the last step of an epoch one of two processes has nothing to do.
TRAINING_ROWS, VALIDATION_ROWS = 6 * BATCH + 1, 10
STEPS, ALL = 7 * EPOCHS, range(EPOCHS)
DEMO = config.load(ROOT / "config/demo.yaml")["pretrain"]
SETTINGS = {field.name: DEMO[field.name] for field in dataclasses.fields(Settings)} | {
    "batch_size": BATCH,
    "tokens_per_microbatch": 400,
    "learning_rate": {"start": 1e-7, "peak": 1e-2, "end": 1e-3, "warmup_steps": 4, "decay_epochs": EPOCHS},
    "checkpoint_steps": 3,
    "validate_steps": 5,
    "log_steps": 1,
}
# DeepSpeed's import decorates an optimiser that is not used here with torch.compile: a second for every process.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"}
ENVIRONMENT |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
TIMING = ("tokens_per_second", "step_seconds", "memory_bytes")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Draws of four epochs and of validation from real tRNAs, a tiny model with dropout, DeepSpeed settings."""
    folder = tmp_path_factory.mktemp("data")
    sequences = {digest(record.sequence): record.sequence for record in transfer_rnas()[:150]}
    clusters = pl.DataFrame({"digest": list(sequences), "cluster": list(sequences)})
    held = draws.held_out(clusters, SEED, 0.1)
    sides = {"training": clusters.filter(~held).head(TRAINING_ROWS), "validation": clusters.filter(held)}
    corpus = folder / "sequences"
    corpus.mkdir()
    frame = pl.DataFrame({"digest": list(sequences), "sequence": list(sequences.values())})
    frame = frame.with_columns(length=pl.col("sequence").str.len_bytes().cast(pl.Int32), rna_type=pl.lit("tRNA"))
    frame.write_parquet(corpus / "part-00000.parquet")
    with provenance.stage("deduplicate", corpus / "manifest.json", [], {}) as record:
        record.outputs.append(corpus / "part-00000.parquet")
    for epoch in (*range(EPOCHS), draws.VALIDATION):
        side = sides["validation" if epoch == draws.VALIDATION else "training"]
        target = folder / str(epoch)
        with provenance.stage("draw", target / "manifest.json", [], {}) as record:
            # Some sequences are longer than the crop: fragments without cls and eos.
            chosen = draws.choose(side, SEED, epoch)
            record.counts, _ = draws.write([corpus / "part-00000.parquet"], chosen, SEED, epoch, 74, 40, target)
            record.outputs = sorted(target.glob("shard-*.parquet"))
    (folder / "model.yaml").write_text(yaml.safe_dump({**TINY, "dropout": 0.1}))
    (folder / "without-dropout.yaml").write_text(yaml.safe_dump({**TINY, "dropout": 0, "attention_dropout": 0}))
    (folder / "fp32.json").write_text(json.dumps({"zero_optimization": {"stage": 1}}))
    (folder / "bf16.json").write_text((ROOT / "config/deepspeed/zero1_bf16.json").read_text())
    return folder


class Run:
    """One segment of a pre-training run: `where` is its directory, `epochs` a range."""

    def __init__(self, data, where, *, epochs=ALL, previous=None, precision="bf16", model="model", **changes):
        self.where, self.state, self.manifest = where, where / "state", where / "out" / "manifest.json"
        self.arguments = ["--run", "test", "--stage-version", 1, "--seed", SEED]
        self.arguments += ["--settings", json.dumps(SETTINGS | changes)]
        self.arguments += ["--model-config", data / f"{model}.yaml", "--deepspeed", data / f"{precision}.json"]
        self.arguments += ["--device", "cpu", "--draws", *(data / str(epoch) / "manifest.json" for epoch in epochs)]
        self.arguments += ["--first-epoch", epochs[0], "--validation", data / draws.VALIDATION / "manifest.json"]
        self.arguments += ["--state", self.state, "--log", where / "log", "--manifest", self.manifest]
        self.arguments += ["--previous", previous.manifest] if previous else []
        where.mkdir(exist_ok=True)

    def start(self, processes: int = 2) -> subprocess.Popen:
        """As the workflow starts it; its own session, so that a kill reaches nothing else."""
        launch = ["bash", ROOT / "scripts/launch.sh", processes, 1, processes, ROOT / "scripts/pretrain.py"]
        command = list(map(str, [*launch, *self.arguments]))
        with open(self.where / "stderr", "w") as stderr:
            return subprocess.Popen(
                command, stderr=stderr, stdout=stderr, env=os.environ | ENVIRONMENT, start_new_session=True
            )

    def finish(self, processes: int = 2) -> "Run":
        assert self.start(processes).wait(timeout=120) == 0, (self.where / "stderr").read_text()
        return self

    def until_checkpoint(self, running: subprocess.Popen) -> None:
        """Wait for the first checkpoint of this state."""
        deadline = time.monotonic() + 120
        while not (self.state / "latest.json").exists():
            assert running.poll() is None and time.monotonic() < deadline, (self.where / "stderr").read_text()
            time.sleep(0.002)

    def kill(self, chosen) -> None:
        """Start, wait for a checkpoint, then kill -9 what `chosen` takes from torchrun and its workers."""
        running = self.start()
        self.until_checkpoint(running)
        torchrun = psutil.Process(running.pid)
        processes = [torchrun, *torchrun.children(recursive=True)]
        for process in chosen(processes):
            process.send_signal(signal.SIGKILL)
        assert running.wait(timeout=60) != 0
        psutil.wait_procs(processes, timeout=60)
        assert not any(process.is_running() for process in processes)
        assert 0 < json.loads((self.state / "latest.json").read_text())["step"] < STEPS
        assert not self.manifest.exists()

    def checked(self, environment: dict) -> subprocess.CompletedProcess:
        """What is said of the input before anything is started."""
        command = [sys.executable, ROOT / "scripts/pretrain.py", *self.arguments, "--check"]
        everything = os.environ | ENVIRONMENT | environment
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=everything)

    def state_files(self) -> dict:
        """When each file of the state was written; the lock is not its content."""
        return {
            path: path.stat().st_mtime_ns for path in self.state.rglob("*") if path.is_file() and path.name != "lock"
        }

    def history(self) -> pl.DataFrame:
        return pl.read_csv(self.manifest.with_name("history.csv")).drop(TIMING)

    def validation(self) -> pl.DataFrame:
        return pl.read_csv(self.manifest.with_name("validation.csv"))


def worker(processes) -> list[psutil.Process]:
    """The second of torchrun's workers."""
    return [process for process in processes if process.environ().get("RANK") == "1"]


def whole(run: Run) -> None:
    """Everything declared is there and nothing else: no temporary file; the state says it is finished."""
    assert provenance.verify(run.manifest) == []
    declared = {path.resolve() for path in provenance.outputs(run.manifest)} | {run.manifest.resolve()}
    assert {path.resolve() for path in run.manifest.parent.rglob("*") if path.is_file()} == declared
    assert sorted(path.name for path in run.where.iterdir()) == ["log", "out", "state", "stderr"]
    assert "finished" in json.loads((run.state / "latest.json").read_text())


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory) -> Run:
    return Run(data, tmp_path_factory.mktemp("uninterrupted")).finish()


@pytest.fixture(scope="module")
def killed(data, tmp_path_factory) -> Run:
    """Two of the four epochs, of which one worker was killed on the way."""
    run = Run(data, tmp_path_factory.mktemp("first"), epochs=ALL[:2])
    run.kill(worker)
    return run


@pytest.fixture(scope="module")
def refused(data, killed) -> subprocess.CompletedProcess:
    """What a run with other settings says to the state of the killed one, which it must leave as it is."""
    before = killed.state_files()
    other = Run(data, killed.where, epochs=ALL[:2], weight_decay=0.02)
    command = [sys.executable, ROOT / "scripts/pretrain.py", *other.arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ | ENVIRONMENT)
    assert killed.state_files() == before
    return done


@pytest.fixture(scope="module")
def first(killed, refused) -> Run:
    return killed.finish()


@pytest.fixture(scope="module")
def second(data, first, tmp_path_factory) -> Run:
    """The other two; everything is killed on the way."""
    run = Run(data, tmp_path_factory.mktemp("second"), epochs=ALL[2:], previous=first)
    run.kill(list)
    return run.finish()


def test_uninterrupted(uninterrupted):
    assert uninterrupted.history()["step"].to_list() == list(range(1, STEPS + 1))
    assert uninterrupted.validation()["step"].to_list() == [*range(5, STEPS, 5), STEPS]
    losses = uninterrupted.validation()["loss"]
    assert losses[-1] < losses[0] - 0.1
    counts = provenance.load(uninterrupted.manifest)["counts"]
    assert (counts["steps"], counts["processes"]) == (STEPS, 2)
    whole(uninterrupted)


def test_killed_worker_changes_nothing(uninterrupted, first):
    whole(first)
    assert first.history().equals(uninterrupted.history().head(STEPS // 2))


def test_two_segments_both_killed_are_the_uninterrupted_run(uninterrupted, second):
    whole(second)
    assert second.history().equals(uninterrupted.history())
    # A segment's last step is validated, too.
    both = second.validation().filter(pl.col("step") != STEPS // 2)
    assert both.equals(uninterrupted.validation())


def test_other_settings_on_this_state(killed, refused):
    assert refused.returncode == 2, refused.stderr
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"error: {killed.state}: ")
    assert "other settings" in line


def test_another_number_of_processes_is_refused_before_the_launch(data, first, tmp_path):
    """Of a segment before, and of an own checkpoint."""
    later = Run(data, tmp_path, epochs=ALL[2:], previous=first)
    for run in (later, first):
        done = run.checked({"PROCESSES": "3"})
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: pretrain.processes: is 3, and what is to be continued was trained by 2; write 2")
        assert run.checked({"PROCESSES": "2"}).returncode == 0


def test_a_finished_segment_is_declared_again_and_not_trained_again(data, uninterrupted):
    """As after a kill of the workflow between the end of the training and its own notes."""
    before = {path: path.stat().st_ino for path in uninterrupted.manifest.parent.rglob("*.pt")}
    logged = uninterrupted.history()
    uninterrupted.manifest.unlink()
    uninterrupted.finish()
    whole(uninterrupted)
    assert uninterrupted.history().equals(logged)
    assert {path: path.stat().st_ino for path in uninterrupted.manifest.parent.rglob("*.pt")} == before


def test_a_checkpoint_that_was_cut_off_is_named_before_the_launch(data, first, tmp_path):
    """Of the segment before."""
    copy = tmp_path / "first"
    shutil.copytree(first.manifest.parent, copy)
    content = json.loads((copy / "manifest.json").read_text())
    for output in content["outputs"]:
        output["path"] = output["path"].replace(str(first.manifest.parent), str(copy))
    (copy / "manifest.json").write_text(json.dumps(content))
    part = sorted(copy.rglob("*optim_states.pt"))[0]
    part.write_bytes(part.read_bytes()[:-10])
    later = Run(data, tmp_path / "second", epochs=ALL[2:], previous=first)
    later.arguments[later.arguments.index("--previous") + 1] = copy / "manifest.json"
    done = later.checked({"PROCESSES": "2"})
    assert done.returncode == 2 and part.name in done.stderr, done.stderr


def test_activation_checkpointing_changes_nothing(data, uninterrupted, tmp_path):
    """Dropout too is drawn again as it was."""
    run = Run(data, tmp_path, epochs=ALL[:1], activation_checkpointing=True).finish()
    assert run.history().equals(uninterrupted.history().head(STEPS // EPOCHS))


def test_number_of_processes_changes_nothing_but_rounding(data, tmp_path):
    losses = []
    for processes in (1, 2):
        where = tmp_path / str(processes)
        run = Run(data, where, epochs=ALL[:1], precision="fp32", model="without-dropout").finish(processes)
        losses.append((run.history()["loss"], run.validation()["loss"]))
    for one, two in zip(*losses, strict=True):
        assert one.to_list() == pytest.approx(two.to_list(), abs=1e-3)
