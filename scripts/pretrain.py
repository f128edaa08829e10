"""Pre-train one segment of epochs; started once per device by torchrun or srun."""

import argparse
import json
import os
from pathlib import Path

import torch
import yaml
from rnalm.errors import exits
from rnalm.files import atomic_directory, read_json, sha256
from rnalm.models import registry
from rnalm.provenance import load, stage
from rnalm.randomness import key
from rnalm.training.checkpoints import State, fingerprint
from rnalm.training.launch import check
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
        rows = [*arguments.draws, arguments.validation]
        compiled = arguments.settings["compile"]
        check(model, arguments.model_config, arguments.device, compiled, rows, arguments.previous, state)
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
        return
    with stage("pretrain", arguments.manifest, inputs, parameters) as record:
        tag = segment.run(arguments.log)
        with atomic_directory(arguments.manifest.parent) as finished:
            segment.keep(tag, finished)
        directory = arguments.manifest.parent
        record.outputs += sorted(path for path in directory.rglob("*") if path.is_file())
        record.counts |= {"steps": segment.last_step, "tokens": segment.tokens, "processes": segment.world_size}
        record.counts["parameters"] = sum(parameter.numel() for parameter in encoder.parameters())
        record.notes |= {"tag": tag}
    state.finish()


if __name__ == "__main__":
    main()
