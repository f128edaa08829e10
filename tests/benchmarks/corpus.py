"""Benchmark of the corpus, `make bench-corpus`: tables in docs/benchmarks.md, numbers in docs/benchmarks.json.

Two parts, on made records (made_records.py):
  seqkit     `rnalm corpus` beside `seqkit seq --rna2dna -u | seqkit rmdup -s` on the same file, plain and gzip: in
             turn, several times, medians; both must keep the same number of records. seqkit decides by a file's first
             record whether it is RNA, so these records are all written with U. `rmdup -s` also merges reverse
             complements, of which the records hold none; `-P`, which does not look for them, is measured, too.
  left_half  `rnalm corpus`, `rnalm cluster`, `rnalm draw --epochs 1`, for each number of records, once.
             `--cluster-up-to` leaves the last two out of larger ones.
Inputs have just been written, so they are read from the page cache where memory is large enough. The parts can be
run one at a time: each replaces its own numbers in the JSON file, and the tables are written from all of them.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import made_records
import measure
import polars as pl
import tables
from rnalm import files, provenance

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RNALM = Path(sys.executable).with_name("rnalm")
MARKS = "<!-- tables: begin -->", "<!-- tables: end -->"
DNA = 0.5  # share of the left half's records that is written with T
SEED = 42
STAGES = ["corpus", "cluster", "draw"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("all", "seqkit", "left_half", "tables"), default="all")
    parser.add_argument("--records", type=int, nargs="+", default=[1_000_000, 10_000_000], help="of the left half")
    parser.add_argument(
        "--cluster-up-to", type=int, default=0, help="records; larger runs end with `rnalm corpus` (0: none)"
    )
    parser.add_argument("--split-memory-limit", default="0", help="of `rnalm cluster`; MMseqs2 takes about double")
    parser.add_argument("--seqkit-records", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=5, help="of the comparison with seqkit")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument(
        "--work", type=Path, default=ROOT / "results/.state/bench_corpus", help="emptied before and after"
    )
    parser.add_argument("--numbers", type=Path, default=DOCS / "benchmarks.json")
    parser.add_argument(
        "--page", type=Path, default=DOCS / "benchmarks.md", help="its part between the marks is replaced"
    )
    options = parser.parse_args()

    before, _, rest = options.page.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    numbers = files.read_json(options.numbers) if options.numbers.is_file() else {}
    if options.part in ("all", "seqkit"):
        numbers["seqkit"] = made_on(options) | seqkit(options)
        files.write_json(options.numbers, numbers)
    if options.part in ("all", "left_half"):
        numbers["left_half"] = made_on(options) | {"split_memory_limit": options.split_memory_limit, "runs": []}
        for records in options.records:
            numbers["left_half"]["runs"].append(left_half(options, records))
            files.write_json(options.numbers, numbers)
    shutil.rmtree(options.work, ignore_errors=True)
    text = tables.markdown(numbers)
    files.write_text(options.page, f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}")
    print(text)


def made_on(options) -> dict:
    """Date, code and machine of a measurement."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": provenance.commit(),
        "machine": measure.machine(options.cores),
        "versions": provenance.versions(),
    }


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# Side by side with seqkit


