"""Parts of metrics of many resamples at once: how often each item was drawn stands for the items drawn.

weights: (draws, items), whole numbers as float64; a statistic is a function of them to {metric: (draws,)}
Everything is sorted once; a resample costs one pass over the items in that order.
"""

import numba
import numpy as np

# A weighted variance below this part of the mean square is rounding of one that is zero.
ROUNDING = 1e-12


def once(statistic, items: int) -> dict[str, float]:
    """{metric: value} of the items themselves, each counted once."""
    return {name: float(values[0]) for name, values in statistic(np.ones((1, items))).items()}


def ratio(over, under) -> np.ndarray:
    """over / under, 0 where there is no denominator."""
    over, under = np.broadcast_arrays(np.asarray(over, dtype=float), np.asarray(under, dtype=float))
    return np.divide(over, under, out=np.zeros(over.shape), where=under != 0)


def moments(weights: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sum of squared deviations from the mean, 0 if it is rounding; sum of the values) of each resample.

    values: (items,), near 0, as rounding grows with their distance from it
    """
    total, squares = weights @ values, weights @ values**2
    spread = squares - total**2 / weights.sum(axis=1)
    return np.where(spread > ROUNDING * squares, spread, 0.0), total


def medians(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(draws,) the median of each resample's values (items,)."""
    order = np.argsort(values, kind="stable")
    return weighted_medians(weights, order, np.asarray(values, dtype=float)[order])


def ranks(values) -> tuple[np.ndarray, np.ndarray]:
    """(order, last): items from the lowest value up; whether an item, in that order, is the last of its equals."""
    values = np.asarray(values)
    order = np.argsort(values, kind="stable")
    return order, np.append(np.diff(values[order]) != 0, True)


@numba.njit(cache=True)
def weighted_medians(weights, order, values):
    found = np.empty(len(weights))
    for draw in range(len(weights)):
        total = 0.0
        for item in range(len(order)):
            total += weights[draw, item]
        below, lower = 0.0, np.nan
        for place in range(len(order)):
            below += weights[draw, order[place]]
            # The two in the middle are one where their number is odd.
            if np.isnan(lower) and below >= np.ceil(total / 2):
                lower = values[place]
            if below >= np.floor(total / 2) + 1:
                found[draw] = (lower + values[place]) / 2
                break
    return found


@numba.njit(cache=True)
def mean_ranks(weights, order, last):
    """(draws, items): the rank of each item in its resample, equal values having their mean rank; from 1."""
    found = np.empty(weights.shape)
    for draw in range(len(weights)):
        below, equal, start = 0.0, 0.0, 0
        for place in range(len(order)):
            equal += weights[draw, order[place]]
            if last[place]:
                for member in range(start, place + 1):
                    found[draw, order[member]] = below + (equal + 1) / 2
                below, equal, start = below + equal, 0.0, place + 1
    return found


@numba.njit(cache=True)
def areas(weights, order, last, true):
    """(2, draws): area under the ROC curve, ties counting half, and average precision; NaN where one side is missing.

    true: (items,) whether an item is a yes; order, last: `ranks` of what ranks them
    """
    found = np.full((2, len(weights)), np.nan)
    for draw in range(len(weights)):
        yes, no, new_yes, new_no, right, precision = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        # From the highest value down; `last` of the place below ends a group of equals.
        for place in range(len(order) - 1, -1, -1):
            item = order[place]
            if true[item]:
                new_yes += weights[draw, item]
            else:
                new_no += weights[draw, item]
            if place == 0 or last[place - 1]:
                right += new_no * (yes + new_yes / 2)
                yes, no = yes + new_yes, no + new_no
                if new_yes > 0:
                    precision += new_yes * yes / (yes + no)
                new_yes, new_no = 0.0, 0.0
        if yes > 0 and no > 0:
            found[0, draw], found[1, draw] = right / (yes * no), precision / yes
    return found
