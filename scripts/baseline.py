"""Stage baseline: what a method that learns nothing from sequences says of a split's test, scored like a model's."""

import argparse
from pathlib import Path

from rnalm import config, errors, provenance
from rnalm.evaluation.tables import write_evaluation
from rnalm.tasks import baselines
from rnalm.tasks.records import load_split


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--task-config", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path, help="manifest of task_data")
    parser.add_argument("--split", required=True)
    parser.add_argument("--name", required=True, help="trivial, or a method of folding")
    parser.add_argument("--seed", required=True, type=int, help="of the bootstrap")
    parser.add_argument("--threads", type=int, default=1, help="RNAs folded at a time")
    parser.add_argument("--manifest", required=True, type=Path)
    arguments = parser.parse_args()

    settings = config.load(arguments.task_config, "task")
    cell = {"task": arguments.task, "split": arguments.split}
    cell |= {"model": baselines.title(arguments.name), "init": "baseline"}
    with provenance.stage("baseline", arguments.manifest, [arguments.data], cell) as record:
        data = load_split(arguments.data, arguments.split)
        predictions, head = baselines.predict(arguments.name, settings["head"], data, arguments.threads)
        directory = arguments.manifest.parent
        record.outputs = write_evaluation(
            data["test"], {arguments.seed: predictions}, head, cell, arguments.seed, directory
        )
        record.counts["records"] = len(data["test"])


if __name__ == "__main__":
    main()
