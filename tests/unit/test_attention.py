"""Attention over packs: every kernel that runs here equals the formula, and the fastest one is chosen.

On a GPU, with no more than torch, numpy, polars and pytest:
PYTHONPATH=scripts python -m pytest --noconftest tests/unit/test_attention.py
"""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rnalm.models import attention, registry
from rnalm.models.attention import by_length, choose, flash_attn, jagged, obstacle, varlen
from rnalm.tokens.packing import from_padded, pack, to_padded

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
LENGTHS = (12, 12, 1, 130, 57, 57, 2)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH = pack([np.zeros(length) for length in LENGTHS]).to(DEVICE)
KERNEL = pytest.mark.parametrize("kernel", attention.KERNELS, ids=lambda kernel: kernel.__name__)
# The largest difference to the formula in fp64, relative to the largest number in it.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
DTYPE = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def made(dtype, channels: int = 16, seed: int = 0) -> torch.Tensor:
    """Queries, keys and values of the pack with 4 heads, with gradients: (3, tokens, 4, channels)."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(3, sum(LENGTHS), 4, channels, generator=generator)
    return made.to(DEVICE, dtype).requires_grad_()


def run(kernel, inputs: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
    reason = obstacle(kernel, inputs[0], dropout)
    if reason:
        pytest.skip(f"{kernel.__name__} on {DEVICE}: {reason}")
    return kernel(*inputs, BATCH, dropout)


def formula(inputs: torch.Tensor) -> torch.Tensor:
    """softmax(q k^T / sqrt(channels)) v, one sequence after the other."""
    outputs = []
    for q, k, v in zip(*(part.split(LENGTHS) for part in inputs), strict=True):
        weights = (torch.einsum("ihd,jhd->hij", q, k) / q.shape[-1] ** 0.5).softmax(dim=-1)
        outputs.append(torch.einsum("hij,jhd->ihd", weights, v))
    return torch.cat(outputs)


def close(ours: torch.Tensor, expected: torch.Tensor) -> None:
    tolerance = TOLERANCE[ours.dtype] * expected.abs().max().item()
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=tolerance)


@KERNEL
@DTYPE
def test_kernels_equal_the_formula(kernel, dtype):
    inputs = made(dtype)
    exact = inputs.detach().double().requires_grad_()
    ours, expected = run(kernel, inputs), formula(exact)
    assert ours.dtype == dtype and ours.shape == inputs[0].shape
    close(ours, expected)
    weights = made(dtype, seed=1)[0]
    (gradients,) = torch.autograd.grad((ours * weights).sum(), inputs)
    (exact_gradients,) = torch.autograd.grad((expected * weights.double()).sum(), exact)
    close(gradients, exact_gradients)


@KERNEL
@torch.no_grad()
def test_alone_equals_packed(kernel):
    inputs = made(torch.float32)
    packed = BATCH.split(run(kernel, inputs))
    for part, together in zip(inputs.split(LENGTHS, dim=1), packed, strict=True):
        alone = kernel(*part, pack([np.zeros(part.shape[1])]).to(DEVICE))
        torch.testing.assert_close(alone, together, rtol=0, atol=1e-5)


@KERNEL
@DTYPE
@torch.no_grad()
def test_dropout(kernel, dtype):
    """Weights that sum to one do so on average; the draws are those of the seed, new at each call."""
    inputs = made(dtype)
    inputs[2] = 1
    torch.manual_seed(0)
    first, second = run(kernel, inputs, 0.3), kernel(*inputs, BATCH, 0.3)
    torch.manual_seed(0)
    assert torch.equal(kernel(*inputs, BATCH, 0.3), first)
    assert not torch.equal(first, second)
    assert abs(first.float().mean() - 1) < 0.05
    # The sequence of a single token keeps or loses its only weight.
    alone = BATCH.split(first)[2]
    assert ((alone == 0) | ((alone.float() - 1 / 0.7).abs() < 1e-2)).all()


@KERNEL
@torch.no_grad()
def test_model_alone_packed_padded(kernel, monkeypatch):
    reason = obstacle(kernel, torch.zeros(1, 4, 8, device=DEVICE), 0)
    if reason:
        pytest.skip(f"{kernel.__name__} on {DEVICE}: {reason}")

    def chosen(q, dropout):
        # Nested tensors want no views on a CPU.
        return lambda q, k, v, batch, dropout: kernel(*(x.contiguous() for x in (q, k, v)), batch, dropout)

    monkeypatch.setattr(attention, "choose", chosen if DEVICE == "cpu" else lambda q, dropout: kernel)
    torch.manual_seed(0)
    model = registry.build({"family": "rinalmo", "dim": 32, "layers": 2, "heads": 4}).to(DEVICE).eval()
    generator = np.random.default_rng(0)
    encoded = [torch.from_numpy(generator.integers(5, 9, length)) for length in LENGTHS]
    padded = torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True, padding_value=model.tokeniser.pad).to(DEVICE)
    keep = padded != model.tokeniser.pad
    unpacked = to_padded(model(from_padded(padded, keep)), keep)
    packed = BATCH.split(model(pack(encoded).to(DEVICE)))
    for i, ids in enumerate(encoded):
        alone = model(pack([ids]).to(DEVICE))
        torch.testing.assert_close(packed[i], alone, rtol=0, atol=1e-5)
        torch.testing.assert_close(unpacked[i, : len(ids)], alone, rtol=0, atol=1e-5)


# The choice


def queries(dtype=torch.bfloat16, channels: int = 64, cuda: bool = True) -> SimpleNamespace:
    return SimpleNamespace(is_cuda=cuda, dtype=dtype, shape=(10, 4, channels), device="cuda")


@pytest.mark.parametrize(
    ("asked", "dropout", "capability", "installed", "chosen"),
    [
        (queries(), 0.1, (9, 0), True, flash_attn),
        (queries(), 0.0, (8, 0), True, flash_attn),
        (queries(channels=10), 0.1, (9, 0), True, flash_attn),
        (queries(), 0.0, (9, 0), False, varlen),
        (queries(torch.float16), 0.0, (8, 6), False, varlen),
        (queries(), 0.1, (9, 0), False, jagged),
        (queries(torch.float32), 0.0, (9, 0), True, jagged),
        (queries(torch.float32), 0.1, (9, 0), False, jagged),
        (queries(channels=10), 0.0, (9, 0), False, by_length),
        (queries(torch.float16), 0.1, (7, 5), True, by_length),
        (queries(cuda=False), 0.1, None, True, by_length),
    ],
)
def test_the_fastest_kernel_that_can_is_chosen(monkeypatch, asked, dropout, capability, installed, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(attention, "package", lambda: object if installed else None)
    assert choose(asked, dropout) is chosen


def reference(q, k, v, *where, **options) -> torch.Tensor:
    assert not options.get("dropout_p") and where[0].dtype == torch.int32 and where[2:] == (130, 130)
    assert where[0].tolist() == where[1].tolist() == [0, *np.cumsum(LENGTHS)]
    return formula((q, k, v))


def test_flash_attn_is_called_as_its_package_wants(monkeypatch):
    def flash_attn_varlen_func(
        q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0, softmax_scale=None, causal=False
    ):
        return reference(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k) + dropout_p

    monkeypatch.setattr(attention, "package", lambda: flash_attn_varlen_func)
    inputs = made(torch.float32)
    torch.testing.assert_close(flash_attn(*inputs, BATCH, 0.25), by_length(*inputs, BATCH) + 0.25)


def test_varlen_is_called_as_torch_wants(monkeypatch):
    from torch.nn.attention import varlen as module

    signature = inspect.signature(module.varlen_attn)

    def varlen_attn(*arguments, **options):
        bound = signature.bind(*arguments, **options)
        assert list(bound.arguments) == ["query", "key", "value", "cu_seq_q", "cu_seq_k", "max_q", "max_k"]
        return reference(*arguments)

    monkeypatch.setattr(module, "varlen_attn", varlen_attn)
    inputs = made(torch.float32)
    torch.testing.assert_close(varlen(*inputs, BATCH), by_length(*inputs, BATCH))


def test_varlen_never_leaves_dropout_out():
    with pytest.raises(ValueError, match="no dropout"):
        varlen(*made(torch.bfloat16), BATCH, 0.1)
