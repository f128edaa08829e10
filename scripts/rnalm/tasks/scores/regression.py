"""Scores of predicted numbers (ribosome load, translation efficiency, expression), every convention beside the others.

`r2` is the coefficient of determination, which papers also write where they mean the squared correlation, `pearson_r2`:
the two agree only for the best straight line through the truth, and `r2` alone sees a wrong scale or offset.

Items are a table with the columns true and predicted, in the unit of the measurement, not standardised.
"""

import numpy as np
import polars as pl

from rnalm.tasks.scores.resampling import mean_ranks, moments, once, ranks

LESS_IS_BETTER = ("mae", "clamped_mae", "mse")


def metrics(items: pl.DataFrame) -> dict[str, float]:
    """{metric: value} of the items; see `scores`."""
    return scores(items["true"].to_numpy(), items["predicted"].to_numpy())


def weighted(items: pl.DataFrame):
    """A function of weights (draws, items), how often each item was drawn, to {metric: (draws,)}, as `metrics`."""
    return statistic(items["true"].to_numpy().astype(float), items["predicted"].to_numpy().astype(float))


def scores(true, predicted) -> dict[str, float]:
    """{metric: value}; NaN for a correlation of, and an infinite or NaN `r2` against, a constant.

    true, predicted: (items,) in the unit of the measurement, not standardised; ValueError for fewer than two
    """
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    if true.shape != predicted.shape or true.ndim != 1 or len(true) < 2:
        raise ValueError(
            f"two equally long rows of at least two numbers are compared, not {true.shape, predicted.shape}"
        )
    return once(statistic(true, predicted), len(true))


def statistic(true: np.ndarray, predicted: np.ndarray):
    """As `weighted`, of two rows of numbers. Ranks are those within a resample."""
    error, clamped = predicted - true, np.maximum(predicted, 0) - true
    # From the median, so that constants become exactly 0.
    left, right = true - np.median(true), predicted - np.median(predicted)
    orders = ranks(true), ranks(predicted)

    def of_resamples(weights):
        n = weights.sum(axis=1)
        (spread, left_sum), (right_spread, right_sum) = moments(weights, left), moments(weights, right)
        shared = weights @ (left * right) - left_sum * right_sum / n
        squares = weights @ error**2
        with np.errstate(divide="ignore", invalid="ignore"):
            r2, pearson = 1 - squares / spread, shared / np.sqrt(spread * right_spread)
        return {
            "r2": r2,
            "pearson": pearson,
            "pearson_r2": pearson**2,
            "spearman": spearman(weights, *orders),
            "mae": weights @ np.abs(error) / n,
            "clamped_mae": weights @ np.abs(clamped) / n,
            "mse": squares / n,
        }

    return of_resamples


def spearman(weights, true, predicted) -> np.ndarray:
    """(draws,) the correlation of the ranks within each resample. true, predicted: their `ranks`."""
    middle = (weights.sum(axis=1, keepdims=True) + 1) / 2
    left, right = mean_ranks(weights, *true) - middle, mean_ranks(weights, *predicted) - middle
    shared, spread, other = ((weights * a * b).sum(axis=1) for a, b in ((left, right), (left, left), (right, right)))
    with np.errstate(invalid="ignore"):
        return shared / np.sqrt(spread * other)
