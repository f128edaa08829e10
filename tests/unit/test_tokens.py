"""Tokenising and packing."""

import string

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.tokens.packing import from_padded, pack, to_padded, token_budget_batches
from rnalm.tokens.rinalmo import REPLACEMENTS, TOKENISER, TOKENS
from small_models import TINY, encoder

MODEL = encoder(TINY).requires_grad_(False)
RNA = st.text(alphabet="ACGTNRYI", min_size=0, max_size=30)
FEW = settings(max_examples=25, deadline=None)


def hidden(sequences: list[str]) -> tuple[torch.Tensor, ...]:
    batch = pack([TOKENISER.encode(sequence) for sequence in sequences])
    return batch.split(MODEL(batch))


def test_recorded_encoding():
    assert TOKENISER.encode("acgunx-ry").tolist() == [0, 5, 6, 7, 8, 20, 3, 21, 10, 11, 2]


def test_every_letter():
    assert len(TOKENS) == 22
    for letter in string.ascii_letters + "-.*é":
        token = TOKENS[TOKENISER.encode_fragment(letter)[0]]
        plain = letter.upper().replace("U", "T")
        assert token == (plain if plain in TOKENS else "<unk>"), letter
    assert [TOKENS[i] for i in REPLACEMENTS] == list("ACGTN")


def test_letters_outside_ascii_keep_their_place():
    assert TOKENISER.encode("AéC").tolist() == [0, 5, 3, 6, 2]


@FEW
@given(RNA)
def test_fragment_has_no_special_tokens(sequence):
    assert TOKENISER.encode(sequence)[1:-1].tolist() == TOKENISER.encode_fragment(sequence).tolist()
    assert len(TOKENISER.encode(sequence)) == len(sequence) + 2


@FEW
@given(st.lists(RNA, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_permuting_sequences_permutes_outputs(sequences, random):
    order = list(range(len(sequences)))
    random.shuffle(order)
    before, after = hidden(sequences), hidden([sequences[i] for i in order])
    for i, permuted in zip(order, after, strict=True):
        torch.testing.assert_close(permuted, before[i], rtol=0, atol=1e-5)


@FEW
@given(st.lists(RNA, min_size=1, max_size=5), RNA)
def test_a_further_sequence_changes_nothing(sequences, further):
    before, after = hidden(sequences), hidden([*sequences, further])
    for alone, together in zip(before, after, strict=False):
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@FEW
@given(st.lists(RNA, min_size=1, max_size=6))
def test_positions_start_anew_in_every_sequence(sequences):
    batch = pack([TOKENISER.encode(sequence) for sequence in sequences])
    lengths = [len(sequence) + 2 for sequence in sequences]
    assert batch.positions.tolist() == [position for length in lengths for position in range(length)]
    assert batch.cu_seqlens.tolist() == [0, *np.cumsum(lengths)]
    values = batch.per_token(torch.arange(len(sequences)))
    assert values.tolist() == [i for i, length in enumerate(lengths) for _ in range(length)]


@FEW
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_padded_and_back(lengths):
    keep = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    ids = torch.arange(keep.numel()).reshape(keep.shape) * keep
    batch = from_padded(ids, keep)
    assert batch.lengths == tuple(lengths)
    assert torch.equal(to_padded(batch.ids, keep), ids)


@FEW
@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 120))
def test_batches_keep_to_the_budget(lengths, budget):
    batches = token_budget_batches(lengths, budget)
    assert sorted(i for members in batches for i in members) == list(range(len(lengths)))
    for members in batches:
        assert len(members) == 1 or sum(lengths[i] for i in members) <= budget
    flat = [lengths[i] for members in batches for i in members]
    assert flat == sorted(flat, reverse=True)
