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


LANGUAGE_MODELS = ["ERNIE-RNA", "RiNALMo", "RNA-FM", "RNAErnie", "RNA-MSM", "RNABERT", "one-hot", "classical folder"]


@pytest.mark.parametrize(
    "split, numbers",
    [
        ("TS0", "0.628 0.599 0.522 0.442 0.426 0.357 0.351 0.547"),
        ("all 5401", "0.601 0.446 0.423 0.387 0.393 0.358 0.383 0.648"),
        ("all 62", "0.366 0.394 0.272 0.204 0.329 0.255 0.340 0.635"),
        ("5-fold (3864 RNAs)", "0.885 0.879 0.814 0.706 0.679 0.595 0.541"),
        ("mean of nine families", "0.583 0.584 0.313 0.290 0.202 0.189 0.208"),
    ],
)
def test_independent_comparison(split, numbers):
    assert of_party("third party: sinc-lab", split, "f1") == dict(zip(LANGUAGE_MODELS, numbers.split(), strict=False))


def test_independent_comparison_of_families():
    names = ["5S", "tmRNA", "tRNA", "SRP", "group I", "RNase P", "23S", "telomerase", "16S"]
    numbers = ["0.820", "0.700", "0.841", "0.610", "0.317", "0.687", "0.580", "0.151", "0.539"]
    found = [of_party("third party: sinc-lab", f"leave {name} out", "f1") for name in names]
    assert found == [{"ERNIE-RNA": number} for number in numbers]


def test_medians_of_the_independent_comparison():
    source = "third party: sinc-lab"
    assert of_party(source, "TS0", "median_f1") == {"ERNIE-RNA": "0.682", "RiNALMo": "0.642", "RNA-FM": "0.524"}
    assert of_party(source, "all 5401", "median_f1") == {"ERNIE-RNA": "0.667"}


@pytest.mark.parametrize(
    "split, numbers",
    [
        ("mean of nine families", "0.71 0.70 0.66 0.43 0.32 0.24 0.31"),
        ("TS0", "0.747 0.652 0.723 0.685 0.682 0.676 0.676"),
    ],
)
def test_ablations_of_size_and_architecture(split, numbers):
    small = [f"RiNALMo 33M ({kind})" for kind in ("RoPE, SwiGLU", "RoPE only", "sinusoidal, GELU")]
    models = ["RiNALMo 650M", "RiNALMo 650M frozen", "RiNALMo 148M", *small, "RNA-FM 100M"]
    found = of_party("third party: read from the supplement", split, "relaxed_f1")
    assert found == dict(zip(models, numbers.split(), strict=True))


def test_prior_of_a_linear_probe():
    source = "third party: linear probe"
    assert of_party(source, "TS0", "f1") == {
        "ViennaRNA": "0.544",
        "ViennaRNA with ERNIE-RNA prior": "0.656",
        "CONTRAfold": "0.560",
        "CONTRAfold with ERNIE-RNA prior": "0.683",
    }
    expected = {"CONTRAfold": "0.630", "CONTRAfold with ERNIE-RNA prior": "0.738"}
    assert of_party(source, "all 5401", "f1") == expected


def test_rescored_test_set_b():
    assert value("structure", "paper's", "RiNALMo 650M", "f1") == ["0.67"]
    assert value("structure", "181 RNAs not in TR0", "RiNALMo 650M", "pooled_f1") == ["0.818"]


@pytest.mark.parametrize(
    "model, numbers",
    [
        ("RiNALMo 650M frozen", "81.02 68.18 67.73 63.75"),
        ("RiNALMo 148M", "95.96 93.80 93.35 92.81"),
        ("RiNALMo 33M", "94.86 - 90.83 -"),
    ],
)
def test_splice_ablations(model, numbers):
    cells = zip(["fish", "fly", "plant", "worm"], numbers.split(), strict=True)
    for species, number in cells:
        assert value("splice_sites", f"mean_{species}", model, "f1_percent") == [number] * (number != "-")


def of_party(source: str, split: str, metric: str) -> dict[str, str]:
    """{model: value} that one source has of a split of the structure task, in its order."""
    chosen = pl.col("source").str.starts_with(source) & pl.col("split").eq(split) & pl.col("metric").eq(metric)
    return dict(rows("structure").filter(chosen).select("model", "value").rows())
