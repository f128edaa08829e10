"""ERNIE-RNA: its tokens and masks, its pairs, and the two ways of its attention."""

import numpy as np
import pytest
import torch
from rnalm.models.accumulated_attention import Carried, Concatenated
from rnalm.models.ernie_rna import pair_scores, sinusoids, token_classes
from rnalm.randomness import key
from rnalm.tokens.ernie_rna import MASK, REPLACEMENTS, TOKENISER, TOKENS
from rnalm.tokens.packing import pack
from small_models import ernie_rna

KEY = key(42, "mask", 0)
HAIRPIN = "GGGGAAAACCCC"


def random_rna(length: int, seed: int = 0) -> np.ndarray:
    return TOKENISER.encode("".join(np.random.default_rng(seed).choice(list("ACGUN"), length)))


# Tokens and masks


def test_encoding():
    assert len(TOKENS) == 25
    assert TOKENISER.encode("acgtUNX-i*").tolist() == [0, 5, 7, 4, 6, 6, 8, 19, 3, 20, 3, 2]
    assert TOKENISER.encode_fragment("ACG").tolist() == [5, 7, 4]


def test_number_of_masks():
    """0.15 T, rounded up or down at random; special tokens are selected like others."""
    for length in (1, 8, 61, 498):
        ids = random_rna(length)
        numbers = [len(TOKENISER.mask(ids, row, KEY)[1]) for row in range(500)]
        share = 0.15 * len(ids)
        assert set(numbers) <= {int(share), int(share) + 1}
        assert np.mean(numbers) == pytest.approx(share, abs=0.1)
    selected = [TOKENISER.mask(random_rna(8), row, KEY)[1] for row in range(2000)]
    counts = np.bincount(np.concatenate(selected), minlength=10)
    assert (np.abs(counts - 300) < 5 * np.sqrt(300)).all()
    assert all(np.array_equal(np.unique(some), some) for some in selected)


def test_shares_of_the_selected():
    ids = random_rna(5000)
    chosen = [
        (masked[selected], ids[selected]) for masked, selected in (TOKENISER.mask(ids, r, KEY) for r in range(100))
    ]
    after, before = map(np.concatenate, zip(*chosen, strict=True))
    # The mask is one of the 21 replacements too.
    assert (after == MASK).mean() == pytest.approx(0.8 + 0.1 / 21, abs=0.01)
    assert (after == before).mean() == pytest.approx(0.1 + 0.1 / 21, abs=0.01)
    found, counts = np.unique(after[(after != MASK) & (after != before)], return_counts=True)
    assert set(found) == set(REPLACEMENTS) - {MASK}
    rare = counts[~np.isin(found, TOKENISER.encode_fragment("ACGUN"))]
    assert rare.max() < 1.3 * rare.min()


def test_masks_are_a_function_of_key_and_row():
    ids = random_rna(400)
    first, again = TOKENISER.mask(ids, 7, KEY), TOKENISER.mask(ids, 7, KEY)
    assert all(map(np.array_equal, first, again))
    for other in (TOKENISER.mask(ids, 8, KEY), TOKENISER.mask(ids, 7, key(43, "mask", 0))):
        assert not np.array_equal(other[1], first[1])


# Pairs


def pair_matrix(ids, selected=None, mask_pairs: bool = True) -> np.ndarray:
    classes = token_classes(pack([ids], selected), mask_pairs)
    return pair_scores()[classes][:, classes].numpy()


def test_pair_matrix_of_a_hairpin():
    matrix = pair_matrix(TOKENISER.encode(HAIRPIN))
    assert matrix.shape == (14, 14)
    assert np.array_equal(matrix, matrix.T)
    assert np.count_nonzero(matrix) == 32
    assert (matrix[1, 12], matrix[2, 11]) == (3, 3)


def test_pair_scores():
    letters = "GAUCNX"
    matrix = pair_matrix(TOKENISER.encode(letters))[1:-1, 1:-1]
    scores = {frozenset("AU"): 2, frozenset("GC"): 3, frozenset("GU"): 0.8}
    expected = [[scores.get(frozenset((a, b)), 0) for b in letters] for a in letters]
    np.testing.assert_allclose(matrix, expected, rtol=1e-7)


def test_selected_tokens_have_rows_and_columns_of_minus_one():
    """Masked, replaced and kept alike: from what is left of the true sequence."""
    ids = TOKENISER.encode(HAIRPIN)
    true = pair_matrix(ids)
    masked, selected = ids.copy(), np.array([1, 4, 6])
    masked[1], masked[4] = MASK, TOKENS.index("C")
    matrix = pair_matrix(masked, selected)
    expected = true.copy()
    expected[selected, :] = expected[:, selected] = -1
    assert np.array_equal(matrix, expected)


def test_mask_at_inference():
    ids = TOKENISER.encode(HAIRPIN)
    ids[2] = MASK
    assert (pair_matrix(ids)[2] == -1).all() and (pair_matrix(ids)[:, 2] == -1).all()
    assert not pair_matrix(ids, mask_pairs=False)[2].any()
    batch = pack([ids])
    ours, as_published = ernie_rna()(batch), ernie_rna(mask_pairs=False)(batch)
    assert (ours - as_published).abs().max() > 1e-3
    # In pre-training there is no choice.
    selected = pack([ids], np.array([2]))
    assert torch.equal(ernie_rna(mask_pairs=False)(selected), ernie_rna()(selected))


