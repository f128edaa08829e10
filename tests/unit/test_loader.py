"""From a draw's rows to global batches, shares and micro-batches."""

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.randomness import key
from rnalm.tokens.loader import (
    IGNORED,
    SELECTED_MULTIPLE,
    TOKEN_MULTIPLE,
    MaskedBatch,
    global_batches,
    pack_masked,
    prepare,
    shares,
)
from rnalm.tokens.packing import pack
from rnalm.tokens.rinalmo import CLS, EOS, PAD, TOKENISER, mask
from rnalm.training.pretraining import MaskedLanguageModel
from small_models import TINY, encoder, transfer_rnas

KEY = key(42, "mask", 0)
ROWS = 103


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    sequences = [record.sequence for record in transfer_rnas()[:ROWS]]
    return pl.DataFrame({"row": range(ROWS), "sequence": sequences, "is_fragment": [i % 3 == 0 for i in range(ROWS)]})


@pytest.fixture(scope="module")
def shards(rows, tmp_path_factory):
    """The rows in shards that end nowhere near a batch."""
    folder = tmp_path_factory.mktemp("draw")
    paths, sizes = [], (1, 37, 5, 40, 20)
    for number, size in enumerate(sizes):
        paths.append(folder / f"shard-{number:05d}.parquet")
        rows.slice(sum(sizes[:number]), size).write_parquet(paths[-1])
    return paths


@pytest.mark.parametrize("size", [1, 7, 10, 40, 103, 500])
def test_row_r_is_in_batch_r_over_size(shards, rows, size):
    batches = list(global_batches(shards, size))
    assert [len(batch) for batch in batches] == [size] * (ROWS // size) + [ROWS % size] * bool(ROWS % size)
    assert pl.concat(batches).equals(rows)
    for number, batch in enumerate(batches):
        assert set(batch["row"] // size) == {number}


@pytest.mark.parametrize("size", [7, 10, 40])
def test_resuming_at_any_batch_gives_the_same_rest(shards, size):
    whole = list(global_batches(shards, size))
    for first in range(len(whole) + 1):
        rest = list(global_batches(shards, size, first * size))
        assert len(rest) == len(whole) - first
        assert all(a.equals(b) for a, b in zip(whole[first:], rest, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(18, 1024), max_size=150), st.sampled_from([1, 2, 3, 7]))
def test_shares_partition_the_batch_by_cost(lengths, world_size):
    parts = shares(lengths, world_size)
    assert len(parts) == world_size
    assert sorted(i for part in parts for i in part) == list(range(len(lengths)))
    costs = [length * (1 + length / 8000) for length in lengths]
    loads = [sum(costs[i] for i in part) for part in parts]
    # Longest first to the least loaded: no two processes differ by more than one sequence.
    assert max(loads) - min(loads) <= max(costs, default=0)


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_every_process_counts_the_whole_batch_and_packs_its_part(rows, world_size):
    prepared = [prepare(rows, TOKENISER, KEY, rank, world_size, 300) for rank in range(world_size)]
    assert len({(part.tokens, part.selected) for part in prepared}) == 1
    own_tokens = [
        sum(len(ids) for ids in micro.batch.split(micro.batch.ids) if ids[0] != PAD)
        for part in prepared
        for micro in part.micro_batches
    ]
    assert sum(own_tokens) == prepared[0].tokens
    assert max(own_tokens) <= 300
    own_targets = sum((micro.targets != IGNORED).sum() for part in prepared for micro in part.micro_batches)
    assert own_targets == prepared[0].selected


def test_fragments_have_no_special_tokens(rows):
    (micro,) = prepare(rows, TOKENISER, KEY, 0, 1, 10**6).micro_batches
    streams = [ids for ids in micro.batch.split(micro.batch.ids) if ids[0] != PAD]
    whole = sum(bool(ids[0] == CLS) and bool(ids[-1] == EOS) for ids in streams)
    assert whole == (~rows["is_fragment"]).sum()
    assert sum(map(len, streams)) == rows["sequence"].str.len_bytes().sum() + 2 * whole


def test_shapes_are_rounded(rows):
    for micro in prepare(rows, TOKENISER, KEY, 0, 1, 1000).micro_batches:
        assert len(micro.batch.ids) % TOKEN_MULTIPLE == 0
        assert len(micro.selected) == len(micro.targets)
        assert len(micro.targets) % SELECTED_MULTIPLE == 0


def test_filler_and_ignored_targets_change_neither_loss_nor_gradients():
    def loss_and_gradients(masked: MaskedBatch):
        model = MaskedLanguageModel(encoder(TINY))
        loss, right = model(masked)
        loss.backward()
        return loss.detach(), right, {name: parameter.grad for name, parameter in model.named_parameters()}

    clean = [TOKENISER.encode(record.sequence) for record in transfer_rnas()[:5]]
    masked = [mask(ids, row, KEY) for row, ids in enumerate(clean)]
    rounded = pack_masked(clean, masked, PAD)
    real = rounded.targets != IGNORED
    plain = MaskedBatch(pack([ids for ids, _ in masked]), rounded.selected[real], rounded.targets[real])
    assert len(rounded.batch.lengths) == len(plain.batch.lengths) + 1
    assert len(rounded.targets) > len(plain.targets)
    loss, right, gradients = loss_and_gradients(rounded)
    plain_loss, plain_right, plain_gradients = loss_and_gradients(plain)
    torch.testing.assert_close(loss, plain_loss)
    assert right == plain_right
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], atol=1e-5, rtol=1e-5, msg=name)


def test_a_process_without_a_sequence_has_gradients_of_zero(rows):
    """The last batch of an epoch may be smaller than the number of processes, each of which must call backward."""
    prepared = [prepare(rows.head(2), TOKENISER, KEY, rank, 3, 300) for rank in range(3)]
    assert len({(part.tokens, part.selected) for part in prepared}) == 1
    idle = [micro for part in prepared for micro in part.micro_batches if (micro.targets == IGNORED).all()]
    assert [len(part.micro_batches) for part in prepared] == [1, 1, 1]
    assert len(idle) == 1
    model = MaskedLanguageModel(encoder(TINY))
    loss, right = model(idle[0])
    loss.backward()
    assert (loss, right) == (0, 0)
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())


def test_a_batch_without_any_selected_token():
    row = next(row for row in range(1000) if len(mask(TOKENISER.encode("ACG"), row, KEY)[1]) == 0)
    rows = pl.DataFrame({"row": [row], "sequence": ["ACG"], "is_fragment": [False]})
    part = prepare(rows, TOKENISER, KEY, 0, 1, 300)
    (micro,) = part.micro_batches
    loss, _ = MaskedLanguageModel(encoder(TINY))(micro)
    assert (loss / part.selected).item() == 0
