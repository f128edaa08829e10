"""A small run directory in the formats of a real one, made in seconds, to build reports from.

The RNAs are made up: every family has one real fold (as dot-bracket) and random bases that respect it.
"""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import polars as pl
import report_tasks
from rnalm import provenance
from rnalm.evaluation import rna_types
from rnalm.structure.notation import parse_dot_bracket

FAMILIES = {
    "tRNA": "(((((((..((((........)))).(((((.......))))).....(((((.......))))))))))))....",
    "SRP": "((((((((((....((((((...((((....))))...))))))....(((....)))....))))))))))",
    "U1": "((((((....))))))..((((((((.....))))))))...(((((((((......)))))))))........",
    "U2": "..((((.((((....)))).))))...((((((...((((((....))))))...))))))....((((....))))",
    "snR75": "((((....))))..............((((.....))))...............",
    "vault": "(((((((.....((((....))))......))))))).............",
    "5S": "(((((((((....((((((((...............))))))..))....((((((...((....))...))))))..)))))))))",
    "RNaseP": "((((((((...[[[[[...(((((....)))))...((((((....))))))...]]]]]....))))))))",
    "SSU": "((((....((((((..((((....))))..((((....))))..))))))...(((((....)))))..))))",
}
CODONS = [f"{a}{b}{c}" for a in "ACGT" for b in "ACGT" for c in "AC"]
EPOCHS = 3
REPOSITORY = Path(__file__).parents[1]


def sequence(structure: str, dice: random.Random) -> str:
    bases = [dice.choice("ACGT") for _ in structure]
    for i, j in parse_dot_bracket(structure):
        bases[i], bases[j] = dice.choice(["GC", "CG", "AT", "TA", "GT"])
    return "".join(bases)


def write_stage(name, manifest, inputs, files, counts=None, parameters=None, **notes):
    with provenance.stage(name, manifest, inputs, parameters or {}) as record:
        record.outputs, record.counts, record.notes = files, counts or {}, notes
    return manifest


