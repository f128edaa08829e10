"""The miniature run on a real Slurm of this machine, through the profile of the paper run, its cells as job arrays."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from snake import ROOT, snakemake

TOOLS = ("slurmctld", "slurmd", "sbatch", "munged")


def reason_to_skip() -> str | None:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"Slurm is not installed: no {', '.join(missing)}"
    if os.geteuid():
        return "Slurm's daemons need root"
    if Path("/etc/slurm/slurm.conf").exists():
        return "this machine has a Slurm of its own"
    return None


SKIP = reason_to_skip()
pytestmark = pytest.mark.skipif(SKIP is not None, reason=str(SKIP))


@pytest.fixture(scope="module")
def slurm():
    """Environment variables of a running sandbox."""
    # Not pytest's folder: munge runs as a user of its own and must get in.
    directory = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        subprocess.run(["bash", ROOT / "tests/slurm/start.sh", directory], check=True, timeout=120)
        yield {"SLURM_CONF": f"{directory}/slurm.conf", "USER": "root"}
    finally:
        subprocess.run(["bash", ROOT / "tests/slurm/stop.sh", directory], timeout=120)
        shutil.rmtree(directory, ignore_errors=True)


def run(*arguments, cwd, slurm, more=()):
    """Snakemake with the Slurm profile on the miniature; threads and polling fitted to a small machine."""
    done = snakemake(
        *("--profile", "slurm", "--configfile", "tests/configs/mini.yaml", *more),
        *("--set-threads", "normalise=1", "deduplicate=1", "cluster=2", "hold_out=1", "draw=1", "pretrain=2"),
        *("finetune=1", "evaluate=1", "baseline=1", "atlas=1", "interpret=1"),
        *("--latency-wait", "5", "--retries", "0"),
        *("--slurm-array-jobs", "finetune, evaluate, baseline"),
        *("--jobs", "unlimited", "--max-jobs-per-timespan", "100000/1s"),
        *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
        *("--", *arguments),
        cwd=cwd,
        environment=slurm,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    return done.stderr


def test_the_miniature_runs_to_the_end_and_goes_on_over_two_nodes(clone, slurm):
    run("all", cwd=clone, slurm=slurm)
    assert (clone / "results/mini/report/index.html").stat().st_size > 10_000
    training = json.loads((clone / "results/pretrain/mini/epochs-002/manifest.json").read_text())
    assert training["counts"]["processes"] == 2
    assert list((clone / "results/logs/slurm").rglob("*.log")), "no job went through Slurm"
    assert len(list((clone / "results/logs/slurm/rule_finetune").glob("*_[12].log"))) == 2, "the cells were no array"

    (clone / "longer.yaml").write_text("pretrain: {epochs: 3}")
    nodes = (
        "pretrain:mpi=srun",
        "pretrain:nodes=2",
        "pretrain:tasks=2",
        "pretrain:gres=gpu:1",
        "pretrain:tasks_per_gpu=0",
    )
    log = run("pretrain_all", cwd=clone, slurm=slurm, more=("longer.yaml", "--set-resources", *nodes))
    assert log.count("has been submitted") == 3, "a draw, a segment and the export"
    training = json.loads((clone / "results/pretrain/mini/epochs-003/manifest.json").read_text())
    assert training["counts"]["processes"] == 2
