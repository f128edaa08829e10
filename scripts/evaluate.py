"""Predict the test RNAs of one split with a fine-tuned model and score them."""

import argparse
from pathlib import Path

import torch
from rnalm.errors import exits
from rnalm.evaluation.tables import write_evaluation
from rnalm.inference import LanguageModel
from rnalm.provenance import stage
from rnalm.tasks.structure import load_split


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--data", required=True, help="manifest of the task's data")
    parser.add_argument("--model", type=Path, required=True, help="manifest of the fine-tuned model")
    parser.add_argument("--name", required=True, help="the model's name in the table")
    parser.add_argument("--split", required=True)
    parser.add_argument("--init", required=True)
    parser.add_argument("--seed", type=int, required=True, help="of the bootstrap")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    parameters = {"split": arguments.split, "init": arguments.init, "seed": arguments.seed}
    with stage("evaluate", arguments.manifest, [arguments.data, arguments.model], parameters) as record:
        records = load_split(arguments.data, arguments.split)["test"]
        model = LanguageModel.from_directory(arguments.model.parent)
        predicted = model.fold([record.sequence for record in records])
        record.outputs += write_evaluation(
            list(zip(records, predicted, strict=True)),
            *(arguments.task, arguments.split, arguments.name, arguments.init, arguments.seed),
            arguments.manifest.parent,
        )
        record.counts["rnas"] = len(records)


if __name__ == "__main__":
    main()
