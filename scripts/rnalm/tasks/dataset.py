"""The data of a task: downloaded files -> records, checked, and their splits."""

from collections import Counter
from pathlib import Path

from rnalm import provenance
from rnalm.errors import InputError
from rnalm.tasks import kinds, registry, splits
from rnalm.tasks.records import PARTS, Record, check_names, unique, write


def build(settings: dict, retrieved, seed: int, directory) -> tuple[list[Path], dict]:
    """Write records.parquet and splits.parquet of a task's settings; returns their paths and the counts.

    retrieved: manifest of the download that holds the files
    """
    sets = read(provenance.outputs(retrieved), settings)
    check_expected({name: len(records) for name, records in sets.items()}, settings.get("expected", {}), retrieved)
    divided = splits.divide(sets, settings, seed)
    records = used(sets, divided)
    check_names(records)
    kind = kinds.of(settings["head"])
    check_parts(divided, settings["task"], kind)
    return write(records, divided, kind, Path(directory)), counts(sets, divided)


def read(paths: list[Path], settings: dict) -> dict[str, list[Record]]:
    """{set: records} by the task's reader; InputError where its labels are not what the task's head predicts."""
    reader, kind = registry.reader(settings["reader"]), kinds.of(settings["head"])
    sets = reader(list(paths), settings)
    if not any(sets.values()):
        raise InputError(settings["source"]["name"], "brought no record", "check the files, or take another reader")
    for name, records in sets.items():
        for record in records:
            if not kinds.fits(record, kind):
                problem = f"has the label {str(record.label)[:60]!r}, which a head of kind {kind} cannot predict"
                remedy = "correct the label, or give the task another head"
                raise InputError(f"set {name}, {record.id}", problem, remedy)
    return sets


def check_expected(found: dict[str, int], expected: dict[str, int], where) -> None:
    """InputError unless the sets named in `expected` have as many records: public copies are often partial."""
    for name, number in expected.items():
        if found.get(name, 0) != number:
            problem = f"set {name} has {found.get(name, 0)} records where {number} are expected"
            raise InputError(where, problem, "get the complete data, or correct 'expected' in the task's config")


def check_parts(divided: dict, task: str, kind: str) -> None:
    """InputError for a part too small to train or score, and a class that could never be predicted."""
    for split, parts in divided.items():
        where = f"{task}, split {split}"
        check_sizes(parts, where, kind)
        if kind == "classes":
            check_classes(parts, where)


def check_sizes(parts: dict[str, list[Record]], where: str, kind: str) -> None:
    """InputError for a part that is empty, or, where it is to be scored, one number: nothing is explained or ranked."""
    scored = 2 if kind == "number" else 1
    for part, records in parts.items():
        least = 1 if part == "train" else scored
        if len(records) < least:
            problem = f"has {len(records)} records in {part}, it needs at least {least}"
            raise InputError(where, problem, "divide the data otherwise, or raise max_length or max_test_length")


def check_classes(parts: dict[str, list[Record]], where: str) -> None:
    """InputError for training records of a single class, or a class of valid or test that none of them has."""
    known = {record.label for record in parts["train"]}
    if len(known) < 2:
        problem = f"has records of {len(known)} class in train"
        raise InputError(where, problem, "give records of at least two classes")
    for part in ("valid", "test"):
        for record in parts[part]:
            if record.label not in known:
                problem = f"{record.id} in {part} is of class {record.label!r}, which train does not have"
                raise InputError(where, problem, "divide the data otherwise, or leave the class out")


def used(sets, divided) -> list[Record]:
    """The first record of every sequence, then those that only a split of given sets has."""
    records = unique(record for part in sets.values() for record in part)
    known = {record.id for record in records}
    for parts in divided.values():
        for part in PARTS:
            for record in parts[part]:
                if record.id not in known:
                    known.add(record.id)
                    records.append(record)
    return records


def counts(sets, divided) -> dict[str, int]:
    """Records read and kept; per set; per split and part, in all and by family."""
    first = unique(record for part in sets.values() for record in part)
    found = {
        "read": sum(map(len, sets.values())),
        "unique": len(first),
        "without_pairs": sum(record.label == [] for record in first),
    }
    found |= {f"set.{name}": len(part) for name, part in sets.items()}
    for split, parts in divided.items():
        for part in PARTS:
            found[f"{split}.{part}"] = len(parts[part])
            families = Counter(record.family for record in parts[part])
            found |= {f"{split}.{part}.{name}": number for name, number in sorted(families.items()) if name}
    return found
