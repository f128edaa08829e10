"""Metrics of every convention against independent re-computations on random input, and their published traps."""

import math
import statistics

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.structure import score
from rnalm.tasks.scores import classification, positions, regression, structure
from rnalm.tasks.scores.coding import coding_score
from scipy.special import softmax

# Structure


@st.composite
def rnas(draw):
    """(predicted pairs, true pairs, length) of a few RNAs, some without any pair."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        length = draw(st.integers(4, 12))
        pair = st.tuples(st.integers(0, length - 1), st.integers(0, length - 1)).filter(lambda pair: pair[0] < pair[1])
        pairs = st.lists(pair, unique=True, max_size=6)
        found.append((draw(pairs), draw(pairs), length))
    return found


def averages(predictions):
    rows = [{"length": prediction[2]} | structure.scored(*prediction) for prediction in predictions]
    return structure.metrics(pl.DataFrame(rows))


def hits(predicted, true, length, relaxed):
    """Predicted pairs near a true one, true pairs near a predicted one, both counts; by matrices."""
    cells = np.zeros((2, length + 2, length + 2), dtype=bool)
    for matrix, pairs in zip(cells, (predicted, true), strict=True):
        for i, j in pairs:
            matrix[i + 1, j + 1] = True
    inner = cells[:, 1:-1, 1:-1]
    near = inner.copy()
    if relaxed:
        near |= cells[:, 2:, 1:-1] | cells[:, :-2, 1:-1] | cells[:, 1:-1, 2:] | cells[:, 1:-1, :-2]
    return (inner[0] & near[1]).sum(), (inner[1] & near[0]).sum(), inner[0].sum(), inner[1].sum()


def ratios(right, near_true, found, real):
    precision = right / found if found else 0.0
    recall = near_true / real if real else 0.0
    return precision, recall, 2 / (1 / precision + 1 / recall) if precision and recall else 0.0


@settings(max_examples=60, deadline=None)
@given(rnas())
def test_averages_over_rnas_by_hand(predictions):
    found = averages(predictions)
    assert len(found) == 24
    for match in ("", "relaxed_"):
        counts = [hits(*prediction, bool(match)) for prediction in predictions]
        each = [ratios(*count) for count in counts]
        lengths = [length for _, _, length in predictions]
        pooled = ratios(*(sum(column) for column in zip(*counts, strict=True)))
        for at, name in enumerate(("precision", "recall", "f1")):
            values = [values[at] for values in each]
            assert found[match + name] == pytest.approx(sum(values) / len(values))
            assert found["median_" + match + name] == pytest.approx(statistics.median(values))
            weighted = sum(length * value for length, value in zip(lengths, values, strict=True)) / sum(lengths)
            assert found["length_weighted_" + match + name] == pytest.approx(weighted)
            assert found["pooled_" + match + name] == pytest.approx(pooled[at])


@settings(max_examples=30, deadline=None)
@given(rnas())
def test_one_rna_has_one_score_however_it_is_averaged(predictions):
    found = averages(predictions[:1])
    for relaxed, match in ((False, ""), (True, "relaxed_")):
        expected = score(*predictions[0], relaxed=relaxed)
        for way in ("", "median_", "length_weighted_", "pooled_"):
            assert tuple(found[way + match + name] for name in ("precision", "recall", "f1")) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(rnas())
def test_full_symmetric_matrices_change_no_exact_score(predictions):
    predicted, true, length = predictions[0]
    cells = np.zeros((2, length, length), dtype=int)
    for matrix, pairs in zip(cells, (predicted, true), strict=True):
        for i, j in pairs:
            matrix[i, j] = matrix[j, i] = 1
    both = (cells[0] * cells[1]).sum()
    assert ratios(both, both, cells[0].sum(), cells[1].sum()) == pytest.approx(score(predicted, true, length))


def test_conventions_on_one_fixed_set():
    short = ([(0, 9), (1, 8)], [(0, 9), (1, 8)], 10)
    shifted = ([(0, 30), (1, 29), (2, 28)], [(0, 29), (1, 28), (2, 27)], 40)
    found = averages([short, shifted])
    assert found["f1"] == 0.5 and found["relaxed_f1"] == 1.0
    assert found["length_weighted_f1"] == pytest.approx(10 / 50)
    assert found["pooled_f1"] == pytest.approx(2 / 5)


def test_an_average_needs_an_rna():
    with pytest.raises(ValueError, match="at least one RNA"):
        structure.metrics(pl.DataFrame())


# Regression

number = st.integers(-40, 40).map(lambda value: value / 8)


def columns(least=2):
    return st.lists(st.tuples(number, number), min_size=least, max_size=20)


def ranks(values):
    """Mean ranks, by counting."""
    return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]


def correlation(left, right):
    left, right = ([value - sum(side) / len(side) for value in side] for side in (left, right))
    norm = math.sqrt(sum(value**2 for value in left) * sum(value**2 for value in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / norm if norm else math.nan


@settings(max_examples=60, deadline=None)
@given(columns())
def test_regression_by_hand(rows):
    true, predicted = (list(side) for side in zip(*rows, strict=True))
    found, n = regression.scores(true, predicted), len(rows)
    errors = [a - b for a, b in rows]
    spread = sum((value - sum(true) / n) ** 2 for value in true)
    pearson = correlation(true, predicted)
    expected = {
        "pearson": pearson,
        "pearson_r2": pearson**2,
        "spearman": correlation(ranks(true), ranks(predicted)),
        "mae": sum(map(abs, errors)) / n,
        "clamped_mae": sum(abs(a - max(b, 0)) for a, b in rows) / n,
        "mse": sum(error**2 for error in errors) / n,
    }
    if spread:
        expected["r2"] = 1 - sum(error**2 for error in errors) / spread
    else:
        assert not math.isfinite(found.pop("r2"))
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(columns())
def test_r2_is_never_above_the_squared_correlation(rows):
    found = regression.scores(*zip(*rows, strict=True))
    if math.isfinite(found["r2"]) and math.isfinite(found["pearson_r2"]):
        assert found["r2"] <= found["pearson_r2"] + 1e-9


def test_r2_is_not_squared_pearson():
    true = [1.0, 2.0, 3.0, 4.0]
    found = regression.scores(true, [2 * value + 1 for value in true])
    assert found["pearson_r2"] == pytest.approx(1)
    assert found["r2"] == pytest.approx(1 - (4 + 9 + 16 + 25) / 5)


@pytest.mark.parametrize("true, predicted", [([1.0], [1.0]), ([1.0, 2], [1.0]), ([[1.0, 2]], [[1.0, 2]])])
def test_regression_refuses_what_cannot_be_compared(true, predicted):
    with pytest.raises(ValueError, match="equally long"):
        regression.scores(true, predicted)


# Classification


@st.composite
def labelled(draw, classes):
    """(true classes, logits), logits from a coarse grid, so that there are ties."""
    items = draw(st.integers(1, 15))
    true = draw(st.lists(st.integers(0, classes - 1), min_size=items, max_size=items))
    row = st.lists(st.integers(-4, 4).map(lambda value: value / 2), min_size=classes, max_size=classes)
    return true, draw(st.lists(row, min_size=items, max_size=items))


def of_class(true, predicted, name):
    right = sum(a == b == name for a, b in zip(true, predicted, strict=True))
    return ratios(right, right, predicted.count(name), true.count(name))


def area_roc(true, values):
    """Share of pairs in the right order."""
    yes, no = ([value for label, value in zip(true, values, strict=True) if label == side] for side in (1, 0))
    return sum((a > b) + (a == b) / 2 for a in yes for b in no) / (len(yes) * len(no))


def average_precision(true, values):
    area = previous = 0.0
    for threshold in sorted(set(values), reverse=True):
        kept = [label for label, value in zip(true, values, strict=True) if value >= threshold]
        recall = sum(kept) / sum(true)
        area += (recall - previous) * sum(kept) / len(kept)
        previous = recall
    return area


def gorodkin(true, predicted, classes):
    """The correlation of one-hot columns."""
    left, right = (np.eye(classes)[side] - np.eye(classes)[side].mean(axis=0) for side in (true, predicted))
    norm = np.sqrt((left**2).sum() * (right**2).sum())
    return (left * right).sum() / norm if norm else 0.0


def averages_by_hand(true, predicted, classes):
    each = np.array([of_class(true, predicted, name) for name in range(classes)])
    support = np.array([true.count(name) for name in range(classes)])
    right = sum(a == b for a, b in zip(true, predicted, strict=True)) / len(true)
    ways = {"macro": each.mean(axis=0), "weighted": support @ each / len(true), "micro": [right] * 3}
    names = ("precision", "recall", "f1")
    found = {f"{way}_{name}": value for way, values in ways.items() for name, value in zip(names, values, strict=True)}
    return found | {"accuracy": right, "mcc": gorodkin(true, predicted, classes)}


@settings(max_examples=60, deadline=None)
@given(labelled(2))
def test_binary_by_hand(rows):
    true, logits = rows[0], [row[0] for row in rows[1]]
    predicted = [int(1 / (1 + math.exp(-value)) > 0.5) for value in logits]
    found, expected = classification.binary(true, logits), averages_by_hand(true, predicted, 2)
    expected |= dict(zip(("precision", "recall", "f1"), of_class(true, predicted, 1), strict=True))
    both = len(set(true)) == 2
    expected["auroc"] = area_roc(true, logits) if both else math.nan
    expected["auprc"] = average_precision(true, logits) if both else math.nan
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert set(found) - set(expected) == {f"{name}_percent" for name in ("accuracy", "precision", "recall", "f1")}
    assert found["f1_percent"] == pytest.approx(100 * found["f1"], abs=0.015)


@settings(max_examples=60, deadline=None)
@given(labelled(4))
def test_multiclass_by_hand(rows):
    true, logits = rows
    predicted = [row.index(max(row)) for row in logits]
    found, expected = classification.multiclass(true, logits), averages_by_hand(true, predicted, 4)
    probabilities = softmax(logits, axis=1).tolist()
    areas = {"macro_auroc": area_roc, "macro_auprc": average_precision}
    for name, area in areas.items():
        each = [
            area([int(label == number) for label in true], [row[number] for row in probabilities])
            for number in range(4)
            if set(true) == set(range(4))
        ]
        expected[name] = sum(each) / 4 if each else math.nan
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_a_logit_of_0_3_alone_in_its_batch_is_a_yes():
    assert classification.binary([1], [0.3])["recall"] == 1


def test_f1_is_made_of_rounded_percentages():
    # 2 right of 3 found and of 7 true: 66.67 and 28.57, so 40.0 only after rounding what was 39.9988.
    assert classification.percentages(0.5, 2 / 3, 2 / 7) == {
        "accuracy_percent": 50.0,
        "precision_percent": 66.67,
        "recall_percent": 28.57,
        "f1_percent": 40.0,
    }
    # 1 of 6 and all: F1 28.571..., from the rounded precision 28.576.
    assert classification.percentages(0.5, 1 / 6, 1.0)["f1_percent"] == 28.58
    assert classification.percentages(0.0, 0.0, 0.0)["f1_percent"] == 0.0


def test_a_class_that_nobody_has_counts_in_macro_averages():
    found = classification.multiclass([0, 1], [[1, 0, 0], [0, 1, 0]])
    assert found["accuracy"] == 1 and found["macro_f1"] == pytest.approx(2 / 3) and found["weighted_f1"] == 1


@pytest.mark.parametrize("true, logits", [([0, 2], [1, 1]), ([0], [1, 1]), ([], [])])
def test_binary_refuses_what_cannot_be_compared(true, logits):
    with pytest.raises(ValueError, match="labels 0 and 1"):
        classification.binary(true, logits)


def test_multiclass_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match="not one of the 2"):
        classification.multiclass([2], [[0.0, 1.0]])
    with pytest.raises(ValueError, match="row of logits"):
        classification.multiclass([0, 1], [[0.0, 1.0]])


# mRNA or lncRNA


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1, width=16), min_size=1, max_size=80), st.integers(1, 40))
def test_coding_score_by_hand(probabilities, window):
    last = max(len(probabilities) - window, 0)
    expected = max(sum(probabilities[start : start + window]) / window for start in range(last + 1))
    assert coding_score(probabilities, window) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_nucleotides_and_rnas_by_hand(data):
    halves = st.integers(0, 8).map(lambda value: value / 8)
    lengths = data.draw(st.lists(st.integers(1, 70), min_size=1, max_size=6))
    true, probability = (
        [data.draw(st.lists(values, min_size=length, max_size=length)) for length in lengths]
        for values in (st.integers(0, 1), halves)
    )
    table = pl.DataFrame({"family": ["lncRNA"] * len(lengths), "true": true, "probability": probability})
    found = positions.metrics(table)

    labels = [label for row in true for label in row]
    called = [int(value > 0.5) for row in probability for value in row]
    expected = dict(zip(("precision", "recall", "f1"), of_class(labels, called, 1), strict=True))
    expected["accuracy"] = sum(a == b for a, b in zip(labels, called, strict=True)) / len(labels)
    expected["mcc"] = gorodkin(labels, called, 2)
    assert {name: found[f"nucleotide_{name}"] for name in expected} == pytest.approx(expected, abs=1e-9)

    messengers, scores = [int(any(row)) for row in true], [coding_score(row) for row in probability]
    right = sum(label == (score >= 0.5) for label, score in zip(messengers, scores, strict=True))
    assert found["accuracy"] == found["cropped_accuracy"] == pytest.approx(right / len(lengths))
    if len(set(messengers)) == 2:
        assert found["auroc"] == pytest.approx(area_roc(messengers, scores))


def test_short_sequences_are_diluted_by_zeros():
    assert coding_score([1.0] * 14) == pytest.approx(14 / 30) and coding_score([1.0] * 30) == pytest.approx(1)
