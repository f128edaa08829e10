"""`rnalm predict` and `rnalm evaluate`: heads of every kind on a FASTA file, imported ones on a benchmark."""

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from rnalm.cli import main
from rnalm.models import directory, finetuned
from rnalm.structure import score
from small_models import TINY, encoder, rnaret, transfer_rnas

HEADS = {
    "classes": {"kind": "classes", "width": 8, "classes": 1, "activation": "gelu"},
    "families": {"kind": "classes", "width": 8, "classes": 3, "activation": "gelu", "labels": ["a", "b", "c"]},
    "number": {"kind": "scalar", "width": 8, "blocks": 1, "padded_to": 0, "mean": 5.0, "std": 2.0},
    "positions": {"kind": "positions", "width": 8, "padded_to": 0},
    "pairs": {"kind": "pairs", "width": 8, "blocks": 1, "threshold": 0.1},
    "viterbi": {"kind": "pairs", "width": 8, "blocks": 1, "threshold": 0.1, "decoder": "viterbi"},
    "tokens": {"kind": "tokens", "classes": 2},
}
FASTA = ">one\nGGCAUUCGCC\n>two some words\nacguacgu\n"


@pytest.fixture
def saved(tmp_path):
    def make(kind: str, base=None):
        torch.manual_seed(1)
        base = base or encoder(TINY)
        model = finetuned.build(base, HEADS[kind]).eval()
        directory.save(tmp_path / kind, base, "# card", model, HEADS[kind] | {"task": "made"})
        return tmp_path / kind

    return make


@pytest.fixture
def fasta(tmp_path):
    (tmp_path / "my.fasta").write_text(FASTA)
    return tmp_path / "my.fasta"


def predicted(model, fasta, *options) -> pl.DataFrame:
    out = fasta.with_name("out.csv")
    main(["predict", str(model), str(fasta), "-o", str(out), *map(str, options)])
    return pl.read_csv(out)


def refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as error:
        main([str(argument) for argument in arguments])
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_yes_or_no_and_its_probability(saved, fasta):
    table = predicted(saved("classes"), fasta)
    assert table.columns == ["id", "predicted", "no", "yes"] and table["id"].to_list() == ["one", "two"]
    for row in table.iter_rows(named=True):
        assert row["no"] + row["yes"] == pytest.approx(1, abs=2e-5)
        assert row["predicted"] == ("yes" if row["yes"] > 0.5 else "no")


def test_classes_by_their_names(saved, fasta):
    table = predicted(saved("families"), fasta)
    for row in table.iter_rows(named=True):
        assert row["predicted"] == max("abc", key=row.get)


def test_a_number_in_the_unit_of_the_measurement(saved, fasta):
    loaded = directory.load(saved("number"))
    table = predicted(saved("number"), fasta)
    import rnalm

    (alone, _) = rnalm.load(saved("number")).predict(["GGCAUUCGCC", "ACGUACGU"])
    assert table["predicted"][0] == pytest.approx(float(alone), abs=1e-5)
    assert loaded.model.mean == 5.0


def test_a_probability_for_every_nucleotide(saved, fasta):
    table = predicted(saved("positions"), fasta)
    assert table["position"].to_list() == [*range(1, 11), *range(1, 9)]
    assert table["probability"].is_between(0, 1).all()


def test_a_partner_changes_what_is_predicted_of_a_pair(saved, fasta):
    (partners := fasta.with_name("partners.fa")).write_text(">a\nUUUUUUGG\n>b\nCCCCCC\n")
    model = saved("classes", rnaret())
    alone, both = predicted(model, fasta), predicted(model, fasta, "--partners", partners)
    assert np.abs(alone["yes"] - both["yes"]).min() > 1e-4


def test_what_cannot_be_predicted_is_one_line(saved, fasta, capsys, tmp_path):
    out = ["-o", tmp_path / "x.csv"]
    assert "use `rnalm fold`" in refused(capsys, "predict", saved("pairs"), fasta, *out)
    directory.save(tmp_path / "plain", encoder(TINY), "# card")
    assert "has no head" in refused(capsys, "predict", tmp_path / "plain", fasta, *out)
    (partners := fasta.with_name("partners.fa")).write_text(">a\nUUUUUUGG\n")
    error = refused(capsys, "predict", saved("classes"), fasta, "--partners", partners, *out)
    assert "has 1 records" in error and not (tmp_path / "x.csv").exists()
    partners.write_text(">a\nUUUUUUGG\n>b\nCCCCCC\n")
    error = refused(capsys, "predict", saved("positions"), fasta, "--partners", partners, *out)
    assert "give no partners" in error and not (tmp_path / "x.csv").exists()
    error = refused(capsys, "predict", saved("classes"), fasta, "--partners", partners, "-o", partners)
    assert "is the input itself" in error and partners.read_text().startswith(">a")
    assert "head of kind 'tokens'" in refused(capsys, "predict", saved("tokens"), fasta, *out)


