"""Sequence files -> a corpus: each distinct sequence once, every record accounted for.

Leaves OUT/sequences/*.parquet, ledger.csv (source, rule, records), dropped.tsv (source, accession, rule) and
manifest.json, from where `rnalm cluster` and `rnalm draw` continue. FASTA, plain or compressed; Stockholm, GenBank and
BLAST databases by their names' endings. Sources take precedence in their order, files without a name first.
"""

import contextlib
import os
import shutil
import sys
import threading
from collections import Counter
from pathlib import Path

from rnalm import files
from rnalm.commands import folders
from rnalm.errors import InputError
from rnalm.sequences import blastdb
from rnalm.sequences.names import stem, uncompressed

HELD_BYTES = 600 << 20  # of records that are not written before they are merged; all then takes 1.4 GB at most
# By the ending of a file's name; any other is FASTA.
FORMATS = {
    **dict.fromkeys((".sto", ".stk", ".stockholm", ".seed"), "stockholm"),
    **dict.fromkeys((".gb", ".gbk", ".gbff", ".genbank"), "genbank"),
}
# As FASTA they would be sequences that end in N.
STRUCTURES = (".dbn", ".db", ".dot", ".ct", ".bpseq")


def add(command) -> None:
    command.add_argument("inputs", nargs="*", metavar="IN", help="sequence files, or BLAST databases")
    command.add_argument("--out", type=Path, required=True, help="folder; an earlier corpus in it is replaced")
    command.add_argument("--source", action="append", default=[], metavar="NAME=PATH", help="a file of source NAME")
    command.add_argument("--min-length", type=int, default=16, help="nt (default: 16)")
    command.add_argument("--max-length", type=int, default=8192, help="nt (default: 8192)")
    command.add_argument("--max-n-fraction", type=float, default=0.1, help="largest share of N (default: 0.1)")


def run(arguments) -> None:
    named = [(stem(path), Path(path)) for path in arguments.inputs] + list(map(split, arguments.source))
    check(named, len(arguments.inputs))
    folders.check_path(arguments.out)
    folders.check_sequences(arguments.out / "sequences")

    # Before numpy is imported: the threads of its linear algebra have nothing to do here, and spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    inputs = [file for _, path in named for file in parts(path) if file.is_file()]
    # The manifest names the hashes; they are there when it is written. After an error nothing waits for them.
    hashing = threading.Thread(target=hash_all, args=[inputs], daemon=True)
    hashing.start()
    make(arguments, named, inputs, hashing)


def check(named: list[tuple[str, Path]], stems: int) -> None:
    """InputError for inputs that are not there or not named well; the first `stems` have their names from files."""
    if not named:
        raise InputError("rnalm corpus", "has no input", "name sequence files")
    times = Counter(name for name, _ in named[:stems])
    for name, path in named:
        folders.check_name(name)
        folders.check_name(str(path))
        if not (path.exists() or blastdb.named(path)):
            raise InputError(path, "does not exist", "check the path")
        if times[name] > 1:
            problem = f"is not the only input named {name}"
            raise InputError(path, problem, f"name its source: --source NAME={path}; files of one NAME are one source")


def parts(path: Path) -> list[Path]:
    """The files of an input: of a BLAST database several."""
    return blastdb.parts(path) if format_of(path) == "blastdb" else [path]


def hash_all(paths: list[Path]) -> None:
    with contextlib.suppress(OSError):  # who reads the records will say so
        for path in paths:
            files.sha256(path)


def make(arguments, named: list[tuple[str, Path]], inputs: list[Path], hashing: threading.Thread) -> None:
    import polars as pl

    from rnalm import provenance
    from rnalm.corpus import deduplication
    from rnalm.sequences import normalisation, runs

    load_compiled()
    limits = {name: getattr(arguments, name) for name in ("min_length", "max_length", "max_n_fraction")}
    rules, out, threads = normalisation.Rules(**limits), arguments.out, os.cpu_count()
    parameters = {"sources": [[name, str(path)] for name, path in named], **limits}
    with provenance.stage("deduplicate", out / "manifest.json", inputs, parameters) as record:
        with files.atomic_directory(out / "sequences") as temporary:
            sources, held = [], HELD_BYTES
            for number, name in enumerate(dict.fromkeys(name for name, _ in named)):
                folder = temporary / "runs" / str(number)
                folder.mkdir(parents=True)
                found = [normalisation.File(path, format_of(path)) for source, path in named if source == name]
                source = normalisation.Source(name, name, found)
                made = normalisation.normalise(source, rules, folder, threads, held, runs.PASSING)
                held -= sum(part.estimated_size() for part in made.runs if isinstance(part, pl.DataFrame))
                sources.append(deduplication.counted(name, folder, made.runs, made.counts))
            ledger = deduplication.deduplicate(sources, temporary, threads)
            dropped = pl.concat(
                pl.scan_parquet(source.where / "dropped.parquet").select(pl.lit(source.name).alias("source"), "*")
                for source in sources
            )
            with files.atomic(out / "dropped.tsv") as table:
                dropped.sink_csv(table, separator="\t", quote_style="never")
            shutil.rmtree(temporary / "runs")
        files.write_text(out / "ledger.csv", pl.DataFrame(ledger).write_csv())
        record.outputs = [*sorted((out / "sequences").glob("*.parquet")), out / "ledger.csv", out / "dropped.tsv"]
        hashing.join()
        record.counts, record.notes["ledger"] = deduplication.totals(ledger), ledger
    shown = ", ".join(f"{number:,} {what}" for what, number in record.counts.items())
    print(f"{out}: {shown}")


def load_compiled() -> None:
    """Have numba load a function first without SciPy's linear algebra, which it would import for nothing, in 0.15 s.

    numba does the same where SciPy is not installed.
    """
    import numpy as np

    from rnalm.sequences import fasta

    algebra = "scipy.linalg"
    if algebra in sys.modules:
        return
    sys.modules[algebra] = None  # as if it were not installed
    try:
        fasta.parse(np.empty(0, np.uint8))
    finally:
        del sys.modules[algebra]


def split(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if not (name and equals and path) or "/" in name:
        raise InputError(f"--source {argument}", "is not NAME=PATH", "write it as in rfam=Rfam.fa.gz")
    return name, Path(path)


def format_of(path: Path) -> str:
    if path.is_dir() or blastdb.named(path):
        return "blastdb"
    ending = Path(uncompressed(path)).suffix
    if ending.lower() in STRUCTURES:
        raise InputError(path, "is a file of structures", "give its sequences as FASTA")
    return FORMATS.get(ending.lower(), "fasta")
