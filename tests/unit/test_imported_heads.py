"""Published fine-tuned weights of every head, imported, are used and scored without training.

The numbers of the files themselves are in test_weights_heads.py; here it is what the commands make of them.
"""

import json

import numpy as np
import polars as pl
import pytest
import rnalm
import yaml
from published_weights import HEADS, MEAN, THRESHOLD, imported, published_head, rnalm_
from rnalm.structure.notation import dot_bracket
from rnalm.tasks import kinds
from small_models import transfer_rnas

RNAS = transfer_rnas()[:60:5]
# By kind of label: head of a task's config, label of a record.
TASKS = {
    "pairs": ({"kind": "pairs", "width": 8, "blocks": 1}, lambda i, rna: dot_bracket(rna.label, rna.length)),
    "number": ({"kind": "scalar", "width": 8, "blocks": 1}, lambda i, rna: str(rna.length / 9)),
    "classes": ({"kind": "classes", "width": 8, "activation": "gelu"}, lambda i, rna: ("yes", "no")[i % 2]),
    "positions": ({"kind": "positions", "width": 8}, lambda i, rna: "".join("01"[c in "GC"] for c in rna.sequence)),
}


@pytest.fixture
def benchmark(tmp_path):
    """A function that writes a task of a kind; returns the options of `rnalm evaluate`."""

    def write(kind: str) -> tuple:
        head, label = TASKS[kind]
        rows = [f"r{i},{rna.sequence},{rna.sequence[::-1]},{label(i, rna)}" for i, rna in enumerate(RNAS)]
        if kind != "classes":
            rows = [",".join(row.split(",")[:2] + row.split(",")[3:]) for row in rows]
        columns = "id,sequence,partner,label" if kind == "classes" else "id,sequence,label"
        (tmp_path / "own.csv").write_text("\n".join((columns, *rows)) + "\n")
        training = {"epochs": 1, "batch_size": 1, "learning_rate": 1e-3, "precision": "fp32", "unfreeze": {0: ["head"]}}
        task = {"task": "own", "source": {"name": "mine", "release": "1"}, "reader": "table", "head": head}
        task |= {"splits": {"random": {"rule": "random", "valid": 3, "test": 5}}, "training": training}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(task))
        return "--task", tmp_path / "own.yaml", "--data", tmp_path / "own.csv", "-o", tmp_path / "out"

    return write


def refused(capsys, *arguments) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        rnalm_(*arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("name", sorted(set(HEADS) - {"ncrna", "closeness"}))
def test_imported_weights_are_scored_without_training(name, tmp_path, benchmark, capsys):
    head = imported(tmp_path, published_head(name), HEADS[name][0]).config["head"]
    kind = kinds.of(head)
    before = {file.name: file.read_bytes() for file in (tmp_path / "model").iterdir()}
    rnalm_("evaluate", tmp_path / "model", *benchmark(kind))
    assert {file.name: file.read_bytes() for file in (tmp_path / "model").iterdir()} == before
    metrics = pl.read_csv(tmp_path / "out" / "metrics.csv")
    assert (metrics["init"] == "imported").all() and (metrics["n"] == 5).all()
    # Each prediction is the model's own, alone in its batch.
    items = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    model, by_id = rnalm.load(tmp_path / "model"), {f"r{i}": rna for i, rna in enumerate(RNAS)}
    for row in items.iter_rows(named=True):
        rna = by_id[row["id"]]
        (found,) = model.predict([rna.sequence], [rna.sequence[::-1]] if kind == "classes" else None)
        if kind == "pairs":
            assert row["predicted"] == dot_bracket(found, rna.length)
        else:
            told = {"number": "predicted", "classes": "logits", "positions": "probability"}[kind]
            np.testing.assert_allclose(np.ravel(row[told]), np.ravel(found), rtol=1e-4, atol=1e-5)


def test_the_threshold_and_the_scaler_of_the_file_are_used(tmp_path, benchmark):
    head = imported(tmp_path, published_head("structure"), "rinalmo", "structure").config["head"]
    assert head["threshold"] == THRESHOLD
    imported(tmp_path, published_head("ribosome"), "rinalmo", "ribosome")
    rnalm_("evaluate", tmp_path / "ribosome", *benchmark("number"))
    predicted = pl.read_parquet(tmp_path / "out" / "predictions.parquet")["predicted"]
    config = json.loads((tmp_path / "ribosome" / "config.json").read_text())
    config["head"] |= {"mean": 0.0, "std": 1.0}
    (tmp_path / "ribosome" / "config.json").write_text(json.dumps(config))
    rnalm_("evaluate", tmp_path / "ribosome", *benchmark("number"))
    plain = pl.read_parquet(tmp_path / "out" / "predictions.parquet")["predicted"]
    np.testing.assert_allclose(predicted, plain * 1.375 + MEAN, rtol=1e-5)


def test_the_88_families_of_a_file_have_no_names_until_they_are_given(tmp_path, benchmark, capsys):
    imported(tmp_path, published_head("ncrna"), "rinalmo")
    assert "does not name its 88 classes; add the list 'labels'" in refused(
        capsys, "evaluate", tmp_path / "model", *benchmark("classes")
    )
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["head"]["labels"] = ["no", "yes", *(f"family{i}" for i in range(86))]
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    rnalm_("evaluate", tmp_path / "model", *benchmark("classes"))
    assert "weighted_f1" in set(pl.read_csv(tmp_path / "out" / "metrics.csv")["metric"])


def test_closeness_is_a_probability_of_every_two_nucleotides_and_no_pairing(tmp_path, benchmark, capsys):
    imported(tmp_path, published_head("closeness"), "ernie_rna")
    (tmp_path / "in.fa").write_text(">a\nGGGAAACGGUUCC\n>b\nACGUACGU\n")
    rnalm_("predict", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.csv")
    table = pl.read_csv(tmp_path / "out.csv")
    assert table.columns == ["id", "i", "j", "probability"] and table.height == 13 * 12 // 2 + 8 * 7 // 2
    (matrix,) = rnalm.load(tmp_path / "model").pair_probabilities(["ACGUACGU"])
    for i, j, probability in table.filter(pl.col("id") == "b").select("i", "j", "probability").iter_rows():
        assert i < j and probability == pytest.approx(float(matrix[i - 1, j - 1]), abs=1e-5)
    for arguments in (
        ("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn"),
        ("evaluate", tmp_path / "model", *benchmark("pairs")),
    ):
        assert "has no threshold, so that it predicts no base pairs" in refused(capsys, *arguments)
