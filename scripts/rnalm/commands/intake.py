"""Check a benchmark before anything is trained on it: counts, duplicates, letters, labels, splits.

Prints what each set holds, how files write their sequences, and how many records each part of a split has. A number
that is not the one in the task's config, a name of two RNAs, or a sequence in two parts of a split ends in one line and
exit code 2.
"""

import json
from pathlib import Path

from rnalm.errors import InputError

TASKS = Path("config/tasks")
WIDTH = 6  # sets side by side


def add(command) -> None:
    command.add_argument("task", metavar="TASK", help=f"a task of {TASKS}/, or a task's YAML file")
    command.add_argument("--data", type=Path, required=True, help="the benchmark: a file, or a folder of files")
    command.add_argument("--json", action="store_true", help="machine-readable, with the files' SHA-256")


def run(arguments) -> None:
    from rnalm import config, provenance
    from rnalm.tasks import intake, letters

    settings = config.load(config_of(arguments.task), "task")
    paths, others = intake.files_of(arguments.data, settings)
    sets, raw = intake.sets_of(paths, settings)
    found = {"sets": intake.summary(sets, raw, settings)}
    if not raw:
        found["letters"] = [row for path in paths for row in letters.summary(path)]
    try:
        found["splits"] = intake.check(sets, found["sets"], settings, arguments.data)
    finally:
        # What is there is shown, too, where something is wrong with it.
        if arguments.json:
            files = [provenance.describe(path, Path()) for path in paths]
            print(json.dumps({"files": files, "source": settings["source"], **found}, indent=2))
        else:
            print(page(found, others))


def config_of(task: str) -> Path:
    """The YAML file of a task; InputError where there is none."""
    path = Path(task) if task.endswith((".yaml", ".yml")) else TASKS / f"{task}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TASKS.glob("*.yaml"))) or f"the tasks of {TASKS}/"
        raise InputError(path, "is no task", f"name a YAML file, or one of {known}")
    return path


def page(found: dict[str, list[dict]], others: list[Path]) -> str:
    """The tables, one under the other, then the files that were not read."""
    tables = [columns(rows[start : start + WIDTH]) for rows in found.values() for start in range(0, len(rows), WIDTH)]
    left_out = ["left out: " + ", ".join(path.name for path in others)] if others else []
    return "\n\n".join(tables + left_out)


def columns(rows: list[dict]) -> str:
    """A column per row, a line per number."""
    lines = [[name, *(text(row[name]) for row in rows)] for name in rows[0]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def text(value) -> str:
    return value if isinstance(value, str) else f"{value:,g}" if isinstance(value, float) else f"{value:,}"
