"""Score a fine-tuned or imported model on the test of a task, without training anything.

Leaves metrics.csv and predictions.parquet in a folder, and prints the metrics. Threshold, scale and classes are those
that the model brings. Of a benchmark in sets of its own, the test is enough.
"""

from pathlib import Path

from rnalm.commands.intake import TASKS, config_of
from rnalm.errors import InputError

SEED = 42


def add(command) -> None:
    command.add_argument("model", type=Path, help="model directory")
    command.add_argument("--task", required=True, help=f"a task of {TASKS}/, or a task's YAML file")
    command.add_argument("--data", type=Path, required=True, help="the benchmark: a file, or a folder of files")
    command.add_argument("--split", help="a split of the task (its first)")
    command.add_argument("--seed", type=int, default=SEED, help="of random splits and of the bootstrap (42)")
    command.add_argument("-o", "--out", type=Path, required=True, help="folder of the results")


def run(arguments) -> None:
    from rnalm import config
    from rnalm.evaluation.tables import write_evaluation
    from rnalm.inference import LanguageModel
    from rnalm.tasks import dataset, intake, kinds, splits
    from rnalm.training.prediction import predict

    settings = config.load(config_of(arguments.task), "task")
    names = config.split_names(settings)
    split = arguments.split or names[0]
    if split not in names:
        raise InputError(f"--split {split}", f"is no split of {settings['task']}", f"use one of {', '.join(names)}")
    loaded = LanguageModel.from_directory(arguments.model)
    if loaded.model is None:
        raise InputError(arguments.model, "has no head to predict with", "name a fine-tuned or imported model")
    head, kind = kinds.complete(loaded.config["head"]), kinds.of(settings["head"])
    if kinds.of(head) != kind:
        problem = f"predicts {kinds.of(head)}, the task needs {kind}"
        raise InputError(arguments.model, problem, "name a model that was fine-tuned for this task")
    sets, _ = intake.sets_of(intake.files_of(arguments.data, settings)[0], settings)
    test = splits.test_of(sets, settings, arguments.seed, split)
    dataset.check_sizes({"test": test}, f"{settings['task']}, split {split}", kind)
    predicted = predict(loaded.model, head, test)
    cell = {"task": settings["task"], "split": split, "model": arguments.model.resolve().name, "init": "imported"}
    paths = write_evaluation(test, {arguments.seed: predicted}, head, cell, arguments.seed, arguments.out)
    print(paths[0].read_text(encoding="utf-8"), end="")
