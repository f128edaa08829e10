"""Retention: the linear form equals the quadratic one, forward and backward, in any chunks and stretches."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.models.retention import CHUNK, Chunks, chunkwise, decay_sums, decays, leaving_left, parallel
from rnalm.models.rnaret import STRETCH, WHOLE
from rnalm.tokens.packing import pack
from small_models import rnaret

HEADS = 4
SIZES = pytest.mark.parametrize("size", [16, 64, 128, 300])


def made(tokens: int, seed: int = 0, grad: bool = False) -> list[torch.Tensor]:
    """q, k, v of the published head sizes; a third of the row sums are beyond 1, where the normaliser changes sides."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(tokens, HEADS, 96), (tokens, HEADS, 96), (tokens, HEADS, 128)]
    q, k, v = (torch.randn(shape, generator=generator) for shape in shapes)
    return [x.requires_grad_(grad) for x in (q, 0.1 * k, v)]


@functools.cache
def made_with_reference(length: int) -> tuple[torch.Tensor, ...]:
    q, k, v = made(length)
    return q, k, v, parallel(q, k, v, (length,))


def streamed(q, k, v, chunks: Chunks, stretch: int) -> torch.Tensor:
    """The chunkwise form, `stretch` chunks at a time: states from the right first, then outputs from the left."""
    stretches = list(chunks.stretches(stretch))
    arriving = [None]
    for tokens, part in stretches[:0:-1]:
        arriving.append(leaving_left(k[tokens], v[tokens], part, arriving[-1]))
    left, outputs = None, []
    for tokens, part in stretches:
        out, left = chunkwise(q[tokens], k[tokens], v[tokens], part, left, arriving.pop())
        outputs.append(out)
    return torch.cat(outputs)


def assert_equal(ours, reference) -> None:
    """To 1e-6 in norm, and no element further off than 2e-6 of the largest."""
    assert relative(ours, reference) < 1e-6
    torch.testing.assert_close(ours, reference, rtol=0, atol=2e-6 * reference.abs().max().item())


def relative(ours, reference) -> float:
    return ((ours - reference).norm() / reference.norm()).item()


def test_both_sides_of_the_normaliser_occur():
    q, k, _ = made(300)
    scores = torch.einsum("nhd,mhd->hnm", q, k)
    places = torch.arange(300)
    scores = scores * decays(HEADS)[:, None, None] ** (places[:, None] - places).abs()
    sums = scores.sum(dim=2).T / decay_sums(decays(HEADS), (300,)).sqrt()
    assert 0.1 < (sums.abs() > 1).double().mean() < 0.9
    assert 0.3 < (sums < 0).double().mean() < 0.7


def test_formula():
    """The reference form against the formula, element by element, in fp64."""
    length = 9
    q, k, v = made(length)
    for head, g in enumerate(decays(HEADS).tolist()):
        for n in range(length):
            weights = [g ** abs(n - m) for m in range(length)]
            row = [(q[n, head] @ k[m, head]).item() * weights[m] / sum(weights) ** 0.5 for m in range(length)]
            expected = sum(s * v[m, head].double() for m, s in enumerate(row)) / max(abs(sum(row)), 1)
            ours = parallel(q, k, v, (length,))[n, head].double()
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("lengths", [(1,), (7, 1, 80), (3000,)])
def test_decay_sums_in_closed_form(lengths):
    places = [torch.arange(length) for length in lengths]
    explicit = [(decays(HEADS) ** (p[:, None, None] - p[None, :, None]).abs()).sum(dim=1) for p in places]
    torch.testing.assert_close(decay_sums(decays(HEADS), lengths), torch.cat(explicit), rtol=1e-12, atol=0)


@SIZES
@pytest.mark.parametrize("length", [1, 7, 80, 300, 1000, 3000])
def test_three_forms_are_equal(length, size):
    q, k, v, reference = made_with_reference(length)
    chunks = Chunks.of((length,), HEADS, size, "cpu")
    assert_equal(chunkwise(q, k, v, chunks)[0], reference)
    for stretch in (1, 3, 64):
        assert_equal(streamed(q, k, v, chunks, stretch), reference)


@SIZES
@pytest.mark.parametrize("lengths", [(1,), (7,), (80,), (300,), (1000,), (3000,), (33, 0, 129, 1, 64)])
def test_gradients_are_equal(lengths, size):
    inputs = made(sum(lengths), grad=True)
    chunks = Chunks.of(lengths, HEADS, size, "cpu")
    weights = torch.randn(sum(lengths), HEADS, 128, generator=torch.Generator().manual_seed(1))
    forms = parallel(*inputs, lengths), chunkwise(*inputs, chunks)[0], streamed(*inputs, chunks, 2)
    reference, *others = (torch.autograd.grad((form * weights).sum(), inputs) for form in forms)
    for gradients in others:
        for ours, expected in zip(gradients, reference, strict=True):
            assert relative(ours, expected) < 1e-6


