"""Masks: the paper's shares, and a function of (key, row, position) alone."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from rnalm.models.rinalmo import token_dropout
from rnalm.randomness import key
from rnalm.tokens.loader import IGNORED, prepare
from rnalm.tokens.packing import pack
from rnalm.tokens.rinalmo import CLS, EOS, MASK, PAD, REPLACEMENTS, TOKENISER, TOKENS, UNKNOWN, mask
from small_models import transfer_rnas

KEY = key(42, "mask", 0)
LENGTH, ROWS = 1024, 1000


@pytest.fixture(scope="module")
def many():
    """A million tokens without special ones: (clean, masked, True where selected), each (ROWS, LENGTH)."""
    clean = np.random.default_rng(0).integers(MASK + 1, len(TOKENS), (ROWS, LENGTH)).astype(np.uint8)
    masked, selected = np.empty_like(clean), np.zeros(clean.shape, dtype=bool)
    for row, ids in enumerate(clean):
        masked[row], where = mask(ids, row, KEY)
        selected[row, where] = True
    return clean, masked, selected


def likely(count: int, trials: int, share: float) -> bool:
    """Within five standard deviations of a binomial."""
    return abs(count - share * trials) < 5 * np.sqrt(trials * share * (1 - share))


def test_shares(many):
    clean, masked, selected = many
    clean, after, chosen = clean[selected], masked[selected], selected.sum()
    assert likely(chosen, selected.size, 0.15)
    assert likely((after == MASK).sum(), chosen, 0.8)
    # Of the replaced, one in 22 - 5 letters is replaced by itself one time in five.
    same = 0.1 * np.isin(clean, REPLACEMENTS).mean() / len(REPLACEMENTS)
    assert likely((after == clean).sum(), chosen, 0.1 + same)
    assert likely(((after != clean) & (after != MASK)).sum(), chosen, 0.1 - same)


def test_tokens_not_selected_stay(many):
    clean, masked, selected = many
    assert np.array_equal(clean[~selected], masked[~selected])


def test_replacements_are_a_c_g_t_n_alike(many):
    clean, masked, selected = many
    # A clean token that is no replacement itself shows every replacement.
    shown = selected & ~np.isin(clean, REPLACEMENTS) & (masked != clean) & (masked != MASK)
    found, counts = np.unique(masked[shown], return_counts=True)
    assert set(found) == set(REPLACEMENTS)
    assert all(likely(count, shown.sum(), 0.2) for count in counts)


def test_every_position_alike(many):
    _, _, selected = many
    assert all(likely(count, ROWS, 0.15) for count in selected.sum(axis=0))
    assert all(likely(count, LENGTH, 0.15) for count in selected.sum(axis=1))


def test_a_short_sequence_is_never_masked_whole():
    """Its scale would be infinite: of one nucleotide, which is often masked, `<cls>` and `<eos>` stay."""
    masked = [mask(TOKENISER.encode("A"), row, KEY)[0] for row in range(200)]
    assert any(MASK in ids for ids in masked)
    batch = pack(masked)
    assert token_dropout(torch.ones(len(batch.ids), 1), batch).isfinite().all()


def test_special_tokens_are_never_selected():
    ids = np.tile(np.array([CLS, PAD, EOS, UNKNOWN, MASK], dtype=np.uint8), 2000)
    masked, selected = mask(ids, 3, KEY)
    assert len(selected) == 0
    assert np.array_equal(masked, ids)
    for row in range(200):
        _, selected = mask(TOKENISER.encode("GGX"), row, KEY)
        assert set(selected) <= {1, 2}


def test_input_is_left_alone():
    ids = TOKENISER.encode("ACGT" * 50)
    before = ids.copy()
    mask(ids, 0, KEY)
    assert np.array_equal(ids, before)


def test_function_of_key_row_and_position():
    ids = TOKENISER.encode("ACGT" * 100)
    _, selected = mask(ids, 7, KEY)
    assert np.array_equal(mask(ids, 7, KEY)[1], selected)
    # Other letters, and fewer of them, leave the choice of positions.
    assert np.array_equal(mask(TOKENISER.encode("GGCA" * 100), 7, KEY)[1], selected)
    assert np.array_equal(mask(ids[:200], 7, KEY)[1], selected[selected < 200])
    for other in (mask(ids, 8, KEY), mask(ids, 7, key(42, "mask", 1)), mask(ids, 7, key(43, "mask", 0))):
        assert not np.array_equal(other[1], selected)


def test_neighbouring_rows_are_independent():
    """Selected positions of row r and r + 1 agree as often as chance has it."""
    ids = np.full(4096, MASK + 1, dtype=np.uint8)
    rows = [set(mask(ids, row, KEY)[1]) for row in range(50)]
    both = sum(len(a & b) for a, b in pairwise(rows))
    assert likely(both, 49 * 4096, 0.15**2)


def masks_by_sequence(rows: pl.DataFrame, world_size: int, budget: int) -> set:
    """Every masked sequence with its targets, over all ranks and micro-batches."""
    found = set()
    for rank in range(world_size):
        for micro in prepare(rows, TOKENISER, KEY, rank, world_size, budget).micro_batches:
            real = micro.targets != IGNORED
            targets = dict(zip(micro.selected[real].tolist(), micro.targets[real].tolist(), strict=True))
            for start, ids in zip(micro.batch.cu_seqlens.tolist(), micro.batch.split(micro.batch.ids), strict=False):
                if ids[0] != PAD:
                    own = tuple((i, targets[start + i]) for i in range(len(ids)) if start + i in targets)
                    found.add((tuple(ids.tolist()), own))
    return found


@pytest.mark.parametrize(("world_size", "budget"), [(1, 10**6), (1, 200), (2, 500), (3, 300), (7, 80)])
def test_same_masks_for_any_number_of_processes_and_batches(world_size, budget):
    sequences = sorted({record.sequence for record in transfer_rnas()[:40]})
    rows = pl.DataFrame({"row": range(100, 100 + len(sequences)), "sequence": sequences, "is_fragment": False})
    alone = set()
    for row, sequence in enumerate(sequences, 100):
        clean = TOKENISER.encode(sequence)
        masked, selected = mask(clean, row, KEY)
        alone.add((tuple(masked.tolist()), tuple((int(i), int(clean[i])) for i in selected)))
    assert masks_by_sequence(rows, world_size, budget) == alone