TASK = {
    "source": {"name": "mine", "release": "1"},
    "splits": {"random": {"rule": "random", "train": 2, "valid": 1, "test": 2}},
    "training": {"epochs": 1, "batch_size": 1, "learning_rate": 1e-3, "precision": "fp32", "unfreeze": {0: ["head"]}},
}


def task(tmp_path, **keys):
    (path := tmp_path / "task.yaml").write_text(yaml.safe_dump(TASK | keys))
    return path


def test_an_imported_structure_head_is_scored_without_training(saved, tmp_path, capsys):
    rnas = transfer_rnas()[:30:5]
    from rnalm.structure.notation import dot_bracket

    lines = [f">{rna.id}\n{rna.sequence}\n{dot_bracket(rna.label, rna.length)}\n" for rna in rnas]
    (data := tmp_path / "all.dbn").write_text("".join(lines))
    config = task(tmp_path, task="structure", reader="files", head={"width": 8, "blocks": 1})
    main(["evaluate", str(saved("pairs")), "--task", str(config), "--data", str(data), "-o", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    items = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert items.height == 2 and set(items["id"]) <= {rna.id for rna in rnas}
    assert printed == (tmp_path / "out" / "metrics.csv").read_text()
    import rnalm

    by_id = {rna.id: rna for rna in rnas}
    model = rnalm.load(saved("pairs"))
    for row in items.iter_rows(named=True):
        rna = by_id[row["id"]]
        assert row["f1"] == pytest.approx(score(model.fold([rna.sequence])[0], rna.label, rna.length)[2])


def test_an_imported_yes_or_no_is_scored_without_names_of_classes(saved, tmp_path):
    rows = [f"s{i},{'ACGU'[i % 4] * (10 + i)},{'yes' if i % 2 else 'no'}" for i in range(6)]
    (data := tmp_path / "all.csv").write_text("id,sequence,label\n" + "\n".join(rows) + "\n")
    head = {"kind": "classes", "width": 8, "activation": "gelu"}
    config = task(tmp_path, task="made", reader="table", head=head)
    main(["evaluate", str(saved("classes")), "--task", str(config), "--data", str(data), "-o", str(tmp_path / "out")])
    table = pl.read_csv(tmp_path / "out" / "metrics.csv")
    assert {"accuracy", "f1_percent", "mcc"} <= set(table["metric"]) and (table["init"] == "imported").all()


def test_a_model_of_another_kind_and_an_unknown_split_are_one_line(saved, tmp_path, capsys):
    (data := tmp_path / "all.csv").write_text("id,sequence,label\na,ACGUACGU,yes\nb,GGGG,no\n")
    head = {"kind": "classes", "width": 8, "activation": "gelu"}
    options = ["--task", task(tmp_path, task="made", reader="table", head=head), "--data", data, "-o", tmp_path / "out"]
    assert "predicts number, the task needs classes" in refused(capsys, "evaluate", saved("number"), *options)
    error = refused(capsys, "evaluate", saved("classes"), *options, "--split", "fold_3")
    assert "use one of random" in error
    config = task(tmp_path, task="structure", reader="files", head={"width": 8, "blocks": 1})
    options = ["--task", config, "--data", data, "-o", tmp_path / "out"]
    assert "asks for the decoder 'viterbi'" in refused(capsys, "evaluate", saved("viterbi"), *options)


def test_the_test_of_given_sets_is_enough(saved, tmp_path, capsys):
    rna = transfer_rnas()[0]
    (data := tmp_path / "TS0.dbn").write_text(f">{rna.id}\n{rna.sequence}\n{'.' * rna.length}\n")
    given = {"TS0": {"rule": "given", "train": "TR0", "valid": "VL0", "test": "TS0"}}
    config = task(tmp_path, task="structure", reader="files", head={"width": 8, "blocks": 1}, splits=given)
    options = ["--task", str(config), "--data", str(data), "-o", str(tmp_path / "out")]
    main(["evaluate", str(saved("pairs")), *options])
    assert pl.read_parquet(tmp_path / "out" / "predictions.parquet")["id"].to_list() == [rna.id]
    keys = {"task": "structure", "reader": "files", "head": {"width": 8, "blocks": 1}, "splits": given}
    task(tmp_path, **keys, max_test_length=10)
    assert "has 0 records in test" in refused(capsys, "evaluate", saved("pairs"), *options)