def test_the_denominator_has_no_gradient():
    """Where a row sum is large, scaling the queries changes nothing in the output, and yet has a gradient."""
    q, k, v = made(1)
    q, k = q.abs() * 10, k.abs() * 10
    scale = torch.ones((), requires_grad=True)
    for form in (parallel(q * scale, k, v, (1,)), chunkwise(q * scale, k, v, Chunks.of((1,), HEADS, 16, "cpu"))[0]):
        torch.testing.assert_close(form, v)
        (gradient,) = torch.autograd.grad(form.sum(), scale)
        torch.testing.assert_close(gradient, v.sum())


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 70), min_size=1, max_size=8).filter(any),
    st.sampled_from([1, 5, 16, 64]),
    st.integers(1, 9),
)
def test_packs_in_any_chunks_and_stretches(lengths, size, stretch):
    q, k, v = made(sum(lengths))
    reference = parallel(q, k, v, tuple(lengths))
    chunks = Chunks.of(tuple(lengths), HEADS, size, "cpu")
    assert_equal(chunkwise(q, k, v, chunks)[0], reference)
    assert_equal(streamed(q, k, v, chunks, stretch), reference)


def test_more_chunks_than_are_summed_at_once():
    q, k, v = made(1100)
    chunks = Chunks.of((1100,), HEADS, 8, "cpu")
    assert_equal(chunkwise(q, k, v, chunks)[0], parallel(q, k, v, (1100,)))


def test_reversed_input_gives_reversed_output():
    q, k, v = made(333)
    chunks = Chunks.of((333,), HEADS, 64, "cpu")
    backward, _ = chunkwise(*(x.flip(0) for x in (q, k, v)), chunks)
    assert_equal(backward.flip(0), chunkwise(q, k, v, chunks)[0])


def test_half_precision_around_it_changes_nothing():
    q, k, v = made(100)
    chunks = Chunks.of((100,), HEADS, 16, "cpu")
    with torch.autocast("cpu", torch.bfloat16):
        inside = chunkwise(q, k, v, chunks)[0], parallel(q, k, v, (100,))
    assert torch.equal(inside[0], chunkwise(q, k, v, chunks)[0])
    assert torch.equal(inside[1], parallel(q, k, v, (100,)))


# The whole network


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 7, 80, 300, 1000, 3000])
def test_network_in_chunks_and_stretches(length):
    model = rnaret()
    batch = pack([np.random.default_rng(length).integers(6, 10, length)])
    reference = model.stream(batch, model.chunks(batch, length), 1)
    for size in (16, 64, 128, 300):
        assert relative(model.stream(batch, model.chunks(batch, size), 2), reference) < 1e-6
    assert relative(model(batch), reference) < 1e-6


def test_a_long_sequence_streams_where_no_gradient_is_wanted(monkeypatch):
    model = rnaret()
    batch = pack([np.random.default_rng(0).integers(6, 10, WHOLE + CHUNK)])
    stretches = []
    stream = model.layers[0].stream

    def observed(x, parts, rotary):
        stretches.extend(parts)
        stream(x, parts, rotary)

    monkeypatch.setattr(model.layers[0], "stream", observed)
    trained = model(batch)
    assert not stretches and trained.requires_grad
    with torch.no_grad():
        assert relative(model(batch), trained) < 1e-6
    starts = range(0, WHOLE, STRETCH)
    expected = [*(slice(start, start + STRETCH) for start in starts), slice(WHOLE, WHOLE + CHUNK)]
    assert [tokens for tokens, _ in stretches] == expected


def test_gradients_reach_every_weight():
    model = rnaret()
    batch = pack([np.random.default_rng(0).integers(6, 10, length) for length in (40, 7)])
    model.logits(model(batch)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.any(), name
    assert not model.embed_tokens.weight.grad[0].any()


def test_positions_are_relative():
    """Far along a sequence the angles are as exact as at its start."""
    model = rnaret()
    turn = model.rotary(torch.tensor([5, 0, 10**6 + 5, 10**6]))
    torch.testing.assert_close(turn[2] * turn[3].conj(), turn[0] * turn[1].conj(), rtol=0, atol=1e-6)
