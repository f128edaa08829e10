"""Pre-train one segment of epochs; started once per device by torchrun or srun."""

import argparse
import json
import os
import shutil
from pathlib import Path

import torch
import torch.distributed as dist
import yaml
from rnalm.errors import InputError, exits
from rnalm.files import atomic_directory, read_json, sha256
from rnalm.models import registry
from rnalm.provenance import load, outputs, stage
from rnalm.randomness import key
from rnalm.training.blocks import check_compiler
from rnalm.training.checkpoints import State, fingerprint
from rnalm.training.pretraining import Pretraining, Settings, start_engine


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--stage-version", type=int, required=True, help="of the rule: another one is another run")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--settings", type=json.loads, required=True, help="the config's pretrain section as JSON")
    parser.add_argument("--model-config", required=True)
    parser.add_argument("--deepspeed", required=True, help="DeepSpeed configuration (JSON file)")
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--draws", nargs="+", required=True, help="manifests of this segment's epochs, in order")
    parser.add_argument("--first-epoch", type=int, required=True)
    parser.add_argument("--validation", required=True, help="manifest of the held-out rows")
    parser.add_argument("--previous", help="manifest of the segment before")
    parser.add_argument("--state", type=Path, required=True, help="directory of live checkpoints")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="only say what is wrong with the input, if anything")
    arguments = parser.parse_args()

    inputs = [arguments.model_config, arguments.deepspeed, *arguments.draws, arguments.validation]
    inputs += [arguments.previous] if arguments.previous else []
    model = yaml.safe_load(Path(arguments.model_config).read_text())
    parameters = {"run": arguments.run, "seed": arguments.seed, "model": model, "settings": arguments.settings}
    data = [load(manifest)["outputs"] for manifest in (*arguments.draws, arguments.validation)]
    precision = read_json(arguments.deepspeed)
    previous = sha256(arguments.previous) if arguments.previous else None
    science = {name: value for name, value in arguments.settings.items() if name not in Settings.OPERATION}
    identity = fingerprint(arguments.stage_version, parameters | {"settings": science}, precision, data, previous)
    state = State(arguments.state, identity)

    if arguments.check:
        with torch.device("meta"):
            registry.build(model, arguments.model_config)
        if arguments.device == "cuda":
            check_gpus()
        if arguments.settings["compile"]:
            check_compiler(arguments.device)
        for manifest in filter(None, (*arguments.draws, arguments.validation, arguments.previous)):
            outputs(manifest)
        # Waits for a trainer that outlived the workflow: later, processes would wait for each other, but minutes only.
        with state.lock():
            check_processes(state.latest(), arguments.previous)
        return

    first = int(os.environ.get("RANK", "0")) == 0
    if first:
        # The system frees the lock of a dead one.
        lock = state.lock()
        lock.acquire()
        state.begin()
    torch.manual_seed(int(key(arguments.seed, "initialisation") >> 1))
    settings = Settings.parse(arguments.settings)
    encoder = registry.build(model, arguments.model_config)
    engine = start_engine(encoder, settings, precision, arguments.device)
    segment = Pretraining(
        engine,
        settings,
        arguments.seed,
        arguments.draws,
        arguments.first_epoch,
        arguments.validation,
        state,
        arguments.previous and Path(arguments.previous).parent,
    )
    if not first:
        segment.run(arguments.log)
        end()
        return
    with stage("pretrain", arguments.manifest, inputs, parameters) as record:
        tag = segment.run(arguments.log)
        end()
        with atomic_directory(arguments.manifest.parent) as finished:
            # Hard links: a trainer that waited for the lock finds the end of the run and declares it anew.
            shutil.copytree(state.directory / tag, finished / "checkpoint" / tag, copy_function=os.link)
            for table in ("history.csv", "validation.csv"):
                shutil.copy(state.directory / table, finished / table)
            shutil.copytree(state.directory / "tensorboard", finished / "tensorboard")
        directory = arguments.manifest.parent
        record.outputs += sorted(path for path in directory.rglob("*") if path.is_file())
        record.counts |= {"steps": segment.last_step, "tokens": segment.tokens, "processes": segment.world_size}
        record.counts["parameters"] = sum(parameter.numel() for parameter in encoder.parameters())
        record.notes |= {"tag": tag}
    state.finish()


def end() -> None:
    """All processes leave at once: what is left to do is the first one's."""
    dist.barrier()
    dist.destroy_process_group()


def check_gpus() -> None:
    """InputError where this node has fewer GPUs than processes; `launch.sh` says how many those are."""
    wanted, there = int(os.environ.get("PROCESSES_PER_NODE", "1")), torch.cuda.device_count()
    if there < wanted:
        problem = f"asks for {wanted} GPUs of a node, and {there} can be used here"
        raise InputError("pretrain.processes", problem, "ask for fewer, or set pretrain.device to cpu")


def check_processes(latest: dict | None, previous: str | None) -> None:
    """InputError where the checkpoint to go on from was made by another number of processes.

    Each keeps its part of the optimiser's state, and DeepSpeed loads them into as many.
    """
    if latest is None and previous is None:
        return
    before = latest["processes"] if latest else load(previous)["counts"]["processes"]
    if before != (now := int(os.environ.get("PROCESSES", "1"))):
        problem = f"is {now}, and what is to be continued was trained by {before}"
        raise InputError("pretrain.processes", problem, f"write {before}, or begin a new `run`")


if __name__ == "__main__":
    main()
