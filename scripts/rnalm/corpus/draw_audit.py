"""Audit of the draws as they lie on disk: what the model will read, checked row by row and compared with the corpus.

Checked, each a fault that stops the audit and names the file: every training cluster exactly once per epoch, so never
twice in a batch, which lies within one epoch; no cluster of the validation set; no excluded sequence; every row a
member of its cluster, in its place, cropped as its manifest says. Shown: how often members of clusters were drawn
against what is expected of a fair draw, and the composition of every epoch by RNA type and length.

Nothing here repeats the code that draws. Sequences are numbered by their place in the corpus, digests are held as 16
bytes, draws stream by shard by shard. Measured: 120 bytes of memory per sequence of the corpus, whatever the epochs.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from rnalm import provenance
from rnalm.errors import InputError
from rnalm.progress import Progress
from rnalm.sequences.headers import NO_TYPE

ROWS = 1_000_000  # of the table of clusters that are read at a time
# First lengths of the classes of length, nt.
LENGTHS = (1, 50, 100, 200, 400, 600, 1024, 2048, 4096)
LENGTH_NAMES = [*(f"{first}-{end - 1}" for first, end in pairwise(LENGTHS)), f"{LENGTHS[-1]}+"]
REDRAW = "delete its manifest and draw again"


@dataclass
class Corpus:
    """Sequences by their place in the corpus, clusters by their place in the table of clusters.

    digests: (sequences,) S16, rising. lengths: nt. classes: {"rna_type", "length": (number of each sequence's class,
    names of the classes)}. home: number of each sequence's cluster. clusters: (clusters,) S16, rising.
    sizes: members of each cluster that may be drawn. excluded: (sequences,) bool.
    """

    digests: np.ndarray
    lengths: np.ndarray
    classes: dict[str, tuple[np.ndarray, list[str]]]
    home: np.ndarray
    clusters: np.ndarray
    sizes: np.ndarray
    excluded: np.ndarray

    def places(self, digests: pl.Series) -> np.ndarray:
        """Where digests are in the corpus, -1 for those that are not."""
        return places(self.digests, keys(digests))


@dataclass
class Draw:
    """What the files of one draw hold; drawn: (clusters,) bool. composition: {of: sequences by class}."""

    name: str
    drawn: np.ndarray
    counts: dict[str, int]
    composition: dict[str, np.ndarray] = field(default_factory=dict)


def keys(digests: pl.Series) -> np.ndarray:
    """Hexadecimal digests -> S16, which sort alike."""
    return np.frombuffer(bytes.fromhex(digests.str.join("").item()), "S16")


def places(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where `wanted` are in `known` (S16, rising), -1 for those that are not."""
    found = np.searchsorted(known, wanted)
    found[found == len(known)] = 0
    return np.where(known[found] == wanted, found, -1)


def load(sequences, clusters, excluded=None) -> Corpus:
    """The corpus behind the manifests of deduplicate, cluster and exclude; InputError if they do not fit together."""
    parts = provenance.outputs(sequences, ".parquet")
    digests = np.concatenate([keys(pl.read_parquet(part, columns=["digest"])["digest"]) for part in parts])
    described = pl.scan_parquet(parts).select("length", pl.col("rna_type").fill_null(NO_TYPE))
    names = described.select(pl.col("rna_type").unique().sort()).collect()["rna_type"].to_list()
    columns = described.cast({"rna_type": pl.Enum(names)}).collect()
    lengths = columns["length"].to_numpy()
    classes = {
        "rna_type": (columns["rna_type"].to_physical().to_numpy(), names),
        "length": ((np.searchsorted(LENGTHS, lengths, side="right") - 1).astype(np.uint8), LENGTH_NAMES),
    }
    home, cluster_names = read_clusters(clusters, digests)
    out = np.zeros(len(digests), bool)
    if excluded is not None:
        gone = pl.read_parquet(provenance.outputs(excluded, "excluded.parquet"), columns=["digest"])["digest"]
        where = places(digests, keys(gone))
        if (where < 0).any():
            raise InputError(excluded, "excludes a sequence that is not in the corpus", "run the exclude stage again")
        out[where] = True
    sizes = np.bincount(home[~out], minlength=len(cluster_names))
    return Corpus(digests, lengths, classes, home, cluster_names, sizes, out)


