"""What a benchmark holds, before anything is trained on it: counts, duplicates, letters, labels.

Public copies of benchmarks can be partial (one held 2,094 of TR0's 10,814 files, BEACON's issue #8), and a result on
them looks like any other. Duplicates are equal after normalisation (case, T and U); a reverse complement is another
molecule.
"""

from collections import Counter
from pathlib import Path
from statistics import median

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.structure.files import READERS, Structure, read, uncompressed
from rnalm.structure.notation import dot_bracket
from rnalm.tasks import dataset, structure
from rnalm.tasks.records import PARTS, Record, check_names, unique
from rnalm.tasks.splits import check_disjoint

CANONICAL = {"AT", "TA", "GC", "CG", "GT", "TG"}
SHORTEST_LOOP = 3  # nt between the two bases of a pair


def files_of(path: Path) -> tuple[list[Path], list[Path]]:
    """(files to read, files to leave out) of a file or folder; InputError where there is nothing to read.

    A zip stands for the benchmark as it is published, then come files of structures, then alignments.
    """
    if not path.exists():
        raise InputError(path, "does not exist", "name the file or folder that holds the benchmark")
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    kinds = (is_zip, is_structure, is_alignment)
    chosen = next((found for kind in kinds if (found := [file for file in files if kind(file)])), None)
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


def sets_of(paths: list[Path], settings: dict) -> dict[str, list[Structure]]:
    """{set: RNAs with their letters as written}; rows of alignments are without gaps and normalised."""
    sets = {}
    if is_zip(paths[0]):
        for folder, item in structure.st_members(paths, settings):
            sets.setdefault(folder, []).append(item)
    elif is_structure(paths[0]):
        for path in paths:
            sets.setdefault(uncompressed(path).partition(".")[0], []).extend(read(path))
    else:
        for name, records in structure.from_stockholm(paths, settings).items():
            sets[name] = [Structure(record.id, record.sequence, record.label) for record in records]
    if not sets:
        raise InputError(paths[0], "has no bpRNA_dataset/{set}/bpRNA_*.st", "get the archive from its publisher")
    return sets


def summary(sets: dict[str, list[Structure]]) -> list[dict]:
    """A row per set: what it holds, in RNAs unless said otherwise."""
    normal = {name: [normalise(item.sequence) for item in items] for name, items in sets.items()}
    homes = Counter(sequence for sequences in normal.values() for sequence in set(sequences))
    return [describe(name, items, normal[name], homes) for name, items in sets.items()]


def describe(name: str, items: list[Structure], normal: list[str], homes: Counter) -> dict:
    """The row of one set.

    normal: the items' sequences, normalised
    homes:  of every sequence, in how many sets it is
    """
    lengths, raw = [len(item.sequence) for item in items], [item.sequence for item in items]
    letters = [(sequence, item.pairs) for sequence, item in zip(normal, items, strict=True)]
    pairs = [(sequence[i] + sequence[j], j - i - 1) for sequence, own in letters for i, j in own]
    return {
        "set": name,
        "RNAs": len(items),
        "distinct": len(set(normal)),
        "in other sets": sum(homes[sequence] > 1 for sequence in set(normal)),
        "nt, shortest": min(lengths),
        "nt, median": median(lengths),
        "nt, longest": max(lengths),
        "with T": sum("T" in sequence.upper() for sequence in raw),
        "with U": sum("U" in sequence.upper() for sequence in raw),
        "with lower case": sum(sequence != sequence.upper() for sequence in raw),
        "with other letters than ACGTU": sum(bool(set(sequence) - set("ACGT")) for sequence in normal),
        "without pairs": sum(not item.pairs for item in items),
        "with pseudoknots": sum("[" in dot_bracket(item.pairs, len(item.sequence)) for item in items),
        "pairs": len(pairs),
        "pairs, not canonical": sum(letters not in CANONICAL for letters, _ in pairs),
        f"pairs, loop below {SHORTEST_LOOP} nt": sum(loop < SHORTEST_LOOP for _, loop in pairs),
    }


def check(sets: dict[str, list[Structure]], rows: list[dict], settings: dict, where) -> None:
    """InputError for a number that is not the expected one, a name of two RNAs, a sequence in two parts of a split."""
    dataset.check_expected({row["set"]: row["RNAs"] for row in rows}, settings.get("expected", {}), where)
    without = {row["set"]: row["without pairs"] for row in rows}
    for name, number in settings.get("expected_without_pairs", {}).items():
        if without.get(name) != number:
            problem = f"set {name} has {without.get(name, 0)} RNAs without pairs where {number} are expected"
            raise InputError(where, problem, "get the published data, or correct the number in the task's config")
    records = {
        name: [Record(item.name, name, normalise(item.sequence), item.pairs) for item in items]
        for name, items in sets.items()
    }
    check_names(unique(record for own in records.values() for record in own))
    for name, split in settings["splits"].items():
        if split["rule"] == "given":
            parts = {split[part]: records.get(split[part], []) for part in PARTS}
            check_disjoint(parts, f"{where}, split {name}")
