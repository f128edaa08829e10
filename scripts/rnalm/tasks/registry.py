"""The readers of all tasks by name: what `reader` in a task's config means."""

from collections.abc import Callable

from rnalm.errors import InputError
from rnalm.tasks import structure

READERS = {**structure.READERS}


def reader(name: str) -> Callable:
    """A function (paths of the downloaded files, settings of the task) -> {set: records}. InputError if unknown."""
    if name not in READERS:
        raise InputError(f"reader {name}", "is unknown", f"use one of {', '.join(READERS)}")
    return READERS[name]
