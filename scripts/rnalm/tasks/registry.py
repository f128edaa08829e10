"""The readers of all tasks by name: what `reader` in a task's config means."""

from collections.abc import Callable

from rnalm.errors import InputError
from rnalm.tasks import (
    archive2,
    mirna_target,
    mrna_lncrna,
    ncrna_family,
    ribosome_load,
    splice,
    structure,
    structure_sets,
    table,
    utr,
)

MODULES = (
    structure,
    structure_sets,
    archive2,
    mirna_target,
    mrna_lncrna,
    table,
    splice,
    ribosome_load,
    ncrna_family,
    utr,
)
READERS = {name: read for module in MODULES for name, read in module.READERS.items()}


def reader(name: str) -> Callable:
    """A function (paths of the downloaded files, settings of the task) -> {set: records}. InputError if unknown."""
    if name not in READERS:
        raise InputError(f"reader {name}", "is unknown", f"use one of {', '.join(READERS)}")
    return READERS[name]
