"""Perplexity: the loss of what a family's own masks hide, the same in any batch, by group."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from published_weights import rnalm_
from rnalm.evaluation import perplexity
from rnalm.models import directory, registry
from rnalm.randomness import key
from rnalm.tokens.packing import pack
from small_models import encoder, ernie_rna, rnaret, transfer_rnas

pytestmark = pytest.mark.usefixtures("no_gradients")
SEQUENCES = [rna.sequence for rna in transfer_rnas()[:6]] + ["ACGTTGCAAC", "GGGGAAAACCCC" * 20]
FAMILIES = pytest.mark.parametrize("made", [encoder, ernie_rna, rnaret])


@FAMILIES
def test_it_is_the_cross_entropy_of_what_pre_training_hides(made):
    model = made()
    found = perplexity.survey(model, SEQUENCES, seed=7)
    for i, sequence in enumerate(SEQUENCES):
        ids = model.tokeniser.encode(sequence)
        hidden, selected = model.tokeniser.mask(ids, i, key(7, "perplexity", "mask"))
        shares = model.logits(model(pack([hidden], selected))).log_softmax(dim=1).numpy()[selected]
        expected = -shares[np.arange(len(selected)), ids[selected]]
        assert found["tokens"][i] == len(selected)
        assert found["loss"][i] == pytest.approx(expected.sum(), abs=1e-3)
        assert found["right"][i] == (shares.argmax(axis=1) == ids[selected]).sum()


@FAMILIES
def test_neighbours_in_a_batch_change_nothing(made, monkeypatch):
    model = made()
    together = perplexity.survey(model, SEQUENCES, seed=7)
    monkeypatch.setattr(perplexity, "TOKENS_PER_BATCH", 1)
    alone = perplexity.survey(model, SEQUENCES, seed=7)
    assert together["tokens"].equals(alone["tokens"])
    np.testing.assert_allclose(together["loss"], alone["loss"], atol=1e-3)


def test_a_model_that_knows_nothing_guesses():
    model = encoder()
    for parameter in model.parameters():
        parameter.zero_()
    table = perplexity.by_group(perplexity.survey(model, SEQUENCES, seed=7), ["all"] * len(SEQUENCES))
    assert table["perplexity"].to_list() == pytest.approx([len(model.tokeniser.tokens)], rel=1e-5)


def test_groups_are_weighted_by_tokens():
    surveyed = pl.DataFrame({"tokens": [1, 3, 0, 4], "loss": [2.0, 2.0, 0.0, 8.0], "right": [0, 3, 0, 1]})
    table = perplexity.by_group(surveyed, ["b", "b", "short", "a"])
    assert table.rows() == [
        ("all", 4, 8, 1.5, pytest.approx(math.exp(1.5)), 0.5),
        ("a", 1, 4, 2.0, pytest.approx(math.exp(2)), 0.25),
        ("b", 2, 4, 1.0, pytest.approx(math.e), 0.75),
        ("short", 1, 0, None, None, None),
    ]


def test_the_command(tmp_path, capsys):
    torch.manual_seed(0)
    directory.save(tmp_path / "model", encoder(), "a card")
    records = "".join(f">{i} {'tRNA' if i < 6 else 'other'}\n{s}\n" for i, s in enumerate(SEQUENCES))
    (tmp_path / "in.fa").write_text(records.replace("T", "u").replace("uRNA", "tRNA"))
    rnalm_("perplexity", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.csv", "--label-from", "header")
    table = pl.read_csv(tmp_path / "out.csv")
    assert table["group"].to_list() == ["all", "other", "tRNA"] and table["sequences"].to_list() == [8, 2, 6]
    expected = perplexity.by_group(perplexity.survey(encoder(), SEQUENCES, 42), ["all"] * 8)
    assert table["perplexity"][0] == pytest.approx(expected["perplexity"][0], abs=1e-3)
    rnalm_("perplexity", tmp_path / "model", tmp_path / "in.fa")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "group,sequences,tokens,loss,perplexity,accuracy" and len(printed) == 2


def test_features_predict_no_tokens(tmp_path, capsys):
    directory.save(tmp_path / "model", registry.build({"family": "kmer"}), "a card")
    (tmp_path / "in.fa").write_text(">a\nACGU\n")
    with pytest.raises(SystemExit) as ended:
        rnalm_("perplexity", tmp_path / "model", tmp_path / "in.fa")
    assert ended.value.code == 2 and "predicts no tokens" in capsys.readouterr().err


def test_labels_are_not_written_over(tmp_path, capsys):
    directory.save(tmp_path / "model", encoder(), "a card")
    (tmp_path / "in.fa").write_text(">a\nACGU\n")
    (labels := tmp_path / "labels.csv").write_text("id,label\na,one\n")
    with pytest.raises(SystemExit):
        rnalm_("perplexity", tmp_path / "model", tmp_path / "in.fa", "--label-from", labels, "-o", labels)
    assert "is the input itself" in capsys.readouterr().err and labels.read_text() == "id,label\na,one\n"
