"""Learning rates of the paper."""

import pytest
from rnalm.training.schedule import linear, warmup_cosine

PAPER = {"start": 1e-7, "peak": 5e-5, "end": 1e-5, "warmup_steps": 2000, "total_steps": 75_894}


def test_paper_values():
    rates = {step: warmup_cosine(step, **PAPER) for step in (0, 1000, 2000, 38_947, 75_894, 200_000)}
    expected = {0: 1e-7, 1000: 2.505e-5, 2000: 5e-5, 38_947: 3e-5, 75_894: 1e-5, 200_000: 1e-5}
    assert rates == pytest.approx(expected, rel=1e-9)


def test_rises_then_falls():
    rates = [warmup_cosine(step, **PAPER) for step in range(0, 80_000, 100)]
    peak = rates.index(max(rates))
    assert peak == 20
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_run_that_ends_within_warm_up_or_has_none():
    assert warmup_cosine(5, **{**PAPER, "warmup_steps": 10, "total_steps": 6}) < 5e-5
    assert warmup_cosine(10, **{**PAPER, "warmup_steps": 10, "total_steps": 10}) == pytest.approx(5e-5)
    assert warmup_cosine(0, **{**PAPER, "warmup_steps": 0}) == pytest.approx(5e-5)


def test_linear():
    rates = [linear(step, start=1e-3, end_factor=0.1, steps=100) for step in (0, 50, 100, 1000)]
    assert rates == pytest.approx([1e-3, 5.5e-4, 1e-4, 1e-4])
