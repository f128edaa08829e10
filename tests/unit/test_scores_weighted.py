"""Metrics of resamples: with weights of 1 those of the items, else those of the items repeated as often."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.tasks.scores import classification, positions, regression, structure

pytestmark = pytest.mark.filterwarnings(
    "ignore:An input array is constant",
    "ignore:A single label was found",
    "ignore:y_pred contains classes not in y_true",
)
eighths = st.integers(-24, 24).map(lambda value: value / 8)


def number_items(draw, items):
    return {"true": draw(columns(eighths, items)), "predicted": draw(columns(eighths, items))}


def class_items(classes, logits):
    def items(draw, number):
        return {
            "true": draw(columns(st.sampled_from(classes), number)),
            "classes": [classes] * number,
            "logits": draw(columns(columns(eighths, logits), number)),
        }

    return items


def structure_items(draw, items):
    rows = []
    for _ in range(items):
        length = draw(st.integers(4, 12))
        pair = st.tuples(st.integers(0, length - 1), st.integers(0, length - 1)).filter(lambda pair: pair[0] < pair[1])
        pairs = st.lists(pair, unique=True, max_size=5)
        rows.append({"length": length} | structure.scored(draw(pairs), draw(pairs), length))
    return {name: [row[name] for row in rows] for name in rows[0]}


def position_items(draw, items):
    true, probability = [], []
    family = draw(columns(st.sampled_from(["mRNA", "lncRNA", ""]), items))
    for _ in range(items):
        length = draw(st.integers(1, 40))
        true.append(draw(columns(st.integers(0, 1), length) | st.just([0] * length)))
        probability.append(draw(columns(st.integers(0, 8).map(lambda value: value / 8), length)))
    return {"family": family, "true": true, "probability": pl.Series(probability, dtype=pl.List(pl.Float32))}


def columns(values, items):
    return st.lists(values, min_size=items, max_size=items)


KINDS = {
    "numbers": (regression, number_items),
    "families": (classification, class_items(["5S", "SRP", "tRNA", "tmRNA"], 4)),
    "one logit": (classification, class_items(["no", "yes"], 1)),
    "two logits": (classification, class_items(["yes", "no"], 2)),
    "structures": (structure, structure_items),
    "positions": (positions, position_items),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_weights_of_one_give_the_metrics_of_the_items(kind, data):
    scores, items = KINDS[kind]
    table = pl.DataFrame(items(data.draw, data.draw(st.integers(2, 12))))
    same(scores.weighted(table)(np.ones((1, table.height))), scores.metrics(table))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_weights_give_the_metrics_of_the_items_repeated_as_often(kind, data):
    scores, items = KINDS[kind]
    table = pl.DataFrame(items(data.draw, data.draw(st.integers(2, 12))))
    weights = data.draw(columns(st.integers(0, 4), table.height).filter(lambda weights: sum(weights) > 1))
    # Two resamples at once, as none may touch another.
    found = scores.weighted(table)(np.array([weights, np.ones(table.height)], dtype=float))
    repeated = table[np.repeat(np.arange(table.height), weights)]
    same(found, scores.metrics(repeated))


def same(found, expected):
    first = {name: values[0] for name, values in found.items()}
    assert first == pytest.approx(expected, abs=1e-9, nan_ok=True)
