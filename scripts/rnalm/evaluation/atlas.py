"""A map of RNAs: their mean-pooled embeddings, laid out in the plane, and how well their labels separate.

After RNAret's paper (doi 10.1038/s42003-026-09757-x), which gives neither perplexity nor seeds nor values; ours are
in the functions below and in the manifest. Notable:
- scores are taken on the plane and on the embedding itself, because those of a plane depend on its seed
- beside the trained encoder stand the same network with random weights and counts of 5-mers: how much of what
  separates is composition and length alone
- UMAP is drawn where umap-learn is installed (`pip install 'rnalm[umap]'`), t-SNE always
"""

import importlib.util

import numpy as np
import polars as pl
from sklearn.manifold import TSNE
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from rnalm.evaluation import rna_types
from rnalm.randomness import bits, digest_counters, key
from rnalm.tokens.kmer import SPECIAL, KmerTokeniser

SCORES = {
    "silhouette": silhouette_score,
    "calinski_harabasz": calinski_harabasz_score,
    "davies_bouldin": davies_bouldin_score,
}
COUNTED = KmerTokeniser(5)
PERPLEXITY = 30  # t-SNE
NEIGHBOURS, SPACING = 15, 0.1  # UMAP
UNTYPED = "unknown"


def choose(parts, seed: int, per_family: int, longest: int) -> pl.DataFrame:
    """Up to `per_family` sequences of every family that the corpus names, of at most `longest` nt.

    Where it names none, all are one, UNTYPED. Columns: digest, sequence, length, family (as the corpus names it), type
    (`rna_types`).
    """
    short = pl.scan_parquet(parts).filter(pl.col("length") <= longest)
    table = short.select("digest", "length", family="rna_type").drop_nulls("family").collect()
    if table.is_empty():
        table = short.select("digest", "length", family=pl.lit(UNTYPED)).collect()
    order = pl.Series("order", bits(key(seed, "atlas"), digest_counters(table["digest"])))
    chosen = table.with_columns(order).sort("order").group_by("family", maintain_order=True).head(per_family)
    sequences = pl.scan_parquet(parts).select("digest", "sequence")
    chosen = chosen.drop("order").lazy().join(sequences, on="digest").sort("family", "digest").collect()
    return chosen.with_columns(type=rna_types.types(pl.col("family")))


def embeddings(trained, untrained, sequences: list[str]) -> dict[str, np.ndarray]:
    """{encoder: (sequences, d)} of the sequences; trained, untrained: `inference.LanguageModel`."""
    models = {"pretrained": trained, "random": untrained}
    found = {
        name: mean_pool(model.hidden_states(sequences), model.encoder.tokeniser.nucleotides)
        for name, model in models.items()
    }
    return found | {"kmer": kmer_counts(sequences)}


def mean_pool(states: list[np.ndarray], nucleotides: slice) -> np.ndarray:
    """Hidden states of each sequence -> (sequences, d): mean over its nucleotides, special tokens left out."""
    return np.stack([state[nucleotides].mean(axis=0) for state in states])


def kmer_counts(sequences: list[str]) -> np.ndarray:
    """(sequences, 1024) counts of 5-mers, not divided by the length; those with a letter beyond A, C, G, T left out."""
    ids = (COUNTED.encode(sequence).astype(np.int64) for sequence in sequences)
    size = len(COUNTED.tokens)
    counts = [np.bincount(one, minlength=size)[len(SPECIAL) :] for one in ids]
    return np.stack(counts).astype(np.float32)


def tsne(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """(n, d) -> (n, 2) by t-SNE at perplexity 30, or what the number of points allows."""
    perplexity = min(PERPLEXITY, (len(embeddings) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(embeddings)


def umap(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """(n, d) -> (n, 2) by UMAP with 15 neighbours at a spacing of 0.1, on one thread, as else it would not repeat."""
    # Here: it is optional, and compiles for many seconds.
    from umap import UMAP

    neighbours = min(NEIGHBOURS, len(embeddings) - 1)
    mapper = UMAP(n_neighbors=neighbours, min_dist=SPACING, random_state=seed, n_jobs=1)
    return mapper.fit_transform(embeddings)


def planes() -> dict:
    """{name: function of (embeddings, seed)} of the planes that can be drawn here."""
    installed = importlib.util.find_spec("umap") is not None
    return {"t-SNE": tsne} | ({"UMAP": umap} if installed else {})


def scores(points: np.ndarray, families: list[str]) -> dict[str, float]:
    """How well labels separate: silhouette, Calinski-Harabasz (higher is better), Davies-Bouldin (lower).

    points: (n, d). Empty where there is one label alone, or one for every point.
    """
    if not 1 < len(set(families)) < len(families):
        return {}
    return {name: float(score(points, families)) for name, score in SCORES.items()}


def survey(rnas: pl.DataFrame, embeddings: dict[str, np.ndarray], labels, seed: int):
    """The maps of some RNAs and their scores, by every encoder.

    rnas: a row per RNA, with a column for each of `labels`; embeddings: {encoder: (RNAs, d)}.
    Returns (points: the columns of rnas, encoder, plane, x, y; scores: label, encoder, space, metric, value, n,
    classes), where a space is the embedding or a plane. Both are empty without encoders.
    """
    points, found = [pl.DataFrame(schema={**rnas.schema, **PLACE})], []
    for encoder, matrix in embeddings.items():
        spaces = {"embedding": matrix}
        for plane, project in planes().items():
            spaces[plane] = project(matrix, seed)
            x, y = (pl.Series(values, dtype=pl.Float32) for values in spaces[plane].T)
            points.append(rnas.with_columns(encoder=pl.lit(encoder), plane=pl.lit(plane), x=x, y=y))
        for label in labels:
            classes = rnas[label].to_list()
            cell = {"label": label, "encoder": encoder, "n": len(classes), "classes": len(set(classes))}
            for space, values in spaces.items():
                measured = scores(values, classes).items()
                found += [cell | {"space": space, "metric": metric, "value": value} for metric, value in measured]
    return pl.concat(points), pl.DataFrame(found, schema=SCHEMA)


PLACE = {"encoder": pl.String, "plane": pl.String, "x": pl.Float32, "y": pl.Float32}
SCHEMA = {
    **dict.fromkeys(("label", "encoder", "space", "metric"), pl.String),
    **{"value": pl.Float64, "n": pl.Int64, "classes": pl.Int64},
}
