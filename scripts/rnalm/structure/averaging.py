"""Pair scores of many RNAs, averaged in every way that papers do, side by side.

- mean over RNAs (no prefix): RiNALMo, RNAret; `median_` over RNAs;
- `length_weighted_`: the mean weighted by nt, so that long RNAs count more;
- `pooled_`: over the pairs of all RNAs, so that RNAs with many pairs count more.

Each exact and `relaxed_`, by one step of one end (`rnalm.structure.metrics`).
"""

from collections.abc import Iterable

import numpy as np

from rnalm.structure.metrics import one_off, ordered, score

QUANTITIES = ("precision", "recall", "f1")
NEAR = {"": set, "relaxed_": one_off}


def averages(predictions: Iterable[tuple]) -> dict[str, float]:
    """{"f1": mean, "median_relaxed_f1": median, "pooled_precision": ...}, in all 24.

    predictions: (predicted pairs, true pairs, length in nt) per RNA
    ValueError if there is no RNA, or a pair lies outside its sequence.
    """
    predictions = list(predictions)
    if not predictions:
        raise ValueError("an average needs at least one RNA")
    lengths = [length for _, _, length in predictions]
    found = {}
    for match in NEAR:
        each = np.array([score(*prediction, relaxed=match == "relaxed_") for prediction in predictions])
        ways = {
            "": each.mean(axis=0),
            "median_": np.median(each, axis=0),
            "length_weighted_": np.average(each, axis=0, weights=lengths),
            "pooled_": pooled(predictions, match),
        }
        for way, values in ways.items():
            found |= {f"{way}{match}{name}": float(value) for name, value in zip(QUANTITIES, values, strict=True)}
    return found


def pooled(predictions: list[tuple], match: str) -> tuple[float, float, float]:
    """(precision, recall, F1) of the pairs of all RNAs together; 0 where a ratio has no denominator."""
    right = near_true = found = real = 0
    for predicted, true, length in predictions:
        predicted, true = ordered(predicted, length), ordered(true, length)
        right += len(predicted & NEAR[match](true))
        near_true += len(true & NEAR[match](predicted))
        found, real = found + len(predicted), real + len(true)
    precision, recall = right / max(found, 1), near_true / max(real, 1)
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0
