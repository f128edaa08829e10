"""What others script against: names, parameters and types that stay."""

import inspect

import numpy as np
import polars as pl
import pytest
import rnalm.structure
from rnalm.evaluation.tables import write_evaluation
from rnalm.tasks.records import Record

SEQUENCE, STEM = "GGGAAAAACCC", [(0, 10), (1, 9), (2, 8)]
COLUMNS = ["task", "split", "model", "init", "metric", "value", "ci_low", "ci_high", "n"]


def probabilities(dtype) -> np.ndarray:
    matrix = np.zeros((11, 11), dtype=dtype)
    for i, j in STEM:
        matrix[i, j] = matrix[j, i] = 0.9
    return matrix


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["greedy", "matching", "nested"])
def test_decoders_give_lists_of_pairs_of_plain_numbers(name, dtype):
    decoder = getattr(rnalm.structure, name)
    assert list(inspect.signature(decoder).parameters) == ["probabilities", "sequence", "threshold"]
    for sequence in (SEQUENCE, SEQUENCE.lower(), SEQUENCE.replace("A", "U")):
        pairs = decoder(probabilities(dtype), sequence, 0.5)
        assert pairs == STEM and type(pairs) is list
        assert {type(pair) for pair in pairs} == {tuple} and {type(base) for pair in pairs for base in pair} == {int}
    assert decoder(probabilities=probabilities(dtype), sequence=SEQUENCE, threshold=0.95) == []
    for short in ("", "A", "GC", "GAC"):
        assert decoder(np.ones((len(short), len(short)), dtype=dtype), short, 0.5) == []


def test_score_gives_precision_recall_and_f1():
    parameters = inspect.signature(rnalm.structure.score).parameters
    assert list(parameters) == ["predicted", "true", "length", "relaxed"] and parameters["relaxed"].default is False
    found = rnalm.structure.score(STEM[:2], STEM, 11)
    assert type(found) is tuple and found == (1.0, 2 / 3, 0.8) and {type(one) for one in found} == {float}
    assert rnalm.structure.score([], STEM, 11) == rnalm.structure.score(STEM, [], 11) == (0.0, 0.0, 0.0)
    assert {type(one) for one in rnalm.structure.score([], [], 11, relaxed=True)} == {float}


HEADS = {
    "pairs": ({"kind": "pairs", "threshold": 0.5}, [STEM, []], [STEM, STEM]),
    "classes": ({"kind": "classes", "classes": 1, "labels": ["no", "yes"]}, ["yes", "no"], [np.ones(1), -np.ones(1)]),
    "number": ({"kind": "scalar"}, [1.0, 2.0], [np.float32(1.5), np.float32(2.5)]),
    "positions": ({"kind": "positions"}, [[0, 1] * 5 + [0], [0] * 11], [np.full(11, 0.5)] * 2),
}


@pytest.mark.parametrize("kind", HEADS)
def test_metrics_csv_has_the_same_columns_for_every_kind_of_task(kind, tmp_path):
    head, labels, predictions = HEADS[kind]
    records = [Record(name, "", SEQUENCE, label) for name, label in zip("ab", labels, strict=True)]
    cell = {"task": "t", "split": "s", "model": "m", "init": "frozen"}
    write_evaluation(records, {1: predictions, 2: predictions}, head, cell, 42, tmp_path)
    table = pl.read_csv(tmp_path / "metrics.csv")
    assert table.columns == COLUMNS and (table["n"] == 2).all() and table["metric"].is_unique().all()
    assert pl.read_csv(tmp_path / "seeds.csv").columns == ["seed", "metric", "value"]
    assert {"id", "family", "length", "seed"} <= set(pl.read_parquet(tmp_path / "predictions.parquet").columns)
