"""Scores by the nearest relative of each item: who is in which stratum, and that strata are scored like any table."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.corpus import leakage
from rnalm.errors import InputError
from rnalm.evaluation.strata import STRATA, stratified, stratum
from rnalm.tasks.scores import regression

CELL = {"task": "ribosome_load", "split": "human", "model": "m", "init": "pretrained"}
IDENTITIES = [None] * 12 + [0.62] * 5 + [0.7] * 4 + [0.899] * 3 + [0.9] * 4 + [0.999] * 2 + [1.0]
DICE = np.random.default_rng(2)


def nearest(identities, target="corpus", strand="forward", split="human", part="test"):
    rows = [
        {"split": split, "part": part, "id": f"rna{number}", "target": target, "strand": strand, "identity": identity}
        for number, identity in enumerate(identities)
    ]
    return pl.DataFrame(rows, schema_overrides={"identity": pl.Float64})


def predictions(items, seeds=(1, 2)):
    true = DICE.normal(size=items)
    return pl.concat(
        pl.DataFrame(
            {
                "id": [f"rna{number}" for number in range(items)],
                "true": true,
                "predicted": true + DICE.normal(size=items),
                "seed": seed,
            }
        )
        for seed in seeds
    )


PREDICTIONS = predictions(len(IDENTITIES))


def value(table, metric="mae", **place):
    (row,) = table.filter(pl.col("metric") == metric, **place).iter_rows(named=True)
    return row


def test_strata_by_their_borders():
    identities = pl.DataFrame({"identity": [None, 0.5, 0.699, 0.7, 0.899, 0.9, 0.999, 1.0]})
    names = identities.select(stratum())["literal"].to_list()
    assert names == ["none", "below 0.7", "below 0.7", "0.7-0.9", "0.7-0.9", "0.9-1", "0.9-1", "1"]


def test_every_stratum_has_its_row_and_all_items_are_in_one():
    table = stratified(PREDICTIONS, nearest(IDENTITIES), CELL, regression, 42)
    rows = table.filter(pl.col("metric") == "mae")
    assert rows["stratum"].to_list() == list(STRATA)
    assert rows["n"].to_list() == [12, 5, 7, 6, 1, 31]
    assert table.select("task", "split", "model", "init").unique().row(0, named=True) == CELL


def test_stratum_is_scored_as_its_items_alone_would_be():
    table = stratified(PREDICTIONS, nearest(IDENTITIES), CELL, regression, 42)
    chosen = PREDICTIONS.filter(pl.col("id").is_in([f"rna{number}" for number in range(12)]))
    each = [regression.metrics(chosen.filter(pl.col("seed") == seed)) for seed in (1, 2)]
    for metric in ("mae", "r2", "spearman"):
        row = value(table, metric, stratum="none")
        assert row["value"] == pytest.approx(np.mean([found[metric] for found in each]))
        assert row["ci_low"] < row["value"] < row["ci_high"]


def test_stratum_of_one_item_says_so_and_has_no_score():
    row = value(stratified(PREDICTIONS, nearest(IDENTITIES), CELL, regression, 42), stratum="1")
    assert row["n"] == 1 and row["value"] is None and row["ci_low"] is None


def test_targets_and_strands_stand_apart():
    far = [None] * len(IDENTITIES)
    tables = [
        nearest(IDENTITIES),
        nearest(far, strand="reverse"),
        nearest([1.0] * len(IDENTITIES), target="train"),
        nearest(far, target="train", strand="reverse"),
    ]
    table = stratified(PREDICTIONS, pl.concat(tables), CELL, regression, 42)
    assert table.height == 4 * len(STRATA) * len(regression.metrics(PREDICTIONS))
    assert value(table, target="corpus", strand="forward", stratum="none")["n"] == 12
    assert value(table, target="corpus", strand="reverse", stratum="none")["n"] == 31
    assert value(table, target="train", strand="forward", stratum="1")["n"] == 31


def test_other_splits_and_parts_are_not_looked_at():
    tables = [
        nearest(IDENTITIES),
        nearest([1.0] * len(IDENTITIES), split="random"),
        nearest([1.0] * len(IDENTITIES), part="valid"),
    ]
    table = stratified(PREDICTIONS, pl.concat(tables), CELL, regression, 42)
    assert value(table, stratum="1")["n"] == 1


def test_nearest_relatives_as_the_leakage_stage_writes_them():
    items = pl.DataFrame({"id": ["rna0", "rna1", "rna2", "rna3"], "digest": list("abcd"), "length": [50] * 4})
    items = items.with_columns(split=pl.lit("human"), part=pl.lit("test"))
    hits = pl.LazyFrame(
        {
            "query": ["a", "a", "b", "c"],
            "hit": ["x", "y", "x", "z"],
            "strand": ["forward"] * 4,
            "identity": [0.65, 0.95, 1.0, 0.99],
            "coverage": [1.0, 0.9, 1.0, 0.5],
        }
    )
    table = stratified(predictions(4), leakage.nearest_relatives(items, "corpus", hits, 0.8), CELL, regression, 1)
    forward = table.filter(strand="forward", metric="mae").select("stratum", "n").rows()
    # The nearest of a has 0.95, that of c covers too little of it, d has none.
    assert dict(forward) == {"none": 2, "below 0.7": 0, "0.7-0.9": 0, "0.9-1": 1, "1": 1, "all": 4}
    assert value(table, strand="reverse", stratum="none")["n"] == 4


def test_item_that_was_not_searched_is_refused():
    with pytest.raises(InputError, match="rna30: was not searched for relatives in corpus"):
        stratified(PREDICTIONS, nearest(IDENTITIES[:-1]), CELL, regression, 42)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), min_size=2, max_size=12))
def test_strata_divide_the_items(identities):
    table = stratified(predictions(len(identities), [1]), nearest(identities), CELL, regression, 1)
    sizes = dict(table.filter(pl.col("metric") == "mae").select("stratum", "n").rows())
    assert sizes.pop("all") == len(identities) == sum(sizes.values())
