"""The embedded run from beginning to end, its pre-training killed on the way: what `make demo` leaves and says."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from browser import check_report, missing
from snake import ENVIRONMENT, snakemake

PROFILE = ("--profile", "workflow/profiles/demo")
SPLITS = {"random", "family"}
INITS = {"pretrained", "frozen", "random", "onehot", "kmer", "baseline"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory, make_clone) -> Path:
    """A clone in which the demo ran: its trainer was killed after a checkpoint, then the demo was started again."""
    clone = make_clone(tmp_path_factory.mktemp("demo"))
    log = open(clone / "first.log", "w")  # noqa: SIM115 (closed with the process)
    first = subprocess.Popen(["snakemake", *PROFILE, "all"], cwd=clone, env=ENVIRONMENT, stdout=log, stderr=log)
    pointer = next(iter((clone / "results/.state/pretrain/demo").glob("*/latest.json")), None)
    while pointer is None and first.poll() is None:
        time.sleep(1)
        pointer = next(iter((clone / "results/.state/pretrain/demo").glob("*/latest.json")), None)
    assert pointer is not None, (clone / "first.log").read_text()[-4000:]
    time.sleep(5)  # into the steps after the checkpoint, which are lost
    for process in psutil.Process(first.pid).children(recursive=True):
        if "scripts/pretrain.py" in process.cmdline():
            os.kill(process.pid, signal.SIGKILL)
    assert first.wait(timeout=120) != 0, "the workflow did not notice that its trainer was killed"
    second = snakemake(*PROFILE, "all", cwd=clone, timeout=1500)
    assert second.returncode == 0, second.stdout[-4000:] + second.stderr[-8000:]
    return clone


def test_training_went_on_from_the_checkpoint(demo):
    (log,) = (demo / "results/logs/pretrain/demo").glob("*.log")
    starts = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("steps ")]
    assert starts[-1] > 0
    (history,) = (demo / "results/pretrain/demo").glob("*/history.csv")
    steps = pl.read_csv(history)["step"]
    assert steps.is_sorted() and steps.n_unique() == len(steps)


def test_every_record_is_accounted_for(demo):
    ledger = pl.read_csv(demo / "results/demo/ledger.csv")
    numbers = dict(ledger.select("rule", "records").iter_rows())
    assert numbers.pop("in") == 3251
    assert sum(numbers.values()) == 3251
    assert numbers["kept"] + numbers.get("too_many_n", 0) == 2357


def test_the_table_holds_every_cell_with_its_interval(demo):
    metrics = pl.read_csv(demo / "results/demo/metrics.csv")
    assert metrics.columns == ["task", "split", "model", "init", "metric", "value", "ci_low", "ci_high", "n"]
    cells = metrics.filter(pl.col("metric") == "f1")
    assert set(cells.select("split", "init").iter_rows()) == {(split, init) for split in SPLITS for init in INITS}
    assert (metrics["ci_low"] <= metrics["value"]).all() and (metrics["value"] <= metrics["ci_high"]).all()
    assert metrics["value"].is_between(0, 1).all()


def test_pretraining_learnt_and_helps(demo):
    (validation,) = (demo / "results/pretrain/demo").glob("*/validation.csv")
    losses = pl.read_csv(validation)["loss"]
    assert losses[-1] < losses[0] < np.log(4) + 0.1
    f1 = pl.read_csv(demo / "results/demo/metrics.csv").filter(pl.col("metric") == "f1", pl.col("split") == "random")
    by_init = dict(f1.select("init", "value").iter_rows())
    assert by_init["pretrained"] > by_init["random"]


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_the_report_opens_in_a_browser(demo):
    check_report(demo / "results/demo/report/index.html", demo / "results/demo/metrics.csv")


def test_models_embed_and_fold_a_fasta(demo):
    (demo / "my.fasta").write_text(">a hairpin\nGGGGCUUCGGCCCC\n>b\nacguacgunnryACGT\n")
    models = demo / "results/demo/models"
    fold = ["rnalm", "fold", models / "structure-random-pretrained-42", "my.fasta", "-o", "my.dbn"]
    subprocess.run(fold, cwd=demo, env=ENVIRONMENT, check=True)
    lines = (demo / "my.dbn").read_text().splitlines()
    assert lines[:2] == [">a", "GGGGCUUCGGCCCC"] and len(lines[2]) == 14
    embed = ["rnalm", "embed", models / "pretrained", "my.fasta", "-o", "my.npz"]
    subprocess.run(embed, cwd=demo, env=ENVIRONMENT, check=True)
    config = json.loads((models / "pretrained/config.json").read_text())
    assert np.load(demo / "my.npz")["a"].shape == (16, config["model"]["dim"])


def test_every_file_is_what_its_manifest_says(demo):
    command = ["rnalm", "verify", "results", "resources"]
    done = subprocess.run(command, cwd=demo, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and "not here" not in done.stdout, done.stdout + done.stderr


def test_a_second_run_has_nothing_to_do(demo):
    started = time.monotonic()
    done = snakemake(*PROFILE, "all", cwd=demo)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
    assert time.monotonic() - started < 30
