"""The counter-based generator: fixed values, uniform, independent between keys and between neighbouring counters."""

import numpy as np
import pytest
from rnalm import randomness

N = 1 << 18
FIXED = (3702096267218040144, [6929630314298797167, 7737439846287159972, 8053198269972657896])
SEQUENTIAL = np.arange(N, dtype=np.uint64)


@pytest.fixture(scope="module", params=[("mask", 0), ("mask", 1), ("order", 0)])
def values(request):
    return randomness.uniform(randomness.key(42, *request.param), SEQUENTIAL)


def correlation(a, b) -> float:
    return abs(np.corrcoef(a, b)[0, 1]) * N**0.5


def test_values_never_change():
    """A change here changes every corpus, mask and checkpoint that was ever made."""
    key = randomness.key(42, "member", 3)
    assert (int(key), randomness.bits(key, np.array([0, 1, 2**64 - 1], dtype=np.uint64)).tolist()) == FIXED


def test_uniform_in_one_and_two_dimensions(values):
    assert values.min() >= 0 and values.max() < 1
    for counts in (
        np.histogram(values, 1000)[0],
        np.histogram2d(values[:-1], values[1:], 32)[0].ravel(),
    ):
        expected = counts.sum() / counts.size
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi_square - counts.size) < 4 * (2 * counts.size) ** 0.5


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 1344])
def test_neighbours_are_uncorrelated(values, lag):
    assert correlation(values[:-lag], values[lag:]) < 4


def test_every_bit_is_fair_and_a_changed_bit_changes_half():
    key = randomness.key(7, "bits")
    base = randomness.bits(key, SEQUENTIAL)
    weights = np.unpackbits(base.view(np.uint8)).reshape(N, 64).mean(0)
    assert np.abs(weights - 0.5).max() < 5 * 0.5 / N**0.5
    for bit in range(64):
        flipped = base ^ randomness.bits(key, SEQUENTIAL ^ np.uint64(1 << bit))
        share = np.unpackbits(flipped[:16384].view(np.uint8)).reshape(-1, 64).mean(0)
        assert np.abs(share - 0.5).max() < 5 * 0.5 / 128


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((42, "mask", 0), (42, "mask", 1)),
        ((42, "mask", 0), (43, "mask", 0)),
        ((42, "mask", 0), (42, "order", 0)),
        ((4, "2", 0), (42, "0")),
    ],
)
def test_keys_are_independent(one, other):
    """At the same counter, at neighbouring ones, and even where only the key's last bit differs."""
    a = randomness.key(*one)
    assert a != randomness.key(*other)
    first = randomness.uniform(a, SEQUENTIAL)
    for b in (randomness.key(*other), a ^ np.uint64(1), a + np.uint64(1)):
        second = randomness.uniform(b, SEQUENTIAL)
        assert correlation(first, second) < 4
        assert correlation(first[1:], second[:-1]) < 4


def test_counters_never_collide():
    """`bits` is a bijection, so that an order by it has no ties between different counters."""
    digests = np.random.default_rng(0).integers(0, 2**64, N, dtype=np.uint64)
    for counters in (SEQUENTIAL, np.unique(digests)):
        assert np.unique(randomness.bits(randomness.key(1), counters)).size == counters.size


def test_no_number_depends_on_the_others():
    key = randomness.key(1, "x")
    order = np.random.default_rng(0).permutation(1000)
    whole = randomness.bits(key, SEQUENTIAL[:1000])
    assert (randomness.bits(key, SEQUENTIAL[:1000][order]) == whole[order]).all()
    assert randomness.bits(key, np.uint64(17)) == whole[17]


def test_digest_counters():
    digests = [
        "0000000000000001ffffffffffffffff",
        "ffffffffffffffff0000000000000000",
        "d41d8cd98f00b204e9800998ecf8427e",
    ]
    counters = randomness.digest_counters(digests)
    assert counters.dtype == np.uint64
    assert counters.tolist() == [1, 2**64 - 1, 0xD41D8CD98F00B204]
