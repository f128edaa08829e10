"""Score maps: the linear form of retention's, k-mers where they point, base pairs that they find."""

import math
import time
from collections import Counter

import numpy as np
import pytest
import torch
from rnalm.evaluation import interpretation
from rnalm.models.score_maps import dense_profile, maps, profiles
from rnalm.tokens.packing import pack
from scipy.stats import fisher_exact
from small_models import GOLDEN, encoder, ernie_rna, rnaret


def batch_of(model, *lengths):
    dice = np.random.default_rng(5)
    return pack([model.tokeniser.encode("".join(dice.choice(list("ACGT"), length))) for length in lengths])


def profile_seconds(model, length: int) -> float:
    batch = batch_of(model, length)
    began = time.process_time()
    profiles(model, batch)
    return time.process_time() - began


@pytest.mark.parametrize("k", [1, 3, 5])
def test_linear_profiles_are_those_of_the_dense_retention_map(k):
    model = rnaret(k=k)
    batch = batch_of(model, 300, 1, 129, 128, 40)
    dense = [dense_profile(layers[-1]) for layers in model.attention_maps(batch)]
    for ours, expected in zip(profiles(model, batch), dense, strict=True):
        torch.testing.assert_close(ours.first_row, expected.first_row, rtol=0, atol=1e-6)
        torch.testing.assert_close(ours.column_means, expected.column_means, rtol=0, atol=1e-6)


def test_both_branches_of_the_normaliser_occur():
    model = rnaret()
    batch = batch_of(model, 300)
    sums = model.attention_maps(batch)[0][-1].sum(dim=-1).abs()
    clipped = (sums > 1 - 1e-5).float().mean().item()
    assert 0.01 < clipped < 0.99


def test_profiles_are_means_over_all_heads_not_the_last_head():
    model = rnaret()
    batch = batch_of(model, 60)
    scores = model.attention_maps(batch)[0][-1]
    (ours,) = profiles(model, batch)
    torch.testing.assert_close(ours.first_row, scores.mean(dim=0)[0], rtol=0, atol=1e-6)
    assert not torch.allclose(ours.first_row, scores[-1, 0], atol=1e-4)


def test_profiles_do_not_depend_on_the_pack():
    model = rnaret()
    batch = batch_of(model, 150, 70)
    together = profiles(model, batch)
    for ids, ours in zip(batch.split(batch.ids), together, strict=True):
        (alone,) = profiles(model, pack([ids.numpy()]))
        torch.testing.assert_close(ours.column_means, alone.column_means, rtol=0, atol=1e-6)


def test_profiles_of_100_knt_take_linear_time():
    model = rnaret(layers=2)
    profile_seconds(model, 4_000)
    short, long = profile_seconds(model, 25_000), profile_seconds(model, 100_000)
    # Four times the length: linear is 4, quadratic 16.
    assert long < 8 * short


def test_attention_has_profiles_too():
    model = encoder(GOLDEN)
    (profile,) = profiles(model, batch_of(model, 30))
    assert profile.first_row.sum().item() == pytest.approx(1, abs=1e-5)
    assert profile.column_means.sum().item() == pytest.approx(1, abs=1e-5)


def test_maps_of_ernie_rna_are_its_pair_logits():
    model = ernie_rna()
    batch = batch_of(model, 20)
    (levels,) = maps(model, batch)
    assert len(levels) == model.config.layers + 1
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(levels, model.logit_maps(batch)[0], strict=True))
    assert len(maps(encoder(GOLDEN), batch_of(encoder(GOLDEN), 20))[0]) == GOLDEN["layers"]


def test_top_positions_are_one_percent_and_one_at_least():
    means = np.zeros(300)
    means[[7, 200, 50]] = 3, 2, 1
    assert interpretation.top_positions(means).tolist() == [7, 50, 200]
    assert interpretation.top_positions(np.array([0.1, 0.3, 0.3])).tolist() == [1]


