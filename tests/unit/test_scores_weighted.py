"""Metrics of items are those of scikit-learn and SciPy, and those of resamples are those of the items repeated."""

import numpy as np
import polars as pl
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.tasks.scores import classification, positions, regression, structure
from sklearn.metrics import precision_recall_fscore_support as quantities

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
    family = draw(columns(st.sampled_from(["mRNA", "lncRNA"]), items))
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


def regression_by_libraries(items):
    true, predicted = items["true"].to_numpy(), items["predicted"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = sklearn.metrics.r2_score(true, predicted, force_finite=False)
    pearson = scipy.stats.pearsonr(true, predicted).statistic
    return {
        "r2": r2,
        "pearson": pearson,
        "pearson_r2": pearson**2,
        "spearman": scipy.stats.spearmanr(true, predicted).statistic,
        "mae": sklearn.metrics.mean_absolute_error(true, predicted),
        "clamped_mae": sklearn.metrics.mean_absolute_error(true, np.maximum(predicted, 0)),
        "mse": sklearn.metrics.mean_squared_error(true, predicted),
    }


def decisions_by_libraries(true, predicted, classes):
    found = {"accuracy": sklearn.metrics.accuracy_score(true, predicted)}
    found["mcc"] = sklearn.metrics.matthews_corrcoef(true, predicted)
    for way in ("macro", "weighted", "micro"):
        values = quantities(true, predicted, labels=classes, average=way, zero_division=0)
        found |= {f"{way}_{name}": value for name, value in zip(classification.QUANTITIES, values[:3], strict=True)}
    return found


def yes_or_no_by_libraries(items):
    true = np.array(items["true"].to_list()) == "yes"
    logits = np.array(items["logits"].to_list())
    names = items["classes"][0].to_list()
    ranking = logits[:, 0] if logits.shape[1] == 1 else logits[:, names.index("yes")] - logits[:, names.index("no")]
    values = quantities(true, ranking > 0, average="binary", zero_division=0)
    found = dict(zip(classification.QUANTITIES, values[:3], strict=True))
    found |= decisions_by_libraries(true, ranking > 0, [False, True])
    both = true.any() and not true.all()
    found["auroc"] = sklearn.metrics.roc_auc_score(true, ranking) if both else np.nan
    found["auprc"] = sklearn.metrics.average_precision_score(true, ranking) if both else np.nan
    return found


def families_by_libraries(items):
    names, logits = items["classes"][0].to_list(), np.array(items["logits"].to_list())
    true = np.array([names.index(name) for name in items["true"]])
    found = decisions_by_libraries(true, logits.argmax(axis=1), range(len(names)))
    one_hot, probabilities = true[:, None] == np.arange(len(names)), scipy.special.softmax(logits, axis=1)
    every = one_hot.any(axis=0).all()
    for name, area in (("auroc", "roc_auc_score"), ("auprc", "average_precision_score")):
        area = getattr(sklearn.metrics, area)
        found[f"macro_{name}"] = area(one_hot, probabilities, average="macro") if every else np.nan
    return found


LIBRARIES = {
    "numbers": regression_by_libraries,
    "families": families_by_libraries,
    "one logit": yes_or_no_by_libraries,
    "two logits": yes_or_no_by_libraries,
}


@pytest.mark.parametrize("kind", LIBRARIES)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_metrics_are_those_of_the_libraries(kind, data):
    scores, items = KINDS[kind]
    table = pl.DataFrame(items(data.draw, data.draw(st.integers(2, 12))))
    found = scores.metrics(table)
    rounded = {name: found.pop(name) for name in list(found) if name.endswith("_percent")}
    assert found == pytest.approx(LIBRARIES[kind](table), abs=1e-9, nan_ok=True)
    assert all(value == pytest.approx(100 * found[name[:-8]], abs=0.015) for name, value in rounded.items())


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
