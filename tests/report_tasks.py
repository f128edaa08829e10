"""Made-up evaluations of a task of each kind, written and collected by the stages' own functions."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rnalm.evaluation import collection
from rnalm.evaluation.comparison import compare
from rnalm.evaluation.tables import write_evaluation
from rnalm.provenance import stage
from rnalm.structure.notation import parse_dot_bracket
from rnalm.tasks import kinds
from rnalm.tasks.records import Record

MODEL, OTHER = "rinalmo-demo", "giga"
FOLDS = 3
SPECIES = ("fish", "fly", "plant", "worm")
CLASSES = [f"family {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWX"]
# What the tests of some tasks were compared with: bootstrap intervals of every stratum take their time.
RELATIVES = {
    "structure": [("corpus", "forward"), ("corpus", "reverse"), ("train", "forward")],
    "translation_efficiency": [("corpus", "forward")],
}
IDENTITIES = [None, None, 0.65, 0.8, 0.8, 0.95, 1.0]
SETTINGS = {
    "structure": {
        "task": "structure",
        "head": {"kind": "pairs"},
        "splits": {"random": {}, "leave-tRNA-out": {}},
        "published": {"dataset": "ArchiveII", "splits": {"leave-tRNA-out": "leave tRNA out"}},
    },
    "splice_donor": {
        "task": "splice_sites",
        "head": {"kind": "classes", "classes": 1, "labels": ["no", "yes"]},
        "splits": {name: {} for name in SPECIES},
        "published": {
            "dataset": "Spliceator",
            "splits": {name: f"donor_{name}" for name in SPECIES},
        },
    },
    "ncrna_family": {
        "task": "ncrna_family",
        "head": {"kind": "classes", "classes": len(CLASSES), "labels": CLASSES},
        "splits": {"noiseless": {}},
    },
    "translation_efficiency": {
        "task": "translation_efficiency",
        "head": {"kind": "scalar"},
        "splits": {"muscle": {"folds": FOLDS}},
        "published": {"dataset": "UTR-LM", "splits": {"muscle": "Muscle"}},
    },
    "mrna_lncrna": {"task": "mrna_lncrna", "head": {"kind": "positions"}, "splits": {"human": {}}},
}
# (model, init, quality of its predictions from 0 to 1) of each task.
STARTS = [(MODEL, "pretrained", 0.9), (MODEL, "frozen", 0.8), (MODEL, "random", 0.7)]
BASELINE = ("trivial", "baseline", 0.3)
GRID = {
    "structure": [*STARTS, ("RNAfold", "baseline", 0.6)],
    "splice_donor": [*STARTS, ("onehot", "onehot", 0.6), (OTHER, "pretrained", 0.95), (OTHER, "random", 0.7), BASELINE],
    "ncrna_family": [*STARTS, ("kmer", "kmer", 0.7), BASELINE],
    "translation_efficiency": [STARTS[0], STARTS[2], BASELINE],
    "mrna_lncrna": [*STARTS, BASELINE],
}


@dataclass
class Run:
    """Where a run's tables lie, and after which stage its models come."""

    results: Path
    after: Path


def letters(length: int, dice: random.Random) -> str:
    return "".join(dice.choice("ACGT") for _ in range(length))


def tests(structures: dict[str, list[Record]], dice: random.Random) -> dict[tuple[str, str], list[Record]]:
    """{(task, split): test}; structures: those of the structure task."""
    made = {("structure", split): records for split, records in structures.items()}
    for split in SETTINGS["splice_donor"]["splits"]:
        made["splice_donor", split] = [
            Record(f"{split}{n}", split, letters(40, dice), dice.choice(["no", "yes"])) for n in range(80)
        ]
    made["ncrna_family", "noiseless"] = [
        Record(f"rna{n}", name, letters(60, dice), name) for n, name in enumerate(CLASSES * 6)
    ]
    for fold in range(FOLDS):
        made["translation_efficiency", f"muscle_{fold}"] = [
            Record(f"utr{n}", "", letters(50, dice), dice.gauss(2, 1.5)) for n in range(fold, 150, FOLDS)
        ]
    made["mrna_lncrna", "human"] = [messenger(n, dice) for n in range(24)]
    return made


def messenger(number: int, dice: random.Random) -> Record:
    """Every second one has a coding region."""
    length = dice.randint(150, 500)
    start, size = dice.randint(10, 60), 3 * dice.randint(15, 30) * (number % 2)
    label = [int(start <= position < start + size) for position in range(length)]
    return Record(f"transcript{number}", "mRNA" if size else "lncRNA", letters(length, dice), label)


