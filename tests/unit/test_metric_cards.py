"""Metric cards: every metric that code computes has one, and the page is made from them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rnalm.evaluation import cards, folds
from rnalm.evaluation.atlas import SCORES
from rnalm.tasks.scores import classification, positions, regression, structure

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
NUMBERS = np.array([1.0, 2.0, 4.0, 3.0])
ITEMS = pl.DataFrame({"id": list("abcd"), "seed": [1] * 4, "true": NUMBERS, "predicted": NUMBERS + 0.5})
CELL = {"task": "ribosome_load", "split": "human", "model": "m", "init": "frozen"}
CODING = {"family": ["mRNA", "lncRNA"], "true": [[0, 1], [0]], "probability": [[0.2, 0.9], [0.1]]}
COMPUTED = {
    "structure": structure.metrics(pl.DataFrame([{"length": 8} | structure.scored([(0, 5)], [(0, 5)], 8)])),
    "regression": regression.scores(NUMBERS, NUMBERS),
    "folds": dict(folds.fold_table([ITEMS, ITEMS], CELL, regression, 1).select("metric", "value").rows()),
    "binary": classification.binary([0, 1], [-1, 1]),
    "multiclass": classification.multiclass([0, 1, 2], np.eye(3)),
    "positions": positions.metrics(
        pl.DataFrame({"family": ["mRNA", "lncRNA"], "true": [[0, 1], [0]], "probability": [[0.2, 0.9], [0.1]]})
    ),
    "embeddings": SCORES,
    "pre-training": ["loss", "perplexity"],
}


def test_a_metric_has_one_card():
    names = [metric for card in cards.load() for metric in card.metrics]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", COMPUTED)
def test_what_is_computed_has_a_card(kind):
    assert set(COMPUTED[kind]) <= set(cards.by_name())


def test_what_has_a_card_is_computed():
    sizes = {"parameters_millions", "tokens_per_second"}
    names = {metric for card in cards.load() for metric in card.metrics}
    plain = {name for kind, found in COMPUTED.items() if kind != "folds" for name in found}
    assert names - sizes == plain | {"fold_mean_*", "fold_sd_*"}


@pytest.mark.parametrize("kind", ["structure", "regression", "folds", "binary", "multiclass", "positions"])
def test_what_is_computed_is_in_its_range(kind):
    for name, value in COMPUTED[kind].items():
        low, high = cards.by_name()[name].range
        assert (low is None or value >= low) and (high is None or value <= high), name


def test_the_page_is_made_from_the_cards():
    assert PAGE.read_text(encoding="utf-8") == cards.page(), "python -m rnalm.evaluation.cards > docs/metrics.md"


def test_an_unknown_key_of_a_card_is_refused():
    entry = dict.fromkeys(cards.Card.__dataclass_fields__) | {"trap": []}
    with pytest.raises(TypeError, match="trap"):
        cards.Card(**entry)


def test_an_epoch_is_chosen_by_the_direction_of_the_card():
    less = {
        name
        for kind, found in COMPUTED.items()
        if kind in ("structure", "regression", "binary", "multiclass", "positions")
        for name in found
        if cards.by_name()[name].best != "high"
    }
    assert less == set(regression.LESS_IS_BETTER)
