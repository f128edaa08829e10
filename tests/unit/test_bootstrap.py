"""Bootstrap intervals: deterministic, paired between models, right on average; and the tables made with them."""

import numpy as np
import polars as pl
import pytest
from rnalm.evaluation.bootstrap import interval
from rnalm.evaluation.tables import write_evaluation
from rnalm.structure import score
from rnalm.structure.notation import parse_dot_bracket
from rnalm.tasks.records import Record

METRICS = ("precision", "recall", "f1", "relaxed_precision", "relaxed_recall", "relaxed_f1")
CELL = {"task": "structure", "split": "random", "model": "m", "init": "frozen"}
SCORES = np.random.default_rng(1).beta(5, 2, 120)


def test_same_seed_same_interval_and_another_seed_another():
    assert interval(SCORES, 42) == interval(list(SCORES), 42)
    assert interval(SCORES, 42) != interval(SCORES, 43)


def test_interval_is_the_one_of_theory():
    mean, low, high = interval(SCORES, 42)
    error = SCORES.std(ddof=1) / np.sqrt(len(SCORES))
    assert mean == pytest.approx(SCORES.mean())
    assert low == pytest.approx(mean - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.3 * error)
    _, inner_low, inner_high = interval(SCORES, 42, level=0.5)
    assert low < inner_low < mean < inner_high < high


def test_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(100):
        _, low, high = interval(rng.beta(5, 2, 60), trial, draws=200)
        covered += low <= 5 / 7 <= high
    assert 86 <= covered <= 100


def test_models_on_the_same_items_are_resampled_alike():
    better = interval(SCORES + 0.1, 42)
    assert np.subtract(better, interval(SCORES, 42)) == pytest.approx([0.1] * 3)


def test_extremes():
    assert interval([0.5] * 10, 1) == (0.5, 0.5, 0.5)
    assert interval([0.25], 1) == (0.25, 0.25, 0.25)
    with pytest.raises(ValueError):
        interval([], 1)


def test_evaluation_tables(tmp_path):
    true = [(0, 20), (1, 19), (2, 18), (8, 25)]
    rna = Record("a", "tRNA", "ACGTN" * 6, true)
    other = Record("b", "SRP", "GGGGAAAACCCC", [(0, 11), (1, 10)])
    guesses = [[(0, 20), (1, 18), (8, 25)], [(0, 11)]]
    written = write_evaluation([rna, other], {7: guesses, 8: [true, []]}, {"kind": "pairs"}, CELL, 42, tmp_path)
    metrics, seeds, predictions = written
    assert [path.name for path in written] == ["metrics.csv", "seeds.csv", "predictions.parquet"]

    items = pl.read_parquet(predictions)
    assert items["seed"].to_list() == [7, 7, 8, 8]
    for row, record, guess in zip(items.iter_rows(named=True), (rna, other), guesses, strict=False):
        assert parse_dot_bracket(row["true"]) == record.label
        assert parse_dot_bracket(row["predicted"]) == guess
        exact, relaxed = (score(guess, record.label, record.length, relaxed=kind) for kind in (False, True))
        assert tuple(row[name] for name in METRICS) == exact + relaxed

    table = pl.read_csv(metrics)
    assert table.columns == ["task", "split", "model", "init", "metric", "value", "ci_low", "ci_high", "n"]
    assert set(METRICS) <= set(table["metric"])
    for row in table.iter_rows(named=True):
        assert (row["task"], row["split"], row["model"], row["init"], row["n"]) == (
            "structure",
            "random",
            "m",
            "frozen",
            2,
        )
        of_seeds = pl.read_csv(seeds).filter(pl.col("metric") == row["metric"])["value"]
        assert row["value"] == pytest.approx(of_seeds.mean()) and len(of_seeds) == 2
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
    for metric in METRICS:
        assert table.filter(pl.col("metric") == metric)["value"].item() == pytest.approx(items[metric].mean())
