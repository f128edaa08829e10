"""Bootstrap intervals of a mean over test items.

Resampled items are a function of seed and number of items alone: models that are scored on the same RNAs
are resampled alike, so their intervals do not differ by chance.
"""

import numpy as np

from rnalm.randomness import bits, key


def interval(values, seed: int, level: float = 0.95, draws: int = 2000) -> tuple[float, float, float]:
    """(mean, low, high): the mean of the items and the percentile interval of the means of `draws` resamples.

    values: (items,) one score per item; ValueError if there is none
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        raise ValueError("an interval needs at least one value")
    items = np.arange(len(values), dtype=np.uint64)
    means = [values[resample(seed, draw, items)].mean() for draw in range(draws)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(values.mean()), float(low), float(high)


def resample(seed: int, draw: int, items: np.ndarray) -> np.ndarray:
    """Indices (items,) drawn with replacement."""
    return (bits(key(seed, "bootstrap", draw), items) % np.uint64(len(items))).astype(np.int64)