def read_clusters(manifest, digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(number of every sequence's cluster, names of the clusters); InputError unless each sequence is in one."""
    remedy = "run the cluster stage again"
    table = pl.scan_parquet(provenance.outputs(manifest, ".parquet")).select("digest", "cluster")
    total = table.select(pl.len()).collect().item()
    home, names, clusters = np.full(len(digests), -1, np.int32), [], 0
    last = np.zeros(1, "S16")
    for start in range(0, total, ROWS):
        rows = table.slice(start, ROWS).collect()
        of, where = keys(rows["cluster"]), places(digests, keys(rows["digest"]))
        before = np.append(last, of[:-1])
        if (of < before).any():
            raise InputError(manifest, "is not sorted by cluster", remedy)
        if (where < 0).any():
            raise InputError(manifest, "names a sequence that is not in the corpus", remedy)
        first = of != before
        first[0] |= start == 0
        home[where] = clusters - 1 + np.cumsum(first)
        names.append(of[first])
        clusters, last = clusters + len(names[-1]), of[-1:]
    if total != len(digests) or (home < 0).any():
        raise InputError(manifest, f"holds {total} members for {len(digests)} sequences", remedy)
    return home, np.concatenate(names)


def read_draw(manifest, corpus: Corpus, times_drawn: np.ndarray) -> Draw:
    """Check the files of a draw against the corpus; InputError names the file and row of the first fault.

    times_drawn: (sequences,), one is added for every row.
    """
    crop, progress = provenance.load(manifest)["parameters"]["crop"], Progress()
    shards = provenance.outputs(manifest, ".parquet")
    drawn, rows_read, cut = np.zeros(len(corpus.clusters), bool), 0, 0
    counts = {"shards": len(shards), "rows": 0, "nucleotides": 0, "fragments": 0}
    composition = {of: np.zeros(len(names), np.int64) for of, (_, names) in corpus.classes.items()}
    for shard in shards:
        length = pl.col("sequence").str.len_bytes().cast(pl.Int64).alias("length")
        rows = pl.scan_parquet(shard).select("row", "digest", "cluster", "is_fragment", length).collect()
        if not np.array_equal(rows["row"], np.arange(rows_read, rows_read + rows.height)):
            raise InputError(shard, f"does not hold rows {rows_read} to {rows_read + rows.height - 1}", REDRAW)
        rows = rows.sort("digest")
        where = corpus.places(rows["digest"])
        home, whole = corpus.home[where], corpus.lengths[where]
        again = drawn[home]
        again[np.setdiff1d(np.arange(len(home)), np.unique(home, return_index=True)[1])] = True
        faults = {
            "is not in the corpus": where < 0,
            "is not in its cluster": corpus.clusters[home] != keys(rows["cluster"]),
            "is excluded": corpus.excluded[where],
            "comes from a cluster that was drawn before": again,
            "is not cropped as it should be": (rows["length"].to_numpy() != np.minimum(whole, crop))
            | (rows["is_fragment"].to_numpy() != (whole > crop)),
        }
        for problem, found in faults.items():
            if found.any():
                row = rows[int(np.argmax(found))].to_dicts()[0]
                raise InputError(shard, f"row {row['row']} ({row['digest']}) {problem}", REDRAW)
        drawn[home] = True
        times_drawn[where] += 1
        for of, (numbers, names) in corpus.classes.items():
            composition[of] += np.bincount(numbers[where], minlength=len(names))
        rows_read += rows.height
        counts["nucleotides"] += rows["length"].sum()
        cut += rows["is_fragment"].sum()
        progress(f"{shard}: {rows_read:,} rows checked")
    counts |= {"rows": rows_read, "fragments": cut}
    return Draw(Path(manifest).parent.name, drawn, counts, composition)


def audit(corpus: Corpus, validation, epochs: list) -> tuple[dict[str, pl.DataFrame], dict]:
    """Check all draws; returns the tables {coverage, composition, members} and counts.

    validation, epochs: manifests of hold_out and draw. Raises InputError for a cluster that is not where it should be.
    """
    held_out = read_draw(validation, corpus, np.zeros(len(corpus.digests), np.uint16))
    training = (corpus.sizes > 0) & ~held_out.drawn
    times_drawn = np.zeros(len(corpus.digests), np.uint16)
    draws = []
    for manifest in epochs:
        draw = read_draw(manifest, corpus, times_drawn)
        for problem, found in {
            "draws validation": held_out.drawn & draw.drawn,
            "lacks": training & ~draw.drawn,
        }.items():
            if found.any():
                cluster = bytes(corpus.clusters[np.argmax(found)]).ljust(16, b"\0").hex()
                raise InputError(manifest, f"{problem} cluster {cluster} and {found.sum() - 1} others", REDRAW)
        draws.append(draw)
        print(f"{draw.name}: {draw.counts['rows']:,} rows, every training cluster once", flush=True)
    in_training = training[corpus.home] & ~corpus.excluded
    several = in_training & (corpus.sizes[corpus.home] > 1)
    tables = {
        "coverage": coverage(held_out, draws, training),
        "composition": composition(corpus, in_training, [held_out, *draws]),
        "members": members(corpus.sizes[corpus.home][several], times_drawn[several], len(epochs)),
    }
    counts = {
        "epochs": len(epochs),
        "training_clusters": int(training.sum()),
        "validation_clusters": int(held_out.drawn.sum()),
        "training_sequences": int(in_training.sum()),
        "drawn_sequences": int((times_drawn > 0).sum()),
        "excluded_sequences": int(corpus.excluded.sum()),
        "dispersion": dispersion(corpus.sizes[corpus.home][several], times_drawn[several], len(epochs)),
    }
    return tables, counts


def coverage(held_out: Draw, draws: list[Draw], training: np.ndarray) -> pl.DataFrame:
    """draw, clusters (that it is to draw from), drawn_once, drawn_repeatedly, not_drawn, shards, rows, nt, fragments.

    From the bits and rows that were read, after all checks.
    """
    rows = []
    for draw, clusters in [(held_out, held_out.drawn), *((draw, training) for draw in draws)]:
        once = int((draw.drawn & clusters).sum())
        shown = {"drawn_once": once, "drawn_repeatedly": draw.counts["rows"] - once}
        shown |= {"not_drawn": int(clusters.sum()) - once}
        rows.append({"draw": draw.name, "clusters": int(clusters.sum()), **shown, **draw.counts})
    return pl.DataFrame(rows)


def composition(corpus: Corpus, in_training: np.ndarray, draws: list[Draw]) -> pl.DataFrame:
    """by (rna_type, length in nt), class, set, sequences, fraction.

    set: corpus (all sequences), clusters (what an epoch draws on average: each training cluster once, its members
    alike), validation, epoch-000, ...
    """
    weights = in_training / np.maximum(corpus.sizes[corpus.home], 1)
    found = []
    for of, (numbers, names) in corpus.classes.items():
        sets = {
            "corpus": np.bincount(numbers, minlength=len(names)),
            "clusters": np.bincount(numbers, weights, minlength=len(names)),
            **{draw.name: draw.composition[of] for draw in draws},
        }
        for name, sequences in sets.items():
            rows = pl.DataFrame({"class": names, "sequences": sequences.astype(np.float64)})
            rows = rows.select(pl.lit(of).alias("by"), "class", pl.lit(name).alias("set"), "sequences")
            found.append(rows if of == "length" else rows.sort("class"))
    table = pl.concat(found)
    fraction = pl.col("sequences") / pl.col("sequences").sum().over("by", "set")
    return table.with_columns(pl.col("sequences").round(2), fraction.round(6).alias("fraction"))


def members(sizes: np.ndarray, times_drawn: np.ndarray, epochs: int) -> pl.DataFrame:
    """size_from, size_to (members of the cluster), draws, members, expected: members that were drawn so often.

    sizes, times_drawn: of every member of the training clusters with several. expected: of a fair draw in each epoch,
    where the draws of a member of a cluster of s are binomial, epochs trials at 1/s.
    """
    found = pl.DataFrame({"size": sizes, "draws": times_drawn}).group_by("size", "draws").agg(members=pl.len())
    drawn = np.arange(epochs + 1)
    unique, number = np.unique(sizes, return_counts=True)
    choices = np.array([math.lgamma(epochs + 1) - math.lgamma(k + 1) - math.lgamma(epochs - k + 1) for k in drawn])
    share = 1 / unique[:, None]
    chance = np.exp(choices + drawn * np.log(share) + (epochs - drawn) * np.log1p(-share))
    schema = {"size": found.schema["size"], "draws": found.schema["draws"], "expected": pl.Float64}
    columns = [np.repeat(unique, epochs + 1), np.tile(drawn, len(unique)), (number[:, None] * chance).ravel()]
    expected = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)
    table = expected.join(found, on=["size", "draws"], how="left")
    first = 2 ** pl.col("size").log(2).floor().cast(pl.Int64)
    table = table.group_by(size_from=first, draws="draws").agg(pl.col("members").sum(), pl.col("expected").sum())
    table = table.select("size_from", (2 * pl.col("size_from") - 1).alias("size_to"), "draws", "members", "expected")
    return table.with_columns(pl.col("expected").round(2)).sort("size_from", "draws")


def dispersion(sizes: np.ndarray, times_drawn: np.ndarray, epochs: int) -> float | None:
    """Variance of the members' draws over that of fair draws: about 1; None where no cluster has several members."""
    if not len(sizes):
        return None
    expected = epochs / sizes
    return round(float(np.mean((times_drawn - expected) ** 2 / (expected * (1 - 1 / sizes)))), 4)
