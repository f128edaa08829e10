"""Intervals of any metric: those of resamples that are really drawn, alike for all models, in folds and over seeds."""

import numpy as np
import polars as pl
import pytest
from rnalm.evaluation import bootstrap
from rnalm.evaluation.bootstrap import folds, interval, intervals, mean_of, resample
from rnalm.tasks.scores import classification, regression

DICE = np.random.default_rng(3)
TRUE = DICE.normal(size=60)
NUMBERS = pl.DataFrame({"true": TRUE, "predicted": TRUE + DICE.normal(size=60)})
LABELS = DICE.integers(0, 2, 60)
YES_OR_NO = pl.DataFrame(
    {
        "true": np.where(LABELS, "yes", "no"),
        "classes": [["no", "yes"]] * 60,
        "logits": (LABELS - 0.5 + DICE.normal(size=60))[:, None].tolist(),
    }
)


def drawn(scores, items, seed, draws):
    """{metric: values} of tables whose rows were drawn one by one."""
    counters = np.arange(items.height, dtype=np.uint64)
    found = [scores.metrics(items[resample(seed, draw, counters)]) for draw in range(draws)]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


@pytest.mark.parametrize("scores, items", [(regression, NUMBERS), (classification, YES_OR_NO)])
def test_intervals_are_those_of_resamples_that_are_drawn(scores, items):
    found = intervals(scores.weighted(items), items.height, 42, draws=80)
    expected = {name: np.quantile(values, [0.025, 0.975]) for name, values in drawn(scores, items, 42, 80).items()}
    assert found.keys() == expected.keys()
    for name in found:
        assert found[name] == pytest.approx(expected[name], abs=1e-9), name


def test_intervals_hold_the_value_of_the_items():
    values, found = regression.metrics(NUMBERS), intervals(regression.weighted(NUMBERS), 60, 1)
    assert all(low < values[name] < high for name, (low, high) in found.items())


def test_interval_of_a_mean_is_one_of_intervals():
    values = NUMBERS["true"].to_numpy()
    found = intervals(lambda weights: {"mean": weights @ values / 60}, 60, 7, draws=200)
    assert interval(values, 7, draws=200)[1:] == found["mean"]


def test_blocks_change_nothing(monkeypatch):
    whole = intervals(regression.weighted(NUMBERS), 60, 42, draws=70)
    monkeypatch.setattr(bootstrap, "BLOCK", 60 * 9)
    assert intervals(regression.weighted(NUMBERS), 60, 42, draws=70) == {
        name: pytest.approx(bounds, abs=1e-12) for name, bounds in whole.items()
    }


def test_every_resample_has_as_many_items():
    blocks = list(bootstrap.resamples(37, 5, 20))
    assert np.concatenate(blocks).shape == (20, 37) and all((block.sum(axis=1) == 37).all() for block in blocks)
    assert (
        np.concatenate(blocks)[0] == np.bincount(resample(5, 0, np.arange(37, dtype=np.uint64)), minlength=37)
    ).all()


def test_resamples_without_one_of_the_classes_are_left_out():
    items = pl.DataFrame({"true": ["yes", "no"], "classes": [["no", "yes"]] * 2, "logits": [[1.0], [-1.0]]})
    found = intervals(classification.weighted(items), 2, 1, draws=100)
    assert found["auroc"] == (1, 1) and found["accuracy"] == (1, 1)


def test_resamples_of_one_true_value_have_no_r2_and_are_left_out():
    items = pl.DataFrame({"true": [0.0, 1.0], "predicted": [0.5, 0.75]})
    found = intervals(regression.weighted(items), 2, 1, draws=100)
    # Both items drawn: 1 - (0.25 + 0.0625) / 0.5; else the truth is constant, and r2 minus infinity.
    assert found["r2"] == pytest.approx((0.375, 0.375))


def test_metric_that_no_resample_defines_has_no_interval():
    constant = NUMBERS.with_columns(predicted=pl.lit(0.1))
    found = intervals(regression.weighted(constant), 60, 1, draws=50)
    assert np.isnan(found["pearson"]).all() and np.isnan(found["spearman"]).all() and found["mae"][0] > 0


def test_an_interval_needs_an_item():
    with pytest.raises(ValueError, match="at least one"):
        intervals(lambda weights: {}, 0, 1)


def test_seeds_are_resampled_alike():
    opposite = NUMBERS.with_columns(error=pl.col("predicted") - pl.col("true")).with_columns(
        predicted=pl.col("true") - pl.col("error")
    )
    statistics = [lambda weights, sign=sign: {"x": weights @ (sign * TRUE) / 60} for sign in (1, -1)]
    assert intervals(mean_of(statistics), 60, 1, draws=50)["x"] == pytest.approx((0, 0), abs=1e-12)
    both = intervals(mean_of([regression.weighted(table) for table in (NUMBERS, opposite)]), 60, 1, draws=50)
    assert both["mae"] == pytest.approx(intervals(regression.weighted(NUMBERS), 60, 1, draws=50)["mae"])


def test_folds_have_the_mean_and_spread_of_their_values():
    parts = [NUMBERS[:20], NUMBERS[20:45], NUMBERS[45:]]
    found = folds([(regression.weighted(part), part.height) for part in parts], 42, draws=200)
    each = [regression.metrics(part) for part in parts]
    for name, (mean, spread, low, high) in found.items():
        values = [one[name] for one in each]
        assert mean == pytest.approx(np.mean(values)) and spread == pytest.approx(np.std(values, ddof=1))
        assert low < high


def test_interval_of_folds_is_the_one_of_theory_and_not_of_the_differences_between_them():
    values = np.concatenate([DICE.normal(level, 1, 50) for level in (0, 100, 200, 300)]).reshape(4, 50)
    each = [(lambda weights, own=own: {"mean": weights @ own / 50}, 50) for own in values]
    mean, spread, low, high = folds(each, 1, draws=2000)["mean"]
    error = np.sqrt((values.var(axis=1) / 50).sum()) / 4
    assert spread > 100 and high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert low < mean < high


def test_one_fold_has_no_spread():
    assert np.isnan(folds([(regression.weighted(NUMBERS), 60)], 1, draws=20)["mae"][1])
