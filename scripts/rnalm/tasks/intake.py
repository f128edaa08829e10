"""A benchmark is checked before anything is trained on it: what is there is what its config expects.

Public copies of benchmarks can be partial (one held 2,094 of TR0's 10,814 files, BEACON's issue #8), and a result on
them looks like any other. `contents` says what the sets hold, `letters` how files write them.
"""

from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.names import uncompressed
from rnalm.structure.files import READERS, read
from rnalm.tasks import contents, dataset, kinds, splits, structure
from rnalm.tasks.records import PARTS, Record, check_names, unique

SEED = 0  # counts of random splits do not depend on it
# Readers of one form of structures each: any form of them is taken in their place.
FORMS = ("stockholm", "st_zip", "files")


def files_of(path: Path, settings: dict) -> tuple[list[Path], list[Path]]:
    """(files to read, files to leave out) of a file or folder; InputError where there is nothing to read.

    A task's own reader gets all files, also those in folders below. Of structures, a zip stands for the benchmark as
    it is published, then come files of structures, then alignments.
    """
    if not path.exists():
        raise InputError(path, "does not exist", "name the file or folder that holds the benchmark")
    if settings["reader"] not in FORMS:
        chosen = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        if not chosen:
            raise InputError(path, "is empty", f"put the files of {settings['source']['name']} into it")
        return chosen, []
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    chosen = next(
        (found for form in (is_zip, is_structure, is_alignment) if (found := list(filter(form, files)))), None
    )
    if chosen is None:
        known = ", ".join(f"*{suffix}" for suffix in READERS)
        raise InputError(path, "holds no structures", f"give bpRNA_dataset.zip, {known} (a file per set), or *.sto")
    return chosen, [file for file in files if file not in chosen]


def is_zip(path: Path) -> bool:
    return path.suffix == ".zip"


def is_structure(path: Path) -> bool:
    return Path(uncompressed(path)).suffix in READERS


def is_alignment(path: Path) -> bool:
    return bool(structure.STOCKHOLM.intersection(path.suffixes))


def sets_of(paths: list[Path], settings: dict) -> tuple[dict[str, list[Record]], dict[str, list[str]]]:
    """({set: records}, {set: sequences as written}) by the task's reader; the second only of files of structures."""
    if settings["reader"] not in FORMS or is_alignment(paths[0]):
        reader = "stockholm" if settings["reader"] in FORMS else settings["reader"]
        return dataset.read(paths, settings | {"reader": reader}), {}
    sets = {}
    if is_zip(paths[0]):
        for folder, item in structure.st_members(paths, settings):
            sets.setdefault(folder, []).append(item)
    else:
        for path in paths:
            sets.setdefault(uncompressed(path).partition(".")[0], []).extend(read(path))
    if not sets:
        raise InputError(paths[0], "has no bpRNA_dataset/{set}/bpRNA_*.st", "get the archive from its publisher")
    records = {
        name: [structure.paired(item, item.name, name, f"{name}, record {item.name}") for item in items]
        for name, items in sets.items()
    }
    return records, {name: [item.sequence for item in items] for name, items in sets.items()}


def summary(sets: dict[str, list[Record]], raw: dict[str, list[str]], settings: dict) -> list[dict]:
    """A row per set: what it holds."""
    return contents.summary(sets, kinds.of(settings["head"]), raw)


def check(sets: dict[str, list[Record]], rows: list[dict], settings: dict, where) -> list[dict]:
    """A row per split: the records of its parts.

    InputError: a number that is not the expected one, a name of two records, a split that cannot be made, a sequence in
    two of its parts, a part that is too small, a class that training does not have
    """
    dataset.check_expected({name: len(records) for name, records in sets.items()}, settings.get("expected", {}), where)
    without = {row["set"]: row.get("without pairs") for row in rows}
    for name, number in settings.get("expected_without_pairs", {}).items():
        if without.get(name) != number:
            problem = f"set {name} has {without.get(name, 0)} RNAs without pairs where {number} are expected"
            raise InputError(where, problem, "get the published data, or correct the number in the task's config")
    check_names(unique(record for records in sets.values() for record in records))
    check_given(sets, settings, where)
    divided = splits.divide(sets, settings, SEED)
    dataset.check_parts(divided, settings["task"], kinds.of(settings["head"]))
    return [{"split": name, **{part: len(parts[part]) for part in PARTS}} for name, parts in divided.items()]


def check_given(sets: dict[str, list[Record]], settings: dict, where) -> None:
    """InputError naming the sets of a published split that share a sequence, unless the split drops such."""
    for name, split in settings["splits"].items():
        if split["rule"] == "given" and "shared" not in split:
            parts = {split[part]: sets.get(split[part], []) for part in PARTS}
            splits.check_disjoint(parts, f"{where}, split {name}")
