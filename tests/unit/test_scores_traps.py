"""Traps of published scores, each by its name: what a convention does to a number, on the tables that models write."""

import numpy as np
import polars as pl
import pytest
from rnalm.tasks.scores import classification, positions, regression, structure
from rnalm.tasks.scores.coding import coding_score, is_cropped_messenger, is_messenger


def yes_or_no(true, logits):
    names = ["yes" if label else "no" for label in true]
    return pl.DataFrame({"true": names, "classes": [["no", "yes"]] * len(true), "logits": [[one] for one in logits]})


def rnas(*predictions):
    """A table of (predicted pairs, true pairs, length)."""
    return pl.DataFrame([{"length": one[2]} | structure.scored(*one) for one in predictions])


def coding(true, probability, family="lncRNA"):
    return pl.DataFrame({"family": [family], "true": [true], "probability": [probability]})


def test_r2_is_not_squared_pearson():
    true = [1.0, 2.0, 3.0, 4.0]
    found = regression.metrics(pl.DataFrame({"true": true, "predicted": [2 * value + 1 for value in true]}))
    assert found["pearson_r2"] == pytest.approx(1) and found["r2"] == pytest.approx(-9.8)


def test_mae_of_the_ribosome_load_takes_predictions_below_zero_as_zero():
    found = regression.metrics(pl.DataFrame({"true": [0.5, 1.0], "predicted": [-1.0, 1.0]}))
    assert found["mae"] == 0.75 and found["clamped_mae"] == 0.25


def test_logit_of_0_3_with_label_1_in_a_batch_of_one_counts_as_positive():
    found = classification.metrics(yes_or_no([1], [0.3]))
    assert found["recall"] == 1 and found["accuracy_percent"] == 100


def test_f1_is_made_of_rounded_precision_and_recall():
    # 1 right of 6 found, of 1 true: F1 28.571 of the exact values, 28.576 of 16.67 and 100.
    items = yes_or_no([1, 0, 0, 0, 0, 0], [1.0] * 6)
    found = classification.metrics(items)
    assert found["f1_percent"] == 28.58 and 100 * found["f1"] == pytest.approx(28.5714, abs=1e-4)
    assert classification.weighted(items)(np.ones((1, 6)))["f1_percent"] == 28.58


def test_two_logits_of_a_yes_or_no_are_one_preference():
    two = pl.DataFrame({"true": ["yes", "no"], "classes": [["no", "yes"]] * 2, "logits": [[5.0, 5.5], [3.0, 2.0]]})
    assert classification.metrics(two) == classification.metrics(yes_or_no([1, 0], [0.5, -1.0]))


def test_class_that_is_not_one_of_the_head_is_refused():
    with pytest.raises(pl.exceptions.InvalidOperationError, match="SRP"):
        classification.metrics(pl.DataFrame({"true": ["SRP"], "classes": [["5S", "tRNA"]], "logits": [[0.0, 1.0]]}))


def test_relaxed_precision_looks_around_the_truth_and_recall_around_the_prediction():
    # Two predictions lie beside one true pair; another true pair has none beside it.
    found = structure.scored([(2, 20), (2, 21)], [(2, 22), (1, 20), (8, 30)], 40)
    assert found["relaxed_predicted_hits"] == 2 and found["relaxed_true_hits"] == 2
    assert found["relaxed_precision"] == 1 and found["relaxed_recall"] == pytest.approx(2 / 3)
    around_the_truth_alone = structure.scored([(5, 30), (6, 30), (4, 30)], [(5, 30)], 40)
    assert around_the_truth_alone["relaxed_predicted_hits"] == 3 and around_the_truth_alone["relaxed_true_hits"] == 1


def test_diagonal_shift_is_no_relaxed_hit():
    assert structure.scored([(3, 21)], [(2, 20)], 40)["relaxed_f1"] == 0
    assert structure.scored([(2, 21)], [(2, 20)], 40)["relaxed_f1"] == 1


def test_shift_by_one_scores_1_relaxed_and_0_exact():
    true = [(0, 30), (1, 29), (2, 28)]
    found = structure.metrics(rnas(([(i, j - 1) for i, j in true], true, 40)))
    for way in ("", "median_", "length_weighted_", "pooled_"):
        assert found[f"{way}relaxed_f1"] == 1 and found[f"{way}f1"] == 0


def test_rna_without_a_true_pair_scores_0_but_costs_the_pooled_score_only_what_is_predicted():
    right, empty = ([(0, 9), (1, 8)], [(0, 9), (1, 8)], 12), ([], [], 12)
    found = structure.metrics(rnas(right, empty))
    assert found["f1"] == 0.5 and found["pooled_f1"] == 1


def test_length_weighted_is_not_the_plain_mean():
    # As of SRP left out: .700 and .628 of one model.
    short, long = ([(0, 9)], [(0, 9)], 10), ([], [(0, 90)], 100)
    found = structure.metrics(rnas(short, long))
    assert found["f1"] == 0.5 and found["length_weighted_f1"] == pytest.approx(10 / 110)


def test_mrna_whose_cds_starts_behind_nt_3000_is_a_lncrna_by_the_released_rule_alone():
    labels = np.zeros(3200, dtype=np.int8)
    labels[3100:] = 1
    assert is_messenger(labels, "") and not is_cropped_messenger(labels, "")
    found = positions.metrics(coding(labels.tolist(), [0.1] * 3000))
    assert found["accuracy"] == 0 and found["cropped_accuracy"] == 1


def test_mrna_of_which_nothing_but_the_start_was_kept_is_an_mrna():
    found = positions.metrics(coding([0] * 3000, [0.9] * 3000, family="mRNA"))
    assert found["accuracy"] == 1 and found["cropped_accuracy"] == 0


def test_coding_score_of_exactly_one_half_is_an_mrna():
    assert coding_score([0.5] * 300) == 0.5
    assert positions.metrics(coding([1] * 60, [0.5] * 60))["accuracy"] == 1


def test_short_sequence_is_diluted_by_zeros():
    # All of 14 nt are certain, 14 / 30 is below one half.
    assert positions.metrics(coding([1] * 14, [1.0] * 14))["recall"] == 0


def test_nucleotides_behind_what_the_model_reads_are_not_scored():
    found = positions.metrics(coding([1] * 40 + [0] * 40, [0.9] * 40))
    assert found["nucleotide_accuracy"] == 1 and found["nucleotide_recall"] == 1


def test_own_labels_of_nucleotides_say_nothing_of_the_whole_rna():
    found = positions.metrics(coding([0, 1], [0.2, 0.9], family=""))
    assert found["nucleotide_f1"] == 1 and all(name.startswith("nucleotide_") for name in found)
