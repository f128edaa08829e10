"""Stage task_data: downloaded labelled data -> records and splits of a downstream task."""

import argparse
from pathlib import Path

from rnalm import config, errors, provenance
from rnalm.tasks import dataset


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-config", required=True, type=Path, help="config/tasks/*.yaml")
    parser.add_argument("--retrieved", required=True, type=Path, help="manifest of the task's download")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--manifest", required=True, type=Path)
    arguments = parser.parse_args()

    settings = config.load(arguments.task_config, "task")
    # Only what shapes the data: another learning rate makes no other data.
    parameters = {"seed": arguments.seed} | {name: settings[name] for name in config.TASK_DATA if name in settings}
    with provenance.stage("task_data", arguments.manifest, [arguments.retrieved], parameters) as record:
        record.outputs, record.counts = dataset.build(
            settings, arguments.retrieved, arguments.seed, arguments.manifest.parent
        )


if __name__ == "__main__":
    main()
