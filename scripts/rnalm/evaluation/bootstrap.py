"""Bootstrap intervals: of means over test items, and of any metric that can be taken of items that count several times.

A resample is told by how often each item was drawn, so a metric of many resamples is a matrix product or one sort
(`weighted` of rnalm.tasks.scores). Resamples are a function of seed and number of items alone: models that are scored
on the same RNAs are resampled alike, so their intervals do not differ by chance. What is not defined in a resample,
such as a ranking of items of one class, is left out of the percentiles.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rnalm.randomness import bits, key

# Weights of resamples, (draws, items), how often each item was drawn -> {metric: (draws,)}.
Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]
BLOCK = 1_000_000  # resampled items at a time, 8 MB


def interval(values, seed: int, level: float = 0.95, draws: int = 2000) -> tuple[float, float, float]:
    """(mean, low, high): the mean of the items and the percentile interval of the means of `draws` resamples.

    values: (items,) one score per item; ValueError if there is none
    """
    values = np.asarray(values, dtype=np.float64)
    found = intervals(lambda weights: {"mean": weights @ values / len(values)}, len(values), seed, draws, level)
    return float(values.mean()), *found["mean"]


def intervals(
    statistic: Statistic, items: int, seed: int, draws: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """{metric: (low, high)}, percentile intervals; NaN for a metric that no resample defines.

    items: how many there are; ValueError if none
    """
    blocks = [statistic(weights) for weights in resamples(items, seed, draws)]
    return {name: percentiles(np.concatenate([block[name] for block in blocks]), level) for name in blocks[0]}


def folds(each: list[tuple[Statistic, int]], seed: int, draws: int = 1000) -> dict[str, tuple[float, ...]]:
    """{metric: (mean, sd, low, high)} over the folds of a cross-validation, each a (statistic, number of items).

    The sd is that of the folds' values (n - 1), NaN for one fold. The interval is that of their mean when every fold's
    items are resampled within it. It says what other test items would change, not what other training items would.
    """
    values = [statistic(np.ones((1, items))) for statistic, items in each]
    blocks = [
        [statistic(weights) for weights in resamples(items, key(seed, "fold", number), draws)]
        for number, (statistic, items) in enumerate(each)
    ]
    found = {}
    for name in values[0]:
        of_folds = np.concatenate([value[name] for value in values])
        means = np.mean([np.concatenate([block[name] for block in fold]) for fold in blocks], axis=0)
        spread = of_folds.std(ddof=1) if len(each) > 1 else np.nan
        found[name] = (float(of_folds.mean()), float(spread), *percentiles(means))
    return found


def mean_of(statistics: list[Statistic]) -> Statistic:
    """The mean of several models' metrics on the same items, such as those of several seeds, resampled alike."""

    def statistic(weights):
        each = [one(weights) for one in statistics]
        return {name: np.mean([found[name] for found in each], axis=0) for name in each[0]}

    return statistic


def percentiles(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resamples(items: int, seed: int, draws: int) -> Iterator[np.ndarray]:
    """Blocks of weights (draws of the block, items), float64."""
    if not items:
        raise ValueError("an interval needs at least one value")
    counters, most = np.arange(items, dtype=np.uint64), max(1, BLOCK // items)
    for start in range(0, draws, most):
        numbers = range(start, min(start + most, draws))
        drawn = (np.bincount(resample(seed, draw, counters), minlength=items) for draw in numbers)
        yield np.array(list(drawn), dtype=np.float64)


def resample(seed: int, draw: int, items: np.ndarray) -> np.ndarray:
    """Indices (items,) drawn with replacement."""
    return (bits(key(seed, "bootstrap", draw), items) % np.uint64(len(items))).astype(np.int64)
