"""Fine-tune an encoder on one split of a task, from pre-trained, frozen or random weights."""

import argparse
from pathlib import Path

import polars as pl
import torch
from rnalm.config import load as load_config
from rnalm.errors import exits
from rnalm.files import atomic
from rnalm.models import directory, registry
from rnalm.models.heads import PairModel
from rnalm.provenance import stage
from rnalm.randomness import key
from rnalm.tasks.structure import load_split
from rnalm.training import card
from rnalm.training.finetuning import Settings, finetune


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-config", required=True)
    parser.add_argument("--data", required=True, help="manifest of the task's data")
    parser.add_argument("--model", type=Path, required=True, help="manifest of the pre-trained model")
    parser.add_argument("--split", required=True)
    parser.add_argument("--init", choices=("pretrained", "frozen", "random"), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = load_config(arguments.task_config, "task")
    settings, head = dict(config["training"]), config["head"]
    first = min(settings["unfreeze"], key=int)
    if arguments.init == "frozen":
        settings["unfreeze"] = {first: settings["unfreeze"][first]}
    parameters = {"split": arguments.split, "init": arguments.init, "seed": arguments.seed, "training": settings}

    target = arguments.manifest.parent
    with stage(
        "finetune", arguments.manifest, [arguments.data, arguments.model], parameters | {"head": head}
    ) as record:
        data = load_split(arguments.data, arguments.split)
        encoder = directory.load(arguments.model.parent).encoder
        torch.manual_seed(int(key(arguments.seed, "finetune", "initialisation") >> 1))
        model = PairModel(encoder, **head)
        if arguments.init == "random":
            model.encoder = encoder = registry.build(registry.describe(encoder))
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        result = finetune(model, data["train"], data["valid"], Settings(**settings), arguments.seed)
        model.cpu()
        sizes = {part: len(records) for part, records in data.items()}
        start = config["task"], arguments.split, arguments.init
        text = card.finetuned(*start, target, encoder.tokeniser, settings, sizes, result)
        saved = {"task": config["task"], **head, "threshold": result.threshold}
        record.outputs += directory.save(target, encoder, text, model, saved)
        with atomic(target / "history.csv") as temporary:
            pl.DataFrame(result.history).write_csv(temporary)
        record.outputs.append(target / "history.csv")
        record.counts |= {"best_epoch": result.best_epoch, "best_f1": result.best_f1, "threshold": result.threshold}


if __name__ == "__main__":
    main()
