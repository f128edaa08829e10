"""The models' benchmark: what it counts, and that it runs to its tables without a GPU, in tiny."""

import functools
import json
import math

import gpu_models
import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
SECTIONS = list(gpu_models.TITLES)


def test_lengths_are_those_of_rnacentral():
    drawn = gpu_models.lengths(gpu_models.GPU)
    assert sum(drawn) == 32768 and max(drawn) == 1024
    many = gpu_models.lengths(gpu_models.Sizes(1, 1, 1, 10**7, 1024, 1, (), 0))
    assert math.isclose(sum(many) / len(many), 454, rel_tol=0.02)
    assert math.isclose(sum(length == 1024 for length in many) / len(many), 0.19, abs_tol=0.01)


def test_a_padded_batch_has_the_same_real_tokens():
    packed, padded = gpu_models.masked([3, 70, 20], "cpu"), gpu_models.masked([3, 70, 20], "cpu", 70)
    assert packed.batch.lengths == (70, 20, 3) and padded.batch.lengths == (70, 70, 70)
    assert packed.tokens == padded.tokens == 93
    assert len(padded.batch.ids) == 210 and (padded.batch.ids == gpu_models.PAD).sum() == 117
    for made in (packed, padded):
        assert len(made.targets) == int(0.15 * 93)
        assert (made.batch.ids[made.selected] == gpu_models.MASK).all() and (made.targets >= 5).all()


@pytest.mark.parametrize(("length", "expected"), [(128, 3.97e9), (512, 4.16e9), (1024, 4.42e9)])
def test_flops_of_giga(length, expected):
    """Forward and backward, per token; without the head, a quarter of a percent."""
    bench = functools.partial(gpu_models.Bench, "cpu", gpu_models.GPU, None, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_models, "machine", lambda bench: {})
        ours = gpu_models.flops(bench(), (length, length), 3) / (2 * length)
    assert math.isclose(ours, expected, rel_tol=4e-3)


def run(folder, *options) -> list[dict]:
    gpu_models.main(["--out", str(folder), *options])
    return json.loads((folder / "gpu_models.json").read_text())["rows"]


def test_it_runs_to_its_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = run(tmp_path)
    assert list(dict.fromkeys(row["section"] for row in rows)) == SECTIONS
    for row in rows:
        assert "reason" in row or "difference" in row or row["tokens_per_second"] > 0, row
    without = {row["case"]: row["reason"] for row in rows if "reason" in row}
    assert {"needs a GPU, Ampere or newer"} <= set(without.values())
    assert all(case.startswith(("flash_attn", "varlen")) for case in without)
    assert all(row["difference"] < 0.01 for row in rows if "difference" in row)
    widths = [row["case"] for row in rows if row["section"] == "width"]
    assert [case.split(",")[0] for case in widths] == ["170", "176", "192", "170"]
    table = (tmp_path / "gpu_models.md").read_text()
    for row in rows:
        assert f"| {row['case']}" in table


def test_nothing_is_started_when_the_time_is_up(tmp_path):
    rows = run(tmp_path, "--until", "0")
    assert list(dict.fromkeys(row["section"] for row in rows)) == SECTIONS
    assert not any("seconds" in row for row in rows)
    assert sum(row.get("reason") == "not started after 0 s" for row in rows) > 10


def test_a_measurement_that_fails_is_a_row_that_says_why(tmp_path, monkeypatch):
    def fails(q, k, v, batch, dropout=0.0):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    monkeypatch.setattr(gpu_models.attention, "KERNELS", (fails,))
    monkeypatch.setattr(gpu_models.attention, "obstacle", lambda kernel, q, dropout: None)
    rows = run(tmp_path)
    failed = [row["case"] for row in rows if row.get("reason") == "failed: CUDA out of memory. Tried to allocate 2 GiB"]
    assert [case for case in failed if case.startswith("fails")] == [
        "fails, dropout 0.0, difference to fp32",
        "fails, dropout 0.0, forward",
        "fails, dropout 0.0, forward and backward",
        "fails, dropout 0.1, forward",
        "fails, dropout 0.1, forward and backward",
    ]
    assert {row["section"] for row in rows} == set(SECTIONS)


def test_what_was_measured_before_a_failure_is_kept(tmp_path, monkeypatch):
    def fails(bench, packed):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(gpu_models, "measure_attention", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(tmp_path)
    assert {row["section"] for row in json.loads((tmp_path / "gpu_models.json").read_text())["rows"]} == {"model"}
    assert "packed, forward" in (tmp_path / "gpu_models.md").read_text()
