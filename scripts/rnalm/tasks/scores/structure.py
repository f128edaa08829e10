"""Scores of predicted base pairs, averaged over RNAs in every way that papers do, side by side.

- mean over RNAs (no prefix): RiNALMo, RNAret; `median_` over RNAs;
- `length_weighted_`: the mean weighted by nt, so that long RNAs count more;
- `pooled_`: over the pairs of all RNAs, so that RNAs with many pairs count more.

Each exact and `relaxed_`, by one step of one end (`rnalm.structure.metrics`). Items are a table of RNAs: length, and
the columns of `scored`.
"""

import numpy as np
import polars as pl

from rnalm.structure import score
from rnalm.structure.metrics import one_off, ordered
from rnalm.tasks.scores.resampling import medians, once, ratio

QUANTITIES = ("precision", "recall", "f1")
NEAR = {"": set, "relaxed_": one_off}
COUNTS = ["predicted_pairs", "true_pairs", "predicted_hits", "true_hits"]
COUNTS += ["relaxed_predicted_hits", "relaxed_true_hits"]


def scored(predicted, true, length: int) -> dict[str, float]:
    """An RNA's scores and the counts behind them: {"f1": ..., "relaxed_f1": ..., "predicted_pairs": ...}.

    predicted_pairs, true_pairs; predicted_hits, predicted pairs that are true, and true_hits, true pairs that are
    predicted, exact and relaxed_.
    predicted, true: pairs (i, j) of a sequence of `length` nt; ValueError for one outside of it
    """
    predicted, true = ordered(predicted, length), ordered(true, length)
    row = {}
    for match, near in NEAR.items():
        values = score(predicted, true, length, relaxed=match == "relaxed_")
        row |= {match + name: value for name, value in zip(QUANTITIES, values, strict=True)}
        row[f"{match}predicted_hits"] = len(predicted & near(true))
        row[f"{match}true_hits"] = len(true & near(predicted))
    return row | {"predicted_pairs": len(predicted), "true_pairs": len(true)}


def metrics(items: pl.DataFrame) -> dict[str, float]:
    """{"f1": mean, "median_relaxed_f1": median, "pooled_precision": ...}, all 24; ValueError if there is no RNA."""
    if items.is_empty():
        raise ValueError("an average needs at least one RNA")
    return once(weighted(items), items.height)


def weighted(items: pl.DataFrame):
    """A function of weights (draws, items), how often each RNA was drawn, to {metric: (draws,)}, as `metrics`."""
    each = {match + name: items[match + name].to_numpy() for match in NEAR for name in QUANTITIES}
    scores = np.stack(list(each.values()), axis=1)
    lengths = items["length"].to_numpy().astype(float)
    counts = items.select(COUNTS).to_numpy().astype(float)

    def of_resamples(weights):
        means = weights @ scores / weights.sum(axis=1, keepdims=True)
        by_length = weights @ (lengths[:, None] * scores) / (weights @ lengths)[:, None]
        sums = dict(zip(COUNTS, (weights @ counts).T, strict=True))
        found = dict(zip(each, means.T, strict=True))
        found |= {f"median_{name}": medians(weights, values) for name, values in each.items()}
        found |= {f"length_weighted_{name}": values for name, values in zip(each, by_length.T, strict=True)}
        for match in NEAR:
            precision = ratio(sums[f"{match}predicted_hits"], sums["predicted_pairs"])
            recall = ratio(sums[f"{match}true_hits"], sums["true_pairs"])
            pooled = (precision, recall, ratio(2 * precision * recall, precision + recall))
            found |= {f"pooled_{match}{name}": values for name, values in zip(QUANTITIES, pooled, strict=True)}
        return found

    return of_resamples
