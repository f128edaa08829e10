"""What must hold before the processes of a segment are launched: said once and in one line, not by each in its own.

`scripts/launch.sh` says how many processes there are, on all nodes and on each: PROCESSES, PROCESSES_PER_NODE.
"""

import os
from pathlib import Path

import torch

from rnalm.errors import InputError
from rnalm.models import registry
from rnalm.provenance import load, outputs
from rnalm.training.blocks import check_compiler
from rnalm.training.checkpoints import State


def check(model: dict, where, device: str, compiled: bool, manifests: list, previous, state: State) -> None:
    """InputError for what would end the processes of a segment.

    model, where: its settings and their file; compiled: whether blocks go through torch.compile; manifests: of the
    rows; previous: of the segment before, or None. Waits for a trainer that outlived the workflow: once they are
    launched, processes would wait for each other, but minutes only.
    """
    with torch.device("meta"):
        registry.build(model, where)
    if device == "cuda":
        check_gpus(int(os.environ.get("PROCESSES_PER_NODE", "1")))
    if compiled:
        check_compiler(device)
    for manifest in filter(None, (*manifests, previous)):
        outputs(manifest)
    with state.lock():
        check_processes(int(os.environ.get("PROCESSES", "1")), state.latest(), previous)


def check_gpus(processes: int) -> None:
    """InputError where this node has fewer GPUs than processes."""
    there = torch.cuda.device_count()
    if there < processes:
        problem = f"asks for {processes} GPUs of a node, and {there} can be used here"
        raise InputError("pretrain.processes", problem, "ask for fewer, or set pretrain.device to cpu")


def check_processes(processes: int, latest: dict | None, previous: str | Path | None) -> None:
    """InputError where the checkpoint to go on from was made by another number of processes.

    Each keeps its part of the optimiser's state, and DeepSpeed loads them into as many.
    """
    if latest is None and previous is None:
        return
    before = latest["processes"] if latest else load(previous)["counts"]["processes"]
    if before != processes:
        problem = f"is {processes}, and what is to be continued was trained by {before}"
        raise InputError("pretrain.processes", problem, f"write {before}, or begin a new `run`")
