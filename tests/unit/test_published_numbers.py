"""The tables of published numbers: every row is complete, in range, there once, and as its source has it."""

from pathlib import Path

import polars as pl
import pytest
from rnalm.evaluation.cards import by_name

TABLES = sorted((Path(__file__).parents[2] / "resources" / "published").glob("*.csv"))
COLUMNS = ["task", "dataset", "split", "model", "metric", "convention", "value", "source", "note"]
KEY = ["dataset", "split", "model", "metric", "convention", "source"]
CARDS = by_name()
ROWS = {
    "embedding_atlas": 9,
    "expression_level": 3,
    "mirna_mrna": 4,
    "mrna_lncrna": 2,
    "ncrna_family": 3,
    "pretraining": 6,
    "ribosome_load": 24,
    "splice_sites": 62,
    "structure": 178,
    "translation_efficiency": 3,
}


def rows(task: str) -> pl.DataFrame:
    (path,) = (path for path in TABLES if path.stem == task)
    return pl.read_csv(path, infer_schema=False)


def value(task: str, split: str, model: str, metric: str) -> list[str]:
    """The values of a cell, one per convention and source."""
    chosen = pl.col("split").eq(split) & pl.col("model").eq(model) & pl.col("metric").eq(metric)
    return rows(task).filter(chosen)["value"].to_list()


def test_every_task_has_its_rows():
    assert {path.stem: rows(path.stem).height for path in TABLES} == ROWS


@pytest.mark.parametrize("task", ROWS)
def test_rows_are_complete_and_there_once(task):
    table = rows(task)
    assert table.columns == COLUMNS
    assert table["task"].unique().to_list() == [task]
    assert not any(table[column].null_count() for column in COLUMNS if column not in ("value", "note"))
    assert not table.select(KEY).is_duplicated().any()
    assert table["source"].str.contains("^(paper|third party): .").all()


@pytest.mark.parametrize("task", ROWS)
def test_values_are_numbers_in_the_range_of_their_metric(task):
    for row in rows(task).drop_nulls("value").iter_rows(named=True):
        low, high = CARDS[row["metric"]].range
        number = float(row["value"])
        assert (low is None or number >= low) and (high is None or number <= high), row
        # A fraction in place of a percentage, or the other way round.
        assert not row["metric"].endswith("_percent") or number > 1, row


@pytest.mark.parametrize("task", ROWS)
def test_without_a_value_the_note_says_why(task):
    for row in rows(task).iter_rows(named=True):
        assert (row["value"] is None) == (row["note"] or "").startswith("unknown: "), row


def test_spot_values():
    assert value("structure", "TS0", "RiNALMo 650M", "relaxed_precision") == ["0.784"]
    assert value("structure", "leave telomerase out", "UFold", "relaxed_f1") == ["0.80"]
    assert value("structure", "leave SRP out", "RiNALMo 650M", "length_weighted_relaxed_f1") == ["0.628"]
    assert value("structure", "leave 23S out", "RiNALMo 148M", "relaxed_f1") == ["0.86"]
    assert value("structure", "all 5401", "classical folder", "f1") == ["0.648"]
    assert value("structure", "428 RNAs", "RiNALMo 650M", "pooled_f1") == ["0.871"]
    assert value("splice_sites", "mean_worm", "RNA-FM", "f1_percent") == ["90.79"]
    assert value("splice_sites", "donor_fly", "RiNALMo 650M", "f1_percent") == ["96.38"]
    assert value("splice_sites", "acceptor_plant", "Spliceator", "f1_percent") == ["90.80"]
    assert value("ribosome_load", "Human7600", "RiNALMo 650M frozen", "clamped_mae") == ["0.487"]
    assert value("ribosome_load", "Human7600", "Optimus 5-prime", "pearson_r2") == ["0.78"]
    assert value("mirna_mrna", "test", "RNAret 5-mer", "f1") == ["0.962"]
    assert value("mrna_lncrna", "test", "RNAret 5-mer", "accuracy") == ["0.948"]
    assert value("translation_efficiency", "HEK", "RiNALMo", "fold_mean_spearman") == [None]


@pytest.mark.parametrize("species", ["fish", "fly", "plant", "worm"])
@pytest.mark.parametrize(
    "model, rounding",
    # Spliceator's donor and acceptor have one digit behind the point.
    [("RiNALMo 650M", 0.0051), ("SpliceBERT", 0.0051), ("RNA-FM", 0.0051), ("Spliceator", 0.051)],
)
def test_splice_means_are_those_of_donor_and_acceptor(model, rounding, species):
    mean, donor, acceptor = (
        float(value("splice_sites", f"{site}_{species}", model, "f1_percent")[0])
        for site in ("mean", "donor", "acceptor")
    )
    assert mean == pytest.approx((donor + acceptor) / 2, abs=rounding)


@pytest.mark.parametrize("model", ["RiNALMo 650M", "RiNALMo 650M frozen", "RiNALMo 148M", "RNA-FM", "UFold", "MXfold2"])
def test_family_means_are_those_of_the_nine_families(model):
    ours = rows("structure").filter(
        pl.col("model") == model, pl.col("metric") == "relaxed_f1", pl.col("source").str.starts_with("paper: RiNALMo")
    )
    families = ours.filter(pl.col("split").str.starts_with("leave "))["value"].cast(pl.Float64)
    mean = float(ours.filter(pl.col("split") == "mean of nine families")["value"][0])
    assert len(families) == 9
    # Two digits, in the nine as in their mean.
    assert families.mean() == pytest.approx(mean, abs=0.0101)
