"""Baselines of a task: `trivial` (the commonest class, the mean, no pair), and of structures the methods of folding."""

from rnalm.errors import InputError
from rnalm.structure.folding import FOLDERS, TITLES
from rnalm.tasks import kinds
from rnalm.tasks.records import Record


def title(name: str) -> str:
    """How tables name a baseline."""
    return TITLES.get(name, name)


def predict(name: str, head: dict, data: dict[str, list[Record]], threads: int) -> tuple[list, dict]:
    """(predictions of the test, the head's complete description). InputError for a name that the task does not have."""
    kind, test = kinds.module(head), data["test"]
    described = kind.described(head, data["train"])
    if name == "trivial":
        return kind.trivial(data["train"], test, described), described
    known = ["trivial", *(FOLDERS if kinds.of(head) == "pairs" else ())]
    if name not in known:
        raise InputError(f"baselines: {name}", "is no baseline of this task", f"use one of {', '.join(known)}")
    return FOLDERS[name]([record.sequence for record in test], threads), described
