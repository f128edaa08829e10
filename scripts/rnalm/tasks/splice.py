"""Splice sites: is there a donor (or acceptor) site in the middle of a 400-nt window of a gene?

Two readers: Spliceator's data as SpliceBERT publishes them in one archive, which RiNALMo's paper uses, and plain
files of windows, one set per folder or file. Notable in the archive:

- Training windows have 600 nt, of which the middle 400 are taken. They stand in the second field of a line if that
  has at least 100 letters, else in the third. What follows the last `_` of the first field is the organism.
- Train and valid are one of ten folds of these windows, `data.fold`, by scikit-learn's StratifiedKFold with seed 2020,
  positives first. RiNALMo calls them db_1 to db_10 and uses db_1.
- The tests are four organisms that are not in training. Donors and acceptors are two tasks, with a model each.

Source: official code lbcb-sci/RiNALMo, `rinalmo/data/downstream/splice_site_prediction/datamodule.py`.
"""

import re
from collections import defaultdict

import numpy as np
from sklearn.model_selection import StratifiedKFold

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.compression import BROKEN, broken, open_binary
from rnalm.tasks.archives import TAR, members, one, text
from rnalm.tasks.records import Record

SPECIES = ("Danio", "Fly", "Thaliana", "Worm")
WINDOW = 400  # nt
SHORTEST = 100  # letters; a field with fewer is no sequence
FOLDS, SEED = 10, 2020
LABELS = {"POS": "yes", "NEG": "no"}
KINDS = {"positive": "POS", "negative": "NEG"}
HEADER = "ID_uniprot"
FILE = re.compile(r"(?P<name>.+)\.(?P<kind>positive|negative)\.txt(\.gz)?")
PUBLISHED = re.compile(r"SA_sequences_(?P<site>donor|acceptor)_.+")


def from_archive(paths, settings: dict) -> dict[str, list[Record]]:
    """The sets `train` and `valid` of one fold, and the four tests, from Spliceator's archive."""
    archive = one(paths, TAR, settings["source"]["name"])
    site, fold = settings["data"]["site"], settings["data"].get("fold", 1)
    training = {
        "POS": f"spliceator/Training_data/Positive/GS/POS_{site}_600.csv",
        "NEG": f"spliceator/Training_data/Negative/GS/GS_1/NEG_600_{site}.csv",
    }
    tests = {
        (species, KINDS[kind]): f"spliceator/Benchmarks/{species}/SA_sequences_{site}_400_Final_3.{kind}.txt"
        for species in SPECIES
        for kind in KINDS
    }
    found = members(archive, [*training.values(), *tests.values()])
    windows = [
        record
        for kind, name in training.items()
        for record in training_windows(text(found[name], f"{archive}, {name}"), kind, f"{archive}, {name}")
    ]
    sets = divided(windows, fold)
    for (species, kind), name in tests.items():
        where = f"{archive}, {name}"
        sets.setdefault(species, []).extend(benchmark_windows(text(found[name], where), species, kind, where))
    return sets


def from_files(paths, settings: dict) -> dict[str, list[Record]]:
    """Files `{name}.positive.txt` and `{name}.negative.txt` of lines `name;POS;sequence`, also gzip; a set each.

    Spliceator's own, `SA_sequences_{site}_...`, are named by their folder, and those of the other site are left out.
    """
    sets, site = defaultdict(list), settings["data"]["site"]
    for path in sorted(paths):
        if (match := FILE.fullmatch(path.name)) is None:
            continue
        name, kind = match["name"], KINDS[match["kind"]]
        if published := PUBLISHED.fullmatch(name):
            if published["site"] != site:
                continue
            name = path.parent.name
        sets[name].extend(benchmark_windows(read(path), name, kind, path))
    if not sets:
        problem = f"brought no file of {site} sites"
        raise InputError(settings["source"]["name"], problem, "name them *.positive.txt and *.negative.txt")
    return dict(sets)


READERS = {"spliceator": from_archive, "splice_windows": from_files}


def read(path) -> str:
    try:
        with open_binary(path) as handle:
            return text(handle.read(), path)
    except BROKEN as error:
        raise broken(path, "it breaks off", error) from error


def training_windows(lines: str, kind: str, where) -> list[Record]:
    """The middle 400 nt of each line; the family is the organism."""
    records = []
    for number, line in enumerate(lines.splitlines(), start=1):
        if line.startswith(HEADER) or not line.strip():
            continue
        fields = line.strip().split(";")
        long = [field for field in fields[1:3] if len(field) >= SHORTEST]
        if not long:
            problem = f"has no sequence of {SHORTEST} nt in its second or third field"
            raise InputError(f"{where}, line {number}", problem, "get the whole file again")
        sequence, organism = long[0], fields[0].rpartition("_")[2]
        if len(sequence) < WINDOW:
            problem = f"has a sequence of {len(sequence)} nt where at least {WINDOW} are expected"
            raise InputError(f"{where}, line {number}", problem, "get the whole file again")
        start = (len(sequence) - WINDOW) // 2
        window = normalise(sequence[start : start + WINDOW])
        records.append(Record(f"GS_{kind}_{number}", organism, window, LABELS[kind]))
    return records


def benchmark_windows(lines: str, name: str, kind: str, where) -> list[Record]:
    """The windows of lines `name;POS;sequence`, or NEG, as they are; the family is the set's name."""
    records = []
    for number, line in enumerate(lines.splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.strip().split(";")
        if len(fields) != 3 or not fields[2]:
            raise InputError(f"{where}, line {number}", f"has {len(fields)} fields", "write name;POS;sequence, or NEG")
        if fields[1] != kind:
            problem = f"has the label {fields[1]!r} in a file of {kind} windows"
            raise InputError(f"{where}, line {number}", problem, "correct the label, or move the line")
        records.append(Record(f"{name}_{kind}_{number}", name, normalise(fields[2]), LABELS[kind]))
    return records


def divided(windows: list[Record], fold: int) -> dict[str, list[Record]]:
    """{"train": windows, "valid": windows} of one of the ten published folds, counted from 1."""
    labels = [record.label == "yes" for record in windows]
    smallest = min(labels.count(True), labels.count(False))
    if smallest < FOLDS:
        problem = f"have {smallest} windows of one label, too few for {FOLDS} folds"
        raise InputError("Spliceator's training windows", problem, "get the whole archive")
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    rows = list(splitter.split(np.zeros(len(labels)), labels))[fold - 1]
    return {name: [windows[row] for row in part] for name, part in zip(("train", "valid"), rows, strict=True)}