def test_kmers_stand_with_the_position_at_their_centre():
    assert interpretation.centred("ACGTA", [0, 1, 3, 4], 3) == {"ACG": 1, "GTA": 1}
    assert interpretation.centred("ACNTACGTACGT", range(12), 9) == {"TACGTACGT": 1}


def test_codons_in_frame_are_those_of_the_coding_region():
    #           0123456789
    sequence = "GATGAAATTTC"
    assert interpretation.coding_region([0] + [1] * 9 + [0]) == (1, 10)
    assert interpretation.coding_region([0, 1, 1, 0, 1]) == (1, 3)
    assert interpretation.coding_region([0, 0]) is None
    # Two positions in one codon draw it once; outside of the region there is none.
    assert interpretation.codons(sequence, (1, 10), [0, 1, 3, 8, 10]) == {"ATG": 1, "TTT": 1}
    # In any frame a position stands at the middle of its codon.
    assert interpretation.centred(sequence, [3], 3) == {"TGA": 1}
    # A region that is cut off ends with its last whole codon.
    assert interpretation.codons(sequence, (1, 9), range(11)) == {"ATG": 1, "AAA": 1}


def test_enrichment_is_fishers_one_sided_test():
    population = Counter({"AAA": 40, "CCC": 10, "GGG": 50})
    selected = Counter({"AAA": 3, "CCC": 6, "GGG": 1})
    table = interpretation.enrichment(selected, population)
    assert table["kmer"][0] == "CCC"
    for row in table.iter_rows(named=True):
        hits, there = row["selected"], row["population"]
        expected = fisher_exact([[hits, there - hits], [10 - hits, 90 - there + hits]], alternative="greater").pvalue
        assert row["p_value"] == pytest.approx(expected, rel=1e-9)
        assert row["log2_fold"] == pytest.approx(math.log2(hits / 10 * 100 / there))
    # Benjamini and Hochberg: the smallest of three p-values is tripled.
    assert table["q_value"][0] == pytest.approx(3 * table["p_value"][0])


def test_correction_counts_the_kmers_that_were_not_drawn():
    population = Counter({f"kmer{n}": 10 for n in range(100)})
    table = interpretation.enrichment(Counter({"kmer0": 8}), population)
    assert len(table) == 1
    assert table["q_value"][0] == pytest.approx(100 * table["p_value"][0])
    assert interpretation.enrichment(Counter(), population).is_empty()


def test_a_planted_kmer_is_found():
    dice = np.random.default_rng(2)
    rnas = []
    for _ in range(40):
        letters = "".join(dice.choice(list("ACGT"), 200))
        place = int(dice.integers(20, 180))
        means = dice.random(200)
        means[place] = 5
        rnas.append((letters[: place - 4] + "GATTACAGA" + letters[place + 5 :], means, None))
    table = interpretation.enriched(rnas)
    assert table.filter(kind="9-mer")["kmer"][0] == "GATTACAGA"
    assert table.filter(kind="9-mer")["q_value"][0] < 1e-6
    assert table.filter(kind="codon")["kmer"][0] == "TAC"
    assert table.filter(kind="codon_in_frame").is_empty()


def test_means_over_samples_reach_as_far_as_a_quarter_of_them():
    rows = [np.full(length, float(length)) for length in (2, 4, 6, 8, 10)]
    means = interpretation.mean_over_samples(rows)
    assert len(means) == 8
    assert means[[0, 2, 7]].tolist() == [6, 7, 9]


def test_pair_precision_of_a_map_that_is_the_structure():
    pairs = [(0, 11), (1, 10), (2, 9), (4, 6)]  # the last is too close, and is no cell
    scores = np.zeros((12, 12))
    scores[0, 11] = scores[10, 1] = scores[9, 2] = 1
    assert interpretation.pair_precision(scores, pairs) == 1
    scores[9, 2], scores[0, 5] = 0, 1
    assert interpretation.pair_precision(scores, pairs) == pytest.approx(2 / 3)
    assert interpretation.chance(12, pairs) == pytest.approx(3 / 36)
    assert math.isnan(interpretation.pair_precision(scores, []))
