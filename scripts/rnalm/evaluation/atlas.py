"""A map of the corpus: mean-pooled embeddings of RNAs of known family, laid out in the plane by t-SNE.

Cluster scores are taken on the plane and on the embedding itself, because those of a t-SNE plane depend on its
seed. Encoders with random weights are mapped beside trained ones: how much is composition and length alone.
"""

import numpy as np
import polars as pl
from sklearn.manifold import TSNE
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from rnalm.randomness import bits, digest_counters, key

SCORES = {
    "silhouette": silhouette_score,
    "calinski_harabasz": calinski_harabasz_score,
    "davies_bouldin": davies_bouldin_score,
}


def choose(parts, seed: int, per_family: int, longest: int) -> pl.DataFrame:
    """Up to `per_family` sequences of every RNA type, of at most `longest` nt: digest, sequence, length, family."""
    known = pl.scan_parquet(parts).filter(pl.col("rna_type").is_not_null(), pl.col("length") <= longest)
    table = known.select("digest", "length", family="rna_type").collect()
    order = pl.Series("order", bits(key(seed, "atlas"), digest_counters(table["digest"])))
    chosen = table.with_columns(order).sort("order").group_by("family", maintain_order=True).head(per_family)
    sequences = pl.scan_parquet(parts).select("digest", "sequence")
    return chosen.drop("order").lazy().join(sequences, on="digest").sort("family", "digest").collect()


def mean_pool(states: list[np.ndarray], nucleotides: slice) -> np.ndarray:
    """Hidden states of each sequence -> (sequences, d): mean over its nucleotides, special tokens left out."""
    return np.stack([state[nucleotides].mean(axis=0) for state in states])


def project(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """(n, d) -> (n, 2) by t-SNE at perplexity 30, or what the number of points allows."""
    perplexity = min(30, (len(embeddings) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(embeddings)


def scores(points: np.ndarray, families: list[str]) -> dict[str, float]:
    """How well the families separate: silhouette, Calinski-Harabasz (higher is better), Davies-Bouldin (lower)."""
    return {name: float(score(points, families)) for name, score in SCORES.items()}
