"""Predict the test records of one split with the fine-tuned models of all seeds, and score them."""

import argparse
from pathlib import Path

import torch
from rnalm.errors import exits
from rnalm.evaluation.tables import write_evaluation
from rnalm.models import directory
from rnalm.provenance import load, stage
from rnalm.tasks.records import load_split
from rnalm.training.prediction import predict


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--data", required=True, help="manifest of the task's data")
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="manifests of the fine-tuned models")
    parser.add_argument("--name", required=True, help="the model's name in the table")
    parser.add_argument("--split", required=True)
    parser.add_argument("--init", required=True)
    parser.add_argument("--seed", type=int, required=True, help="of the bootstrap")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cell = {"task": arguments.task, "split": arguments.split, "model": arguments.name, "init": arguments.init}
    parameters = cell | {"seed": arguments.seed}
    with stage("evaluate", arguments.manifest, [arguments.data, *arguments.models], parameters) as record:
        records = load_split(arguments.data, arguments.split)["test"]
        predictions = {}
        for manifest in arguments.models:
            loaded = directory.load(manifest.parent)
            model, head = loaded.model.to("cuda" if torch.cuda.is_available() else "cpu"), loaded.config["head"]
            predictions[load(manifest)["parameters"]["seed"]] = predict(model, head, records)
        record.outputs += write_evaluation(records, predictions, head, cell, arguments.seed, arguments.manifest.parent)
        record.counts["records"] = len(records)


if __name__ == "__main__":
    main()
