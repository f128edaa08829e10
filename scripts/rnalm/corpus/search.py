"""The relatives of a few sequences (queries) among very many (hits), on either strand.

identity          equal letters / columns of the alignment, gaps included; MMseqs2 cuts it to three decimals, so that
                  1.0 means equal, but for ambiguity codes: MMseqs2 reads each as one base (R, K, S, B, D, V as G;
                  Y, M, H as C; W as T; N and I as none), where the relations that mean equal read letters
coverage          aligned letters of the query / its length
hit_coverage      aligned letters of the hit / its length
relation          `similar`, or what is equal: `identical`, `contains` (the hit holds the query whole), `within` (the
                  query holds the hit)

Two layers. `rnalm.corpus.containment` finds all that is equal, whatever its length. `mmseqs search` finds what is
alike, with the roles exchanged: the many come in parts to a small index of the few. So memory does not grow with the
corpus, a killed run goes on from the last finished part, and nothing is lost to a limit of hits per query, which a
large family of the corpus would exceed.

FLAGS are chosen by measurement. Of the 2,294 RNAs of bpRNA's VL0 and TS0 that occur verbatim among the Rfam 14.2
seeds, MMseqs2's defaults (k 15, low complexity masked) find 2,292, these all; relatives of 80 % identity over 80 % they
find of 2,464 RNAs, the defaults of 2,433. Planted relatives that are found, in per cent, by their identity:

    nt     100 %   95 %   90 %   80 %   70 %   60 %
    20       100      0      0      0      0      0
    25       100    100     68      0      0      0
    30       100     92     78      0      0      0
    50       100    100    100     48      0      0
    100      100    100    100     94     34      0
    200      100    100    100    100     66      0
    400      100    100    100    100     94      0

So below 70 % a search of nucleotides sees little: no hit is no proof of being unrelated. What is alike was the same in
all but one of eight runs with one and two threads, and there one alignment of 58,000 was missing. Cost with the 2,605
items of VL0 and TS0: 0.4 core-seconds per Mnt of made-up RNA, 0.8 of Rfam seeds; 750 MB for a part of 172,000 RNAs.
"""

import shutil
from pathlib import Path

import polars as pl

from rnalm import files
from rnalm.corpus import containment, mmseqs, partitions

# Alignments that cover less of both are dropped: a part in common, as of repeats and vectors.
LEAST_COVERAGE = 0.5
# The default spaced seeds find more than consecutive ones. One strand, as the index holds both.
FLAGS = ("--search-type", 3, "--strand", 1, "-k", 11, "--mask", 0, "--alignment-mode", 3, "-e", 0.001)
QUIET = ("-v", 2)
ALIGNMENT = {
    "query": pl.String,
    "target": pl.String,
    "fident": pl.Float64,
    "qstart": pl.Int32,
    "qend": pl.Int32,
    "qlen": pl.Int32,
    "tstart": pl.Int32,
    "tend": pl.Int32,
    "tlen": pl.Int32,
    "alnlen": pl.Int32,
}
COLUMNS = containment.COLUMNS | {"identity": pl.Float64}


def description() -> dict:
    """What a search depends on, for manifests."""
    return {"flags": " ".join(map(str, FLAGS)), "least_coverage": LEAST_COVERAGE, "seed": containment.SEED}


class Search:
    """Queries (digest, sequence; both distinct), indexed in a folder that belongs to them and that the caller locks."""

    def __init__(self, queries: pl.DataFrame, folder: Path, threads: int, lock):
        self.folder, self.threads, self.lock = folder, threads, lock
        self.equal = containment.index(queries)
        strands = queries.select(pl.concat_list(pl.col("digest") + "+", pl.col("digest") + "-").explode())
        rows = strands.with_columns(sequence=containment.both_strands(queries["sequence"]))
        partitions.write(rows, folder / "queries.parquet")
        self.similar = self.database(folder / "queries.parquet", folder / "queries")
        self.most = rows.height

    def run(self, path: Path, name: str) -> Path:
        """The relatives among the sequences of a parquet file (digest, sequence), as `folder`/{name}.parquet.

        Columns COLUMNS, one row per hit, query and strand, in that order. Where the file is there, it stays.
        """
        found = self.folder / f"{name}.parquet"
        if not found.is_file():
            sequences = pl.read_parquet(path, columns=["digest", "sequence"])
            equal = containment.find(self.equal, sequences).with_columns(identity=pl.lit(1.0))
            # What is equal first: the alignment of the same two says no more.
            both = pl.concat([equal, self.align(path)])
            hits = both.unique(["hit", "query", "strand"], keep="first", maintain_order=True)
            with files.atomic(found) as temporary:
                partitions.write(hits.sort("hit", "query", "strand"), temporary)
            print(f"{name}: {hits.height:,} relatives among {sequences.height:,} sequences", flush=True)
        return found

    def align(self, path: Path) -> pl.DataFrame:
        """What `mmseqs search` finds."""
        work = self.folder / "part"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        many, result, table = self.database(path, work / "sequences"), work / "result", work / "result.tsv"
        self.mmseqs("search", many, self.similar, result, work / "tmp", *FLAGS, "--max-seqs", self.most)
        columns = ["--search-type", 3, "--format-output", ",".join(ALIGNMENT)]
        self.mmseqs("convertalis", many, self.similar, result, table, *columns)
        found = read(table)
        shutil.rmtree(work)
        return found

    def database(self, path: Path, name: Path) -> Path:
        fasta = name.with_suffix(".fasta")
        mmseqs.write_fasta(pl.scan_parquet(path).rename({"digest": "name"}), fasta)
        mmseqs.run(["createdb", fasta, name, "--dbtype", 2, *QUIET], self.lock)
        fasta.unlink()
        return name

    def mmseqs(self, *arguments) -> None:
        mmseqs.run([*arguments, "--threads", self.threads, *QUIET], self.lock)


def read(table: Path) -> pl.DataFrame:
    """Alignments of `mmseqs convertalis` as COLUMNS; its queries are the hits, its targets the queries and strands."""
    rows = pl.read_csv(table, separator="\t", has_header=False, schema=ALIGNMENT, raise_if_empty=False)
    rows = rows.select(
        strand=pl.when(pl.col("target").str.ends_with("+")).then(pl.lit("forward")).otherwise(pl.lit("reverse")),
        query=pl.col("target").str.head(-1),
        hit="query",
        relation=pl.lit("similar"),
        coverage=(pl.col("tend") - pl.col("tstart") + 1) / pl.col("tlen"),
        hit_coverage=(pl.col("qend") - pl.col("qstart") + 1) / pl.col("qlen"),
        alignment_length="alnlen",
        identity="fident",
    )
    return rows.filter(pl.max_horizontal("coverage", "hit_coverage") >= LEAST_COVERAGE).cast(COLUMNS)
