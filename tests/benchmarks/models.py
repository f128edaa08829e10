"""Benchmark of the models on a CPU, `make bench-models`: tables in docs/benchmarks.md, numbers beside it.

Three parts, of models of the published sizes with fresh weights; every measurement is a process of its own:
  retention  RNAret's retention in chunks beside its parallel form, by itself and in a layer (retention_forms.py), and
             the whole network on one sequence of up to 1 M nt
  rinalmo    RiNALMo micro embeds RNAs of RNAcentral's lengths (made_records.py), cropped at 1,022 nt, the longest that
             the models were trained on: the library beside padded batches (embedders.py), and beside MultiMolecule
             where an environment with it is named (multimolecule_embedder.py)
  ernie_rna  ERNIE-RNA does the same
The RNAs are split into as many blocks as there are repetitions. Each block goes through all ways in turn, forwards and
backwards, so what slows the machine down slows all of them, and all outputs are compared. Of thousands of RNAs the
padded ways take hours: `--ways` names those that are wanted, and a run that was ended goes on after its last whole
block. The parts can be run one at a time: each replaces its own numbers in the JSON file, and the tables are written
from all of them.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import made_records
import measure
import numpy as np
from Bio.SeqIO.FastaIO import SimpleFastaParser
from corpus import emptied, made_on, say
from model_tables import WAYS, markdown
from rnalm import config, files
from rnalm.sequences.alphabet import normalise

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HERE = Path(__file__).parent
MARKS = "<!-- models: begin -->", "<!-- models: end -->"
MODELS = {"rinalmo": "micro", "ernie_rna": "ernie_rna"}
# Longest RNA, nt: 1,024 tokens.
CROP = 1022
RECORDS, SEED = 20_000, 1
# Of a padded batch or of another form: largest difference, as a share of the largest value; of forms, in norm.
EQUAL, EQUAL_FORMS = 1e-5, 1e-6
# Bytes that the parallel form needs per pair of tokens: three matrices of four heads in fp32.
PER_PAIR = 48


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("all", *PARTS, "tables"), default="all")
    parser.add_argument("--rnas", type=int, default=96, help="to embed with each model")
    parser.add_argument("--repetitions", type=int, default=3, help="blocks of the RNAs")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to embed RNAs beside `packed`")
    parser.add_argument("--lengths", type=int, nargs="+", default=[512 * 2**i for i in range(6)], help="of retention")
    parser.add_argument("--streamed", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="nt, RNAret")
    parser.add_argument("--layers", type=int, help="of the models; fewer than published only to try the benchmark")
    parser.add_argument("--multimolecule", type=Path, help="python of an environment with MultiMolecule")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument(
        "--work", type=Path, default=ROOT / "results/.state/bench_models", help="emptied before and after"
    )
    parser.add_argument("--numbers", type=Path, default=DOCS / "benchmarks_models.json")
    parser.add_argument(
        "--page", type=Path, default=DOCS / "benchmarks.md", help="its part between the marks is replaced"
    )
    options = parser.parse_args(arguments)

    numbers = files.read_json(options.numbers) if options.numbers.is_file() else {}
    for part in PARTS if options.part == "all" else {options.part} - {"tables"}:
        emptied(options.work)
        for found in PARTS[part](part, options, numbers.get(part)):
            numbers[part] = found
            write(options, numbers)
    shutil.rmtree(options.work, ignore_errors=True)
    print(write(options, numbers))


def write(options, numbers: dict) -> str:
    """Write the numbers and, on the page, the tables, which are returned."""
    files.write_json(options.numbers, numbers)
    before, _, rest = options.page.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    text = markdown(numbers)
    files.write_text(options.page, f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}")
    return text


def measured(options, out: str, script: str, *arguments, python=sys.executable) -> dict:
    """What `script ARGUMENTS OUT` found, OUT in the work folder."""
    command = [python, HERE / script, *arguments, options.work / out]
    measure.run([command], options.work, options.work / "log", options.cores)
    found = files.read_json(options.work / f"{out}.json")
    say(f"{' '.join(map(str, arguments))}: {found['seconds']:.2f} s, {found['peak_bytes'] / 1e9:.2f} GB")
    return found


def has_bf16() -> bool:
    """Whether the processor multiplies bf16 numbers itself."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(Path("/proc/cpuinfo").read_text().split())


def model_directory(options, name: str) -> Path:
    """A model of config/models/ with fresh weights."""
    import torch
    from rnalm.models import directory, registry

    settings, where = config.read(ROOT / f"config/models/{name}.yaml"), options.work / name
    torch.manual_seed(SEED)
    encoder = registry.build(settings | ({"layers": options.layers} if options.layers else {}))
    directory.save(where, encoder, f"# {name}, fresh weights")
    return where


# RNAret