def frame(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    (table.write_csv if path.suffix == ".csv" else table.write_parquet)(path)
    return path


def corpus(directory: Path, dice: random.Random) -> Path:
    retrieved = write_stage("retrieve", directory.parents[1] / "resources/rfam/manifest.json", [], [])
    rows = []
    for family, structure in FAMILIES.items():
        for number in range(40):
            letters = sequence(structure * dice.randint(1, 4), dice)
            rows.append(
                {
                    "digest": f"{len(rows):032x}",
                    "sequence": letters,
                    "length": len(letters),
                    "rna_type": family,
                    "sources": [{"source": "rfam", "accession": f"{family}/{number}"}],
                }
            )
    sequences = frame(directory / "sequences/part-00000.parquet", rows)
    table = [("rfam", "in", 402), ("rfam", "kept", 340), ("rfam", "merged", 52), ("rfam", "too_short", 7)]
    table += [("rfam", "too_many_n", 3), ("ensembl", "in", 50), ("ensembl", "kept", 20), ("ensembl", "merged", 18)]
    table += [("ensembl", "not_nucleotide", 12)]
    ledger = frame(directory / "ledger.csv", pl.DataFrame(table, schema=["source", "rule", "records"], orient="row"))
    deduplicated = write_stage(
        "deduplicate", directory / "sequences/manifest.json", [retrieved], [sequences], {"sequences": len(rows)}
    )
    representatives = [dice.choice(rows[: 1 + index // 2])["digest"] for index in range(len(rows))]
    clusters = frame(
        directory / "clusters.parquet", {"digest": [row["digest"] for row in rows], "cluster": representatives}
    )
    return write_stage("cluster", directory / "clusters.manifest.json", [deduplicated], [clusters]), ledger


def pretraining(directory: Path, corpus_manifest, dice: random.Random) -> Path:
    history, validation = [], []
    for step in range(10, 1501, 10):
        loss = 1.05 + 1.9 * 0.997**step + dice.gauss(0, 0.05)
        history.append(
            {
                "step": step,
                "epoch": step // 500,
                "tokens": step * 9000,
                "loss": loss,
                "masked_accuracy": 0.75 - loss / 6,
                "learning_rate": 5e-5 * min(1, step / 200),
                "grad_norm": 1.0,
                "tokens_per_second": 40000 + dice.gauss(0, 1000),
                "step_seconds": 0.22,
                "memory_bytes": 900_000_000,
            }
        )
        if step % 100 == 0:
            loss = 1.1 + 1.9 * 0.997**step
            validation.append({"step": step, "tokens": step * 9000, "loss": loss, "perplexity": 2.718281828**loss})
            validation[-1]["masked_accuracy"] = 0.75 - loss / 6
    files = [frame(directory / "history.csv", history), frame(directory / "validation.csv", validation)]
    parameters = {"learning_rate": {"start": 1e-7, "peak": 5e-5}, "batch_size": 64, "processes": 2}
    return write_stage("pretrain", directory / "manifest.json", [corpus_manifest], files, parameters=parameters)


def safetensors(path: Path, shapes: dict[str, list[int]]) -> Path:
    """An empty-handed model file: its header is right, its numbers are zero."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for extent in shape:
            size *= extent
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def atlas(directory: Path, after, dice: random.Random) -> Path:
    types = dict(zip(FAMILIES, rna_types.types(pl.Series(list(FAMILIES))), strict=True))
    points, scores = [], []
    for rank, (encoder, spread) in enumerate((("pretrained", 1.0), ("random", 5.0), ("kmer", 3.0)), 1):
        for index, family in enumerate(FAMILIES):
            for number in range(30):
                x, y = 6 * (index % 3) + dice.gauss(0, spread), 6 * (index // 3) + dice.gauss(0, spread)
                rna = {"digest": f"{number:032x}", "length": 70, "family": family, "type": types[family], "set": "all"}
                points.append(rna | {"encoder": encoder, "plane": "t-SNE", "x": x, "y": y})
        for label in ("type", "family"):
            for space in ("embedding", "t-SNE"):
                for metric, value in (("silhouette", 0.61), ("calinski_harabasz", 812.5), ("davies_bouldin", 0.72)):
                    score = {"set": "all", "label": label, "encoder": encoder, "space": space, "metric": metric}
                    scores.append(score | {"value": value / rank, "n": 30 * len(FAMILIES), "classes": len(FAMILIES)})
    files = [frame(directory / "atlas.parquet", points), frame(directory / "scores.csv", scores)]
    left_out = {"short": "of its types the sample has none"}
    parameters = {"seed": 42, "planes": ["t-SNE"]}
    return write_stage("atlas", directory / "manifest.json", [after], files, {}, parameters, left_out=left_out)


def interpretation(directory: Path, after, dice: random.Random) -> Path:
    """Two RNAs, whose maps are their structures and noise; a model of two layers of three heads."""
    maps, profiles, kmers = [], [], []
    for family in ("tRNA", "snR75"):
        structure = FAMILIES[family]
        pairs, size, letters = parse_dot_bracket(structure), len(structure), sequence(structure, dice)
        for name, layer, head, height in (("best head", 2, 3, 1.0), ("last layer", 2, None, 0.3)):
            scores = [[dice.random() * 0.5 for _ in range(size)] for _ in range(size)]
            for i, j in pairs:
                scores[i][j] = scores[j][i] = height * dice.random()
            rna = {"id": f"{family}.1", "family": family, "sequence": letters, "pairs": pairs}
            rna |= {"map": name, "layer": layer, "head": head, "precision": height - 0.1}
            maps.append(rna | {"scores": [value for row in scores for value in row]})
    for number in range(40):
        size = 60 + number
        rows = {name: [dice.random() / size for _ in range(size)] for name in ("first_row", "column_means")}
        rna = {"digest": f"{number:032x}", "family": "tRNA", "type": "tRNA", "length": size}
        profiles.append(rna | rows)
    for kind, names in (("codon", CODONS), ("9-mer", [f"GATTACA{a}{b}" for a in "ACGT" for b in "ACGT"])):
        for rank, name in enumerate(names):
            row = {"kmer": name, "selected": 40 - rank, "population": 900 + 10 * rank, "log2_fold": 2 - rank / 10}
            row["random_log2_fold"] = rank / 20 if rank % 4 else None
            kmers.append(row | {"p_value": 1e-6 * 3**rank, "q_value": 1e-5 * 3**rank, "kind": kind, "rnas": "corpus"})
    heads = [
        {"encoder": encoder, "layer": layer, "head": head, "precision": best * layer * head / 6, "rnas": 60}
        for encoder, best in (("pretrained", 0.6), ("random", 0.05))
        for layer in (1, 2)
        for head in (1, 2, 3)
    ]
    tables = {"profiles.parquet": profiles, "kmers.csv": kmers, "heads.csv": heads, "maps.parquet": maps}
    files = [frame(directory / name, rows) for name, rows in tables.items()]
    counts = {"sequences": len(profiles), "rnas": 60, "chance": 0.01}
    return write_stage("interpret", directory / "manifest.json", [after], files, counts, family="rinalmo")


def rna(family: str, number: int, dice: random.Random) -> tuple[str, str, str, str]:
    return f"{family}.{number}", family, sequence(FAMILIES[family], dice), FAMILIES[family]


def make(root: Path) -> list[str]:
    """Write the run under `root`; returns the arguments of `scripts/report.py` that build its report."""
    dice = random.Random(42)
    results = root / "results"
    clusters, ledger = corpus(results / "corpus/made", dice)
    pretrain = pretraining(results / f"pretrain/made/epochs-{EPOCHS:03d}", clusters, dice)
    weights = safetensors(results / "made/models/pretrained/model.safetensors", {"a": [300, 400], "b": [400]})
    model = write_stage("export", weights.with_name("manifest.json"), [pretrain], [weights])

    structures = {
        "random": [rna(family, number, dice) for family in FAMILIES for number in range(12)],
        "leave-tRNA-out": [rna("tRNA", number, dice) for number in range(60)],
    }
    published = sorted((REPOSITORY / "resources/published").glob("*.csv"))
    run = report_tasks.Run(results, model)
    evaluations, leakage, tables = report_tasks.evaluate(run, structures, published, dice)
    tables["ledger.csv"] = pl.read_csv(ledger)
    files = [frame(results / "made" / name, table) for name, table in tables.items()]
    collected = write_stage("collect", results / "made/collect.manifest.json", [*evaluations, *leakage], files)
    arguments = {
        "--run": "made",
        "--corpus-directory": results / "corpus/made",
        "--collected": collected,
        "--pretrain": pretrain,
        "--model": model,
        "--atlas": atlas(results / "made/atlas", model, dice),
        "--interpretation": interpretation(results / "made/interpretation", model, dice),
        "--manifest": results / "made/report/manifest.json",
    }
    flat = [str(part) for pair in arguments.items() for part in pair]
    return [*flat, "--published", *map(str, published), "--evaluations", *map(str, evaluations)]


def report(arguments: list[str]) -> subprocess.CompletedProcess:
    """Run scripts/report.py."""
    return subprocess.run(
        [sys.executable, REPOSITORY / "scripts/report.py", *arguments], capture_output=True, text=True
    )