def seqkit(options) -> dict:
    """Medians of every tool on the plain and the compressed file; RuntimeError if they keep different records."""
    work = emptied(options.work)
    inputs = [work / "made.fasta", work / "made.fasta.gz"]
    say(f"making {options.seqkit_records:,} records")
    made_records.write(inputs, options.seqkit_records, dna=0.0)
    rows = []
    for source in inputs:
        runs = {tool: [] for tool in TOOLS}
        for repetition in range(options.repetitions):
            # In turn forwards and backwards: what slows the machine down slows all of them.
            for tool in sorted(TOOLS, reverse=repetition % 2 == 1):
                output = emptied(work / "output")
                cost = measure.run(TOOLS[tool](source, output, options.cores), output, work / "log", options.cores)
                runs[tool].append(cost)
                kept = KEPT[tool](output)
                say(f"{source.name} {tool}: {cost.wall_seconds:.2f} s, {kept:,} of {options.seqkit_records:,} kept")
                rows.append({"input": source.suffix, "tool": tool, "kept": kept, **vars(cost)})
    if len({row["kept"] for row in rows}) > 1:
        raise RuntimeError(f"the tools do not keep the same records: { {row['tool']: row['kept'] for row in rows} }")
    version = subprocess.run(["seqkit", "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {"records": options.seqkit_records, "seqkit": version, "runs": rows}


def rnalm_pipeline(source: Path, output: Path, cores: int) -> list[list]:
    return [[RNALM, "corpus", source, "--out", output / "corpus"]]


def seqkit_pipeline(*flags: str):
    """The commands of seqkit with some more flags of `rmdup`."""

    def pipeline(source: Path, output: Path, cores: int) -> list[list]:
        threads = ["-j", cores]
        unique = ["seqkit", "rmdup", "-s", *flags, *threads, "-o", output / "unique.fasta"]
        return [["seqkit", "seq", "--rna2dna", "-u", *threads, source], unique]

    return pipeline


def kept_by_rnalm(output: Path) -> int:
    return pl.scan_parquet(output / "corpus/sequences/*.parquet").select(pl.len()).collect().item()


def kept_by_seqkit(output: Path) -> int:
    with open(output / "unique.fasta", "rb") as handle:
        return sum(line.startswith(b">") for line in handle)


TOOLS = {"rnalm": rnalm_pipeline, "seqkit": seqkit_pipeline(), "seqkit -P": seqkit_pipeline("-P")}
KEPT = {"rnalm": kept_by_rnalm, "seqkit": kept_by_seqkit, "seqkit -P": kept_by_seqkit}


# The left half


def left_half(options, records: int) -> dict:
    """Costs of each stage on so many records, and what the corpus is like; RuntimeError if a record is lost."""
    work = emptied(options.work)
    source, out = work / "made.fasta.gz", work / "corpus"
    say(f"making {records:,} records")
    made_records.write([source], records, dna=DNA)
    commands = {
        "corpus": [RNALM, "corpus", source, "--out", out],
        "cluster": [RNALM, "cluster", out, "--split-memory-limit", options.split_memory_limit],
        "draw": [RNALM, "draw", out, "--epochs", 1, "--seed", SEED],
    }
    out.mkdir()
    if options.cluster_up_to and records > options.cluster_up_to:
        commands = {"corpus": commands["corpus"]}
    stages, before = {}, 0
    for stage, command in commands.items():
        cost = measure.run([command], out, work / "log", options.cores)
        left = measure.blocks(out)
        stages[stage] = {**vars(cost), "disk_bytes": left - before}
        before = left
        say(f"{records:,} records, {stage}: {cost.wall_seconds:.1f} s, {cost.peak_memory_bytes / 1e9:.2f} GB")
    return {"records": records, "input_bytes": source.stat().st_size, **described(out, records), "stages": stages}


def described(out: Path, records: int) -> dict:
    """How many sequences and clusters there are, and what decides the memory of linclust."""
    parts = pl.scan_parquet(out / "sequences/*.parquet")
    kmers = pl.min_horizontal(pl.col("length") - 15, 21 + 0.2 * pl.col("length")).sum()
    nucleotides = pl.col("length").cast(pl.Int64).sum()  # more than 32 bits hold
    sums = parts.select(pl.len().alias("unique"), nucleotides.alias("nucleotides"), kmers.alias("kmers"))
    named = parts.select(pl.col("sources").list.len().sum()).collect().item()
    ledger = pl.read_csv(out / "ledger.csv")
    read = ledger.filter(pl.col("rule") == "in")["records"].sum()
    if not read == records == named + ledger.filter(~pl.col("rule").is_in(["in", "kept", "merged"]))["records"].sum():
        raise RuntimeError(f"{records} records were made, {read} read, {named} named in the corpus: {ledger}")
    found = sums.collect().row(0, named=True)
    if (out / "clusters.parquet").is_file():
        found["clusters"] = (
            pl.scan_parquet(out / "clusters.parquet").select(pl.col("cluster").n_unique()).collect().item()
        )
    return found


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    main()
