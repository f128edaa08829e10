"""The models' benchmark, in tiny: the padded way is the same model, and the script runs to its tables."""

import contextlib
import types

import embedders
import measure
import models
import numpy as np
import pytest
import retention_forms
from rnalm import files
from rnalm.models import directory
from small_models import encoder, ernie_rna

RNAS = ["GGGAAACGGUUCCAUACCC", "ACGUNGGC", "GGCUA" * 12, "ACGGUACGUACGGCAUCGA", "UUGCGAUAUAGC"]
PAGE = "before\n<!-- models: begin -->\nstale\n<!-- models: end -->\nafter\n"


def largest(ours, theirs) -> float:
    return max(np.abs(a - b).max() / np.abs(a).max() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("made", [encoder, ernie_rna])
def test_padding_changes_nothing_but_the_work(tmp_path, monkeypatch, made):
    model = made()
    directory.save(tmp_path / "model", model, "# card")
    monkeypatch.setattr(embedders, "BATCH", 3)
    packed = embedders.packed(tmp_path / "model")(RNAS)
    assert [len(rows) for rows in packed] == [len(rna) + 2 for rna in RNAS]
    assert largest(packed, embedders.padded(tmp_path / "model")(RNAS)) < models.EQUAL
    assert 1e-4 < largest(packed, embedders.packed_bf16(tmp_path / "model")(RNAS)) < 0.05
    # Were pads attended to, it would show.
    monkeypatch.setitem(embedders.PADS, type(model), lambda *_: contextlib.nullcontext())
    assert largest(packed, embedders.padded(tmp_path / "model")(RNAS)) > 1e-3


def test_rnas_are_different_cropped_and_of_rnacentrals_lengths(tmp_path):
    rnas = models.made_rnas(types.SimpleNamespace(work=tmp_path, rnas=2000))
    assert len(set(rnas)) == 2000
    lengths = np.array([len(rna) for rna in rnas])
    assert lengths.max() == models.CROP and 430 < lengths.mean() < 490


def test_work_is_measured():
    held, cost = measure.work(lambda: bytes(200 << 20).replace(b"\0", b"x"))
    assert len(held) == 200 << 20 and cost["seconds"] > 0
    assert 200 << 20 <= cost["peak_bytes"] - cost["before_bytes"] < 500 << 20


def test_it_runs_to_its_tables(tmp_path, monkeypatch):
    """All but one of the processes are calls here: they differ in what is imported, which takes most of the time."""
    scripts, processes = {"embedders.py": embedders, "retention_forms.py": retention_forms}, []

    def measured(options, out: str, script: str, *arguments, python=None) -> dict:
        if not processes:
            processes.append(script)
            return process(options, out, script, *arguments)
        scripts[script].main(*arguments, options.work / out)
        return files.read_json(options.work / f"{out}.json")

    process = models.measured
    monkeypatch.setattr(models, "measured", measured)
    page, numbers = tmp_path / "page.md", tmp_path / "numbers.json"
    page.write_text(PAGE)
    sizes = ["--rnas", 4, "--repetitions", 2, "--layers", 1, "--lengths", 40, 200, "--streamed", 20, 150]
    where = ["--work", tmp_path / "work", "--numbers", numbers, "--page", page]
    models.main(list(map(str, [*sizes, *where])))
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    for words in ("| 200 | ", "| 150 | fp32 | ", "| `rnalm embed` | ", "| the same model on padded batches | "):
        assert words in text
    found = files.read_json(numbers)
    assert [run["form"] for run in found["retention"]["forms"]] == ["parallel", "chunkwise"] * 2
    for family in models.MODELS:
        assert found[family]["rnas"] == 4
        padded = [run for run in found[family]["runs"] if run["way"] == "padded"]
        assert len(padded) == 2 and sum(run["nucleotides"] for run in padded) == found[family]["nucleotides"]
    assert not (tmp_path / "work").exists()
    page.write_text(PAGE)
    models.main(list(map(str, ["--part", "tables", *where])))
    assert page.read_text() == text
    models.main(list(map(str, ["--part", "rinalmo", "--ways", "padded", *sizes, *where])))
    found = files.read_json(numbers)
    assert [run["way"] for run in found["rinalmo"]["runs"]] == ["packed", "padded", "padded", "packed"]


def test_an_ended_run_goes_on_after_its_last_block(tmp_path, monkeypatch):
    page, numbers, blocks = tmp_path / "page.md", tmp_path / "numbers.json", []

    def measured(options, out: str, script: str, *arguments, python=None) -> dict:
        blocks.append(files.read_json(options.work / "rnas.json"))
        if len(blocks) == ending:
            raise KeyboardInterrupt
        np.save(options.work / f"{out}.npy", np.ones((2, 2), np.float32))
        return {"seconds": 1.0, "peak_bytes": 1, "before_bytes": 0}

    monkeypatch.setattr(models, "measured", measured)
    page.write_text(PAGE)
    sizes = ["--part", "rinalmo", "--rnas", 6, "--repetitions", 3, "--layers", 1, "--ways", "padded"]
    arguments = list(map(str, [*sizes, "--work", tmp_path / "work", "--numbers", numbers, "--page", page]))
    ending = 4
    with pytest.raises(KeyboardInterrupt):
        models.main(arguments)
    assert ": 3, of which 1 are done" in page.read_text()
    ending = None
    models.main(arguments)
    assert blocks[4] == blocks[3] and len(blocks) == 8 and len({str(rnas) for rnas in blocks}) == 3
    runs = files.read_json(numbers)["rinalmo"]["runs"]
    assert [run["block"] for run in runs] == [0, 0, 1, 1, 2, 2] and "are done" not in page.read_text()
    models.main(arguments)
    assert len(blocks) == 14


def test_difference_of_two_files(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2), np.float32))
    np.save(tmp_path / "b.npy", np.array([[1, 1], [1, 0.5], [1, 1]], np.float32))
    assert models.difference(tmp_path / "a.npy", tmp_path / "b.npy") == 0.5
    np.save(tmp_path / "b.npy", np.ones((2, 2), np.float32))
    with pytest.raises(RuntimeError, match="b: "):
        models.difference(tmp_path / "a.npy", tmp_path / "b.npy")
