"""The table of a cross-validation: means over folds as papers print them, no scores of all items together."""

import numpy as np
import polars as pl
import pytest
from rnalm.evaluation.folds import fold_table
from rnalm.tasks.scores import regression

CELL = {"task": "translation_efficiency", "split": "muscle", "model": "m", "init": "pretrained"}
DICE = np.random.default_rng(4)


def fold(true, predicted, seed=1):
    return pl.DataFrame({"id": [str(value) for value in true], "true": true, "predicted": predicted, "seed": seed})


def values(table):
    return dict(table.select("metric", "value").rows())


def test_mean_over_folds_is_not_the_score_of_all_folds_together():
    folds = [fold([1.0, 2, 3], [1.0, 2, 3]), fold([11.0, 12, 13], [1.0, 2, 3])]
    found = values(fold_table(folds, CELL, regression, 1))
    assert found["fold_mean_spearman"] == pytest.approx(1) and found["fold_sd_spearman"] == pytest.approx(0, abs=1e-9)
    assert found["fold_mean_mae"] == pytest.approx(5) and found["fold_sd_mae"] == pytest.approx(np.sqrt(50))
    assert regression.metrics(pl.concat(folds))["spearman"] < 1


def test_rows_are_those_of_metrics_csv():
    table = fold_table([fold([1.0, 2, 4], [1.0, 3, 2]), fold([5.0, 6], [5.5, 5.0])], CELL, regression, 1)
    assert table.columns == ["task", "split", "model", "init", "metric", "value", "ci_low", "ci_high", "n"]
    assert table.height == 2 * len(regression.scores([1, 2], [1, 2])) and set(table["n"]) == {5}
    spread = table.filter(pl.col("metric").str.starts_with("fold_sd_"))
    assert spread["ci_low"].null_count() == spread.height


def test_mean_lies_in_its_interval():
    true = DICE.normal(size=(3, 40))
    folds = [fold(row, row + DICE.normal(size=40)) for row in true]
    table = fold_table(folds, CELL, regression, 1).filter(pl.col("metric").str.starts_with("fold_mean_"))
    assert ((table["ci_low"] < table["value"]) & (table["value"] < table["ci_high"])).all()


def test_seeds_of_a_fold_are_averaged():
    true = [1.0, 2.0, 3.0]
    both = pl.concat([fold(true, [1.0, 2.0, 4.0], seed=1), fold(true, [1.0, 2.0, 6.0], seed=2)])
    assert values(fold_table([both, both], CELL, regression, 1))["fold_mean_mae"] == pytest.approx((1 / 3 + 1) / 2)
