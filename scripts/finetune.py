"""Fine-tune an encoder on one split of a task, from one of the starts of `rnalm.training.starts`."""

import argparse
import math
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import torch
from rnalm.config import load as load_config
from rnalm.errors import exits
from rnalm.files import atomic
from rnalm.models import directory
from rnalm.provenance import identity, stage
from rnalm.tasks import kinds
from rnalm.tasks.records import load_split
from rnalm.training import card
from rnalm.training.adapters import merge_lora
from rnalm.training.checkpoints import State, fingerprint
from rnalm.training.finetuning import Settings, finetune
from rnalm.training.hidden_cache import cached
from rnalm.training.starts import STARTS, begin


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-config", required=True)
    parser.add_argument("--data", required=True, help="manifest of the task's data")
    parser.add_argument("--model", type=Path, required=True, help="a file of the model directory to start from")
    parser.add_argument("--split", required=True)
    parser.add_argument("--init", choices=tuple(STARTS), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--state", type=Path, required=True, help="folder of finished epochs, to go on from")
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = load_config(arguments.task_config, "task")
    parameters = {name: config[name] for name in ("head", "training")}
    parameters |= {"split": arguments.split, "init": arguments.init, "seed": arguments.seed}
    inputs, target = [arguments.data, arguments.model], arguments.manifest.parent
    with ExitStack() as held:
        with stage("finetune", arguments.manifest, inputs, parameters) as record:
            data = load_split(arguments.data, arguments.split)
            head = kinds.module(config["head"]).described(config["head"], data["train"])
            encoder = directory.load(arguments.model.parent).encoder
            asked = Settings(**config["training"])
            model, head, settings = begin(arguments.init, encoder, head, asked, arguments.seed)
            model.to("cuda" if torch.cuda.is_available() else "cpu")
            state = State(arguments.state, fingerprint(parameters, *map(identity, inputs)))
            # To the end: a trainer that outlived the workflow must not clear the state of the next one.
            held.enter_context(state.lock())
            state.begin()
            with cached(model, settings, data["train"] + data["valid"], arguments.state):
                result = finetune(model, head, data["train"], data["valid"], settings, arguments.seed, state)
            merge_lora(model.encoder)
            model.cpu()
            sizes = {part: len(records) for part, records in data.items()}
            named = {"task": config["task"], **head, **result.fitted}
            start = arguments.split, arguments.init
            text = card.finetuned(*start, target, model.encoder.tokeniser, named, settings, sizes, result)
            record.outputs += directory.save(target, model.encoder, text, model, named)
            with atomic(target / "history.csv") as temporary:
                pl.DataFrame(result.history).write_csv(temporary)
            record.outputs.append(target / "history.csv")
            if result.history:  # something was trained
                # JSON knows no infinity: r2 against a constant.
                best = result.value if math.isfinite(result.value) else None
                record.counts |= {"best_epoch": result.best_epoch, "best": best, **result.fitted}
        # The model is declared: its optimiser's state, several times as large, is needed no longer.
        state.clear()


if __name__ == "__main__":
    main()
