"""Small corpora on disk for the tests of deduplicate, cluster and draw, from the real RNAs of the demo."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from rnalm import provenance
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.readers import read_fasta

ROOT = Path(__file__).parents[2]
COLUMNS = {
    "digest": pl.String,
    "sequence": pl.String,
    "length": pl.Int32,
    "rna_type": pl.String,
    "source": pl.String,
    "accession": pl.String,
}


@functools.cache
def real_records() -> list[tuple[str, str]]:
    """(accession, sequence as written) of every record of the demo's FASTA files; some sequences occur repeatedly."""
    paths = sorted((ROOT / "resources/demo/rfam/fasta_files").glob("*.fa.gz"))
    return [(record.accession, record.sequence) for path in paths for record in read_fasta(path)]


@functools.cache
def real_sequences() -> list[str]:
    """The distinct normalised sequences of the demo."""
    return sorted({normalise(sequence) for _, sequence in real_records()})


def shard(source: str, records) -> pl.DataFrame:
    """Normalised rows of (accession, sequence as written, rna_type)."""
    rows = []
    for accession, raw, rna_type in records:
        sequence = normalise(raw)
        rows.append((digest(sequence), sequence, len(sequence), rna_type, source, accession))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def write_normalised(folder: Path, source: str, frame: pl.DataFrame, records: int | None = None, **dropped) -> Path:
    """What `normalise` leaves behind: one shard and its manifest, whose path is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "part-00000.parquet")
    counts = {"records": frame.height + sum(dropped.values()) if records is None else records, "kept": frame.height}
    counts |= {f"dropped.{rule}": number for rule, number in dropped.items()}
    return write_manifest("normalise", folder, {"source": source}, counts)


def write_sequences(folder: Path, sequences: dict[str, str]) -> Path:
    """What `deduplicate` leaves behind for {digest: sequence}; names that are no digests serve for clustering."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame({"digest": list(sequences), "sequence": list(sequences.values())}).sort("digest")
    frame = frame.with_columns(length=pl.col("sequence").str.len_bytes().cast(pl.Int32))
    frame = frame.with_columns(rna_type=pl.when(pl.col("length") > 120).then(pl.lit("rRNA")))
    frame.write_parquet(folder / "part-00000.parquet")
    return write_manifest("deduplicate", folder, {}, {})


def write_clusters(folder: Path, clusters: pl.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    clusters.write_parquet(folder / "clusters.parquet")
    return write_manifest("cluster", folder, {}, {})


def write_manifest(stage: str, folder: Path, parameters: dict, counts: dict) -> Path:
    manifest = folder / "manifest.json"
    with provenance.stage(stage, manifest, [], parameters) as record:
        record.outputs, record.counts = sorted(folder.glob("*.parquet")), counts
    return manifest


def run(stage: str, **flags) -> subprocess.CompletedProcess:
    """Run scripts/<stage>.py; a list gives one flag several values. MMSEQS2_PATH is taken from the environment."""
    command = [sys.executable, ROOT / "scripts" / f"{stage}.py"]
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        command += [f"--{name.replace('_', '-')}", *values]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ)


def succeed(stage: str, **flags) -> dict:
    """Run a stage that must work; returns its manifest."""
    result = run(stage, **flags)
    assert result.returncode == 0, result.stderr
    return provenance.load(flags["manifest"])


def one_line_error(result: subprocess.CompletedProcess) -> str:
    """The error of a stage that must end with exit code 2, one line and no traceback."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]