def retention(part: str, options, earlier: dict | None) -> Iterator[dict]:
    """All that was measured; RuntimeError if the two forms differ."""
    forms = []
    for length in options.lengths:
        if length**2 * PER_PAIR > available_memory():
            say(f"{length} nt: the parallel form would need {length**2 * PER_PAIR / 1e9:.0f} GB")
            forms.append(measured(options, "chunkwise", "retention_forms.py", "chunkwise", length))
            continue
        forms += [measured(options, form, "retention_forms.py", form, length) for form in ("parallel", "chunkwise")]
        reference, found = (np.load(options.work / f"{form}.npy") for form in ("parallel", "chunkwise"))
        forms[-1]["difference"] = float(np.linalg.norm(found - reference) / np.linalg.norm(reference))
        if not forms[-1]["difference"] < EQUAL_FORMS:
            raise RuntimeError(f"{length} nt: the forms differ by {forms[-1]['difference']:.1e} of the norm")
    where, rnas = model_directory(options, "rnaret_1mer"), options.work / "rnas.json"
    runs = [("packed", length) for length in options.streamed]
    if has_bf16():
        runs.append(("packed_bf16", options.streamed[-2:][0]))
    streams = []
    for way, length in runs:
        rnas.write_text(json.dumps(["".join(np.random.default_rng(SEED).choice(list("ACGU"), length))]))
        streams.append({"way": way, "length": length, **measured(options, "stream", "embedders.py", way, where, rnas)})
    yield made_on(options) | {"forms": forms, "streams": streams}


def available_memory() -> int:
    """Bytes."""
    words = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(words["MemAvailable"].split()[0]) * 1024


# RiNALMo and ERNIE-RNA


def embedding(family: str, options, earlier: dict | None) -> Iterator[dict]:
    """What was measured after every block; RuntimeError if a padded batch gives other numbers than the library.

    earlier: what an earlier run found: it goes on there, if it asked for the same on such a machine
    """
    where, rnas = model_directory(options, MODELS[family]), options.work / "rnas.json"
    own = {"packed", "padded"} | ({"packed_bf16"} if has_bf16() else set())
    wanted = [way for way in WAYS if way in {"packed", *options.ways}]
    commands = {way: ("embedders.py", way, where, rnas) for way in wanted if way in own}
    pythons = {}
    if options.multimolecule and "multimolecule" in wanted:
        from rnalm.models.directory import load
        from rnalm.models.exchange.transfer import export_weights

        theirs = options.work / "multimolecule"
        export_weights(load(where), "multimolecule", theirs)
        commands["multimolecule"] = ("multimolecule_embedder.py", theirs, rnas)
        pythons["multimolecule"] = options.multimolecule
    sequences = made_rnas(options)
    made = {"rnas": len(sequences), "nucleotides": sum(map(len, sequences)), "crop": CROP, "layers": options.layers}
    made |= {"model": MODELS[family], "bf16": has_bf16(), "blocks": options.repetitions, "ways": list(commands)}
    part = made_on(options) | made | {"runs": []}
    if earlier and all(earlier.get(key) == part[key] for key in ("machine", "versions", *made)):
        part["runs"] = earlier["runs"]
    done = len({run["block"] for run in part["runs"]})
    # One that was complete is measured anew.
    for block in range(done % options.repetitions, options.repetitions):
        chosen = sequences[block :: options.repetitions]
        rnas.write_text(json.dumps(chosen))
        runs = []
        for way in sorted(commands, key=list(commands).index, reverse=block % 2 == 1):
            cost = measured(options, way, *commands[way], python=pythons.get(way, sys.executable))
            runs.append({"way": way, "block": block, "nucleotides": sum(map(len, chosen)), **cost})
        for run in runs:
            run["difference"] = difference(*(options.work / f"{way}.npy" for way in ("packed", run["way"])))
            if run["way"] in ("padded", "multimolecule") and not run["difference"] < EQUAL:
                raise RuntimeError(f"{run['way']}: the outputs differ by {run['difference']:.1e} of the largest")
        part["runs"] = [run for run in part["runs"] if run["block"] < block] + runs
        yield part


def made_rnas(options) -> list[str]:
    """Different RNAs of RNAcentral's lengths, in random order."""
    path = options.work / "made.fasta"
    made_records.write([path], RECORDS, dna=0.0)
    with open(path) as handle:
        cropped = dict.fromkeys(normalise(letters)[:CROP].replace("T", "U") for _, letters in SimpleFastaParser(handle))
    unique = list(cropped)
    if len(unique) < options.rnas:
        raise SystemExit(f"there are {len(unique)} RNAs: ask for fewer than {options.rnas}")
    return [unique[i] for i in np.random.default_rng(SEED).permutation(len(unique))[: options.rnas]]


def difference(ours: Path, theirs: Path) -> float:
    """Largest difference of two arrays of rows, as a share of the largest value."""
    a, b = (np.load(path, mmap_mode="r") for path in (ours, theirs))
    if a.shape != b.shape:
        raise RuntimeError(f"{theirs.stem}: {b.shape} numbers, not {a.shape}")
    parts = range(0, len(a), 1 << 16)
    largest = max(float(np.abs(a[at : at + (1 << 16)]).max()) for at in parts)
    return max(float(np.abs(a[at : at + (1 << 16)] - b[at : at + (1 << 16)]).max()) for at in parts) / largest


PARTS = {"retention": retention, "rinalmo": embedding, "ernie_rna": embedding}

if __name__ == "__main__":
    main()
