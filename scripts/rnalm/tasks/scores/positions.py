"""Scores of labelled nucleotides, and of what they make of the whole RNA: an mRNA or a lncRNA.

- no prefix: of RNAs; one with a CDS anywhere is an mRNA, one whose coding score is 0.5 or more is called one;
- `cropped_`: the same calls, true by RNAret's own rule, a CDS in the first 3,000 nt (`rnalm.tasks.scores.coding`);
  Both only where every item is of the family mRNA or lncRNA: other labels say nothing of the whole RNA;
- `nucleotide_`: of the nucleotides of all RNAs together; one with a probability above 0.5 is called a yes.

Items are a table of RNAs with the columns family, true, 0 or 1 per nucleotide, and probability. A model that reads no
more than the start of an RNA has as many probabilities, and the nucleotides behind are not scored.
"""

import numpy as np
import polars as pl

from rnalm.tasks.scores import classification
from rnalm.tasks.scores.classification import QUANTITIES
from rnalm.tasks.scores.coding import LEAST, LONG_NONCODING, MESSENGER, coding_score, is_cropped_messenger, is_messenger
from rnalm.tasks.scores.resampling import once, ratio

CROPPED = ("accuracy", *QUANTITIES)
RNAS = (MESSENGER, LONG_NONCODING)
RULES = (is_messenger, is_cropped_messenger)


def metrics(items: pl.DataFrame) -> dict[str, float]:
    """{metric: value}; ValueError if there is no RNA."""
    return once(weighted(items), items.height)


def weighted(items: pl.DataFrame):
    """A function of weights (draws, items), how often each RNA was drawn, to {metric: (draws,)}, as `metrics`."""
    scores, truths, counts = columns(items)
    each = [classification.yes_or_no(true, scores >= LEAST, scores) for true in truths]

    def of_resamples(weights):
        if not items["family"].is_in(RNAS).all():
            return nucleotides(weights @ counts)
        whole, cropped = (one(weights) for one in each)
        whole |= {f"cropped_{name}": cropped[name] for name in CROPPED}
        return whole | nucleotides(weights @ counts)

    return of_resamples


def columns(items: pl.DataFrame) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """(coding scores (items,), whether an mRNA by each of RULES, counts (items, 4)): see `nucleotides`."""
    if items.is_empty():
        raise ValueError("an average needs at least one RNA")
    true, probability = ([row.to_numpy() for row in items[name]] for name in ("true", "probability"))
    scores = np.array([coding_score(row) for row in probability])
    truths = [np.array([rule(*row) for row in zip(true, items["family"], strict=True)]) for rule in RULES]
    counts = [count(row, found) for row, found in zip(true, probability, strict=True)]
    return scores, truths, np.array(counts, dtype=float)


def count(true: np.ndarray, probability: np.ndarray) -> tuple[int, int, int, int]:
    """Nucleotides that are called a yes and are one, that are called one, that are one, and all that were scored."""
    real, called = true[: len(probability)] > 0, probability > 0.5
    return (real & called).sum(), called.sum(), real.sum(), len(called)


def nucleotides(counts: np.ndarray) -> dict[str, np.ndarray]:
    """{metric: (draws,)} from counts (draws, 4) as those of `count`, summed over RNAs."""
    hits, found, real, total = counts.T
    # "no", then "yes"
    table = np.array([[total - found - real + hits, hits], [total - found, found], [total - real, real]])
    overall = classification.decisions(*table.transpose(0, 2, 1))
    own = (ratio(hits, found), ratio(hits, real), ratio(2 * hits, found + real))
    own = dict(zip(QUANTITIES, own, strict=True)) | {name: overall[name] for name in ("accuracy", "mcc")}
    return {f"nucleotide_{name}": values for name, values in own.items()}