def predicted(task: str, record: Record, quality: float, dice: random.Random):
    """What a model of that quality says of a record."""
    if task == "structure":
        return guess(record.label, record.length, quality, dice)
    if task == "translation_efficiency":
        return 2 + quality * (record.label - 2) + dice.gauss(0, 1.2 * (1 - quality))
    if task == "mrna_lncrna":
        return [min(1.0, max(0.0, quality * (label - 0.5) + 0.5 + dice.gauss(0, 0.25))) for label in record.label]
    names = SETTINGS[task]["head"]["labels"]
    chosen = record.label if dice.random() < quality else dice.choice(names)
    if len(names) == 2:
        return np.array([3.0 * (chosen == "yes") - 1.5 + dice.gauss(0, 0.4)])
    return np.array([4.0 * (name == chosen) + dice.gauss(0, 0.5) for name in names])


def guess(pairs, length: int, quality: float, dice: random.Random) -> list[tuple[int, int]]:
    """Keep pairs with probability `quality` (drawn per RNA) and add a few wrong ones."""
    keep = min(1.0, max(0.0, dice.gauss(quality, 0.2)))
    kept = [pair for pair in pairs if dice.random() < keep]
    used = {position for pair in kept for position in pair}
    for _ in range(int((1 - keep) * 6)):
        i, j = sorted(dice.sample(range(length), 2))
        if j - i > 3 and not used & {i, j}:
            kept.append((i, j))
            used |= {i, j}
    return sorted(kept)


def evaluation(run: Run, task: str, split: str, test: list[Record], model: str, init: str, quality: float) -> Path:
    seeds = [42] if init == "baseline" else [42, 43]
    predictions = {}
    head = SETTINGS[task]["head"]
    for seed in seeds:
        dice = random.Random(f"{task}{split}{model}{init}{seed}")
        predictions[seed] = [predicted(task, record, quality, dice) for record in test]
    if model == "trivial":
        predictions = {seed: kinds.module(head).trivial(test, test, head) for seed in seeds}
    cell = {"task": task, "split": split, "model": model, "init": init}
    directory = run.results / f"tasks/{task}/made/{split}/{init}-{model.lower()}"
    name = "baseline" if init == "baseline" else "evaluate"
    with stage(name, directory / "manifest.json", [run.after], cell) as record:
        record.outputs = write_evaluation(test, predictions, head, cell, 42, directory)
    return directory / "manifest.json"


def relatives(run: Run, task: str, made: dict[tuple[str, str], list[Record]], dice: random.Random) -> Path:
    """The nearest relatives of a task's test items, as the leakage stage writes them."""
    rows = [
        {"split": split, "part": "test", "id": record.id, "target": target, "strand": strand}
        | {"identity": dice.choice(IDENTITIES) if strand == "forward" else None}
        for (name, split), test in made.items()
        if name == task
        for target, strand in RELATIVES[task]
        for record in test
    ]
    folder = run.results / f"corpus/made/leakage/{task}"
    folder.mkdir(parents=True)
    pl.DataFrame(rows, schema_overrides={"identity": pl.Float64}).write_parquet(folder / "nearest.parquet")
    with stage("leakage", folder / "manifest.json", [run.after], {"task": task}) as record:
        record.outputs = [folder / "nearest.parquet"]
    return folder / "manifest.json"


def evaluate(
    run: Run, structures: dict[str, list[tuple]], tables: list[Path], dice: random.Random
) -> tuple[list[Path], list[Path], dict[str, pl.DataFrame]]:
    """(manifests of all evaluations, those of leakage, what `collect` makes of them).

    structures: {split: (id, family, sequence, dot-bracket) of its test RNAs}; tables: published numbers
    """
    records = {
        split: [Record(*rna[:3], parse_dot_bracket(rna[3])) for rna in rnas] for split, rnas in structures.items()
    }
    made = tests(records, dice)
    manifests = [
        evaluation(run, task, split, test, *start) for (task, split), test in made.items() for start in GRID[task]
    ]
    leakage = {task: relatives(run, task, made, dice) for task in RELATIVES}
    cells = collection.cells(manifests, SETTINGS)
    metrics = pl.concat([*(cell.metrics for cell in cells), *collection.means_of_folds(cells, SETTINGS, 42)])
    published = pl.concat([pl.read_csv(path, infer_schema=False) for path in tables])
    return (
        manifests,
        list(leakage.values()),
        {
            "metrics.csv": metrics,
            "seeds.csv": pl.concat([cell.seeds for cell in cells]),
            "strata.csv": collection.by_relatives(
                [cell for cell in cells if cell.name["task"] in leakage], leakage, 42
            ),
            "comparison.csv": compare(metrics, published, SETTINGS),
        },
    )
