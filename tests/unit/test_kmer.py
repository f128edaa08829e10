"""RNAret's tokeniser and masks."""

import numpy as np
import pytest
from rnalm.randomness import key
from rnalm.tokens.kmer import CLS, FIL, MASK, PAD, SPECIAL, UNKNOWN, KmerTokeniser

KEY = key(42, "mask", 0)
EVERY = pytest.mark.parametrize("k", [1, 3, 5])


@pytest.mark.parametrize(
    ("k", "ids"), [(1, [6, 7, 9, 9, 8, 7]), (3, [1, 13, 37, 68, 63, 1]), (5, [1, 1, 132, 511, 1, 1])]
)
def test_recorded_encoding(k, ids):
    assert KmerTokeniser(k).encode("AUGGCU").tolist() == ids
    assert KmerTokeniser(k).encode("atggct").tolist() == ids


@EVERY
def test_ids(k):
    tokens = KmerTokeniser(k).tokens
    assert len(tokens) == 4**k + 6 == len(set(tokens))
    assert (PAD, FIL, UNKNOWN, CLS, MASK) == (0, 1, 2, 3, 4)
    assert (tokens[6], tokens[-1]) == ("A" * k, "G" * k)
    assert sorted(tokens[6:], key=lambda token: ["ATCG".index(letter) for letter in token]) == list(tokens[6:])


@EVERY
def test_token_i_is_the_kmer_around_nucleotide_i(k):
    sequence = "".join(np.random.default_rng(0).choice(list("ACGT"), 50))
    tokeniser, side = KmerTokeniser(k), k // 2
    ids = tokeniser.encode(sequence)
    assert [tokeniser.tokens[i] for i in ids[side : 50 - side]] == [sequence[i : i + k] for i in range(50 - k + 1)]
    assert set(ids[:side]) | set(ids[50 - side :]) <= {FIL}


@EVERY
def test_an_ambiguous_letter_makes_k_unknown_kmers(k):
    ids = KmerTokeniser(k).encode("ACGTACGNACGTACé")
    unknown = [i for i in range(15) if ids[i] == UNKNOWN]
    assert unknown == [*range(7 - k // 2, 8 + k // 2), *range(14 - k // 2, 15 - k // 2)]


@EVERY
def test_shorter_than_k(k):
    for length in range(k):
        assert KmerTokeniser(k).encode("A" * length).tolist() == [FIL] * length


@EVERY
def test_masks_are_windows_of_k(k):
    tokeniser = KmerTokeniser(k)
    ids = tokeniser.encode("".join(np.random.default_rng(1).choice(list("ACGT"), 997)))
    before, share = ids.copy(), 0
    for row in range(200):
        masked, selected = tokeniser.mask(ids, row, KEY)
        assert np.array_equal(ids, before)
        assert np.array_equal(np.delete(masked, selected), np.delete(ids, selected))
        runs = np.split(selected, np.flatnonzero(np.diff(selected) > 1) + 1)
        assert min(map(len, runs)) >= k
        assert not np.isin(masked[selected], [PAD, UNKNOWN, CLS, SPECIAL.index("<unused>")]).any()
        share += len(selected) / len(ids) / 200
    # With overlaps, 1 - exp(-0.15).
    assert share == pytest.approx(0.1393, abs=0.003)


@EVERY
def test_shares_of_the_selected(k):
    tokeniser = KmerTokeniser(k)
    ids = tokeniser.encode("".join(np.random.default_rng(2).choice(list("ACGT"), 5000)))
    chosen = [
        (masked[selected], ids[selected]) for masked, selected in (tokeniser.mask(ids, r, KEY) for r in range(100))
    ]
    after, before = map(np.concatenate, zip(*chosen, strict=True))
    kmers = 4**k
    assert (after == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (after == before).mean() == pytest.approx(0.1 + 0.1 / kmers, abs=0.01)
    replaced = after[(after != MASK) & (after != before)]
    assert set(replaced) <= set(range(6, 6 + kmers))
    if k < 5:
        assert set(replaced) == set(range(6, 6 + kmers))


@EVERY
def test_masks_are_a_function_of_key_and_row(k):
    tokeniser = KmerTokeniser(k)
    ids = tokeniser.encode("ACGT" * 100)
    first, again = tokeniser.mask(ids, 7, KEY), tokeniser.mask(ids, 7, KEY)
    assert all(map(np.array_equal, first, again))
    for other in (tokeniser.mask(ids, 8, KEY), tokeniser.mask(ids, 7, key(43, "mask", 0))):
        assert not np.array_equal(other[1], first[1])


@EVERY
def test_masks_of_short_sequences(k):
    tokeniser = KmerTokeniser(k)
    for length in range(8):
        masked, selected = tokeniser.mask(tokeniser.encode("ACGTACG"[:length]), 3, KEY)
        assert len(masked) == length
        assert len(selected) == min(length, k) or length > 6