def test_equal_pairs_are_no_bias():
    """A bias that is one number per head cancels in every softmax and shifts the exported logits."""
    model, flat = ernie_rna(), ernie_rna()
    with torch.no_grad():
        flat.twod_proj.linear1.weight.zero_()
        batch = pack([TOKENISER.encode(HAIRPIN)])
        hidden = flat(batch)
        logits = flat.logit_maps(batch)[0][-1]
        flat.twod_proj.linear2.bias += torch.arange(6.0)
        torch.testing.assert_close(flat(batch), hidden, rtol=0, atol=1e-5)
        shifted = flat.logit_maps(batch)[0][-1] - logits
        torch.testing.assert_close(shifted, torch.arange(6.0)[:, None, None].expand_as(shifted), rtol=0, atol=1e-4)
        assert (model(batch) - hidden).abs().max() > 1e-3


# Positions


def test_sinusoids():
    table = sinusoids(torch.arange(1100), 768)
    assert table.shape == (1100, 768)
    frequencies = np.exp(-np.arange(384) * np.log(10000) / 383)
    product = np.arange(1100)[:, None] * frequencies
    np.testing.assert_allclose(table[:, :384], np.sin(product), atol=2e-4)
    np.testing.assert_allclose(table[:, 384:], np.cos(product), atol=2e-4)


def test_the_first_token_is_at_two():
    model = ernie_rna()
    batch = pack([TOKENISER.encode("ACG"), TOKENISER.encode("GG")])
    expected = model.emb_layer_norm(
        model.embed_tokens(batch.ids) + sinusoids(torch.tensor([2, 3, 4, 5, 6, 2, 3, 4, 5]), 72)
    )
    assert torch.equal(model.embed(batch), expected)


# Attention


def layers(seed: int, count: int, heads: int, length: int, depth: int):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(heads, 6, 6, generator=generator).requires_grad_()
    classes = torch.randint(0, 6, (count, length), generator=generator)
    shape = (depth, 3, count, heads, length, 16)
    return table, classes, torch.randn(shape, generator=generator).requires_grad_()


def attend(way, table, classes, inputs, dropout: float = 0.0) -> torch.Tensor:
    part = way(table, classes)
    return torch.stack([part.attend(0.25 * q, k, v, dropout) for q, k, v in inputs])


@pytest.mark.parametrize(("count", "length"), [(1, 1), (3, 17), (1, 150)])
def test_both_ways_are_equal(count, length, monkeypatch):
    # Several tiles, the last of them shorter.
    monkeypatch.setattr("rnalm.models.accumulated_attention.TILE", 40 * 150)
    monkeypatch.setattr("rnalm.models.accumulated_attention.CACHED", 5 * 17**2)
    made = layers(0, count, 4, length, 12)
    carried, concatenated = attend(Carried, *made), attend(Concatenated, *made)
    torch.testing.assert_close(concatenated, carried, rtol=0, atol=1e-5)
    weights = torch.randn(carried.shape, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad((out * weights).sum(), (made[0], made[2])) for out in (carried, concatenated)]
    for expected, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 * max(1, expected.abs().max().item()))


def test_formula():
    """Layer l: softmax of the bias and of all products so far."""
    table, classes, inputs = layers(0, 1, 4, 20, 3)
    logits = torch.stack([table[:, i, :][:, classes[0]] for i in classes[0]], dim=1)[None]
    for (q, k, v), ours in zip(inputs, attend(Carried, table, classes, inputs), strict=True):
        logits = logits + 0.25 * torch.einsum("bhid,bhjd->bhij", q, k)
        torch.testing.assert_close(ours, torch.softmax(logits, dim=-1) @ v)


@pytest.mark.parametrize("way", [Carried, Concatenated])
def test_dropout(way):
    table, classes, inputs = layers(0, 1, 4, 200, 1)
    ones = torch.stack([inputs[:, 0], inputs[:, 1], torch.ones_like(inputs[:, 2])], dim=1)
    torch.manual_seed(0)
    sums = attend(way, table, classes, ones, 0.3).detach()
    assert abs(sums.mean() - 1) < 0.05
    assert sums.std() > 0.05


def test_logits_are_summed_in_fp32():
    table, classes, inputs = layers(0, 1, 4, 20, 12)
    for way in (Carried, Concatenated):
        half = attend(way, table, classes, inputs.bfloat16())
        assert half.dtype == torch.bfloat16
        assert ((half.float() - attend(way, table, classes, inputs)).norm() / half.float().norm()) < 0.02


@torch.no_grad()
def test_no_limit_of_length():
    """1,100 nt are concatenated, equal to what is carried, and logits of every layer are to be had."""
    model = ernie_rna()
    batch = pack([random_rna(1100), random_rna(20, 1)])
    maps = model.logit_maps(batch)
    assert [[tuple(matrix.shape) for matrix in levels] for levels in maps] == [[(6, 1102, 1102)] * 4, [(6, 22, 22)] * 4]
    x, pairs = model.embed(batch), model.pair_logits(batch, carried=2000)
    for layer in model.layers:
        x = layer(x, pairs)
    torch.testing.assert_close(model(batch), x, rtol=0, atol=1e-5)
    weights = model.attention_maps(batch)[1]
    torch.testing.assert_close(weights[-1].sum(dim=-1), torch.ones(6, 22))
