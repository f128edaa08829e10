"""Ours beside the published numbers: which row of ours meets which number, and which colour it gets."""

from pathlib import Path

import polars as pl
import pytest
import yaml
from rnalm.evaluation import comparison
from rnalm.evaluation.comparison import OTHER, UNSTATED, compare, is_same, judged

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
GIGA = {"task": "structure", "split": "ts0", "model": "rinalmo-giga", "init": "pretrained"}
TS0 = {"structure": {"task": "structure", "published": {"dataset": "bpRNA", "splits": {"ts0": "TS0"}}}}
CONFIGS = Path(__file__).parents[2] / "config" / "tasks"


def ours(value, low, high, metric="relaxed_f1", **place):
    return GIGA | place | {"metric": metric, "value": value, "ci_low": low, "ci_high": high}


def table(task):
    return pl.read_csv(PUBLISHED / f"{task}.csv", infer_schema=False)


def against(rows, tasks=TS0, **cell):
    numbers = pl.concat(table(path.stem) for path in PUBLISHED.glob("*.csv"))
    return compare(pl.DataFrame(rows), numbers, tasks).filter(**cell)


def colour(value, low, high, published=0.747, metric="relaxed_f1"):
    return judged(metric, published, ours(value, low, high, metric))[0]


def test_better_or_equal_is_green():
    assert colour(0.75, 0.74, 0.76) == colour(0.9, 0.89, 0.91) == colour(0.747, 0.73, 0.76) == "green"


def test_published_value_in_our_interval_is_green():
    assert colour(0.70, 0.64, 0.747) == "green" and colour(0.70, 0.65, 0.746) == "red"


def test_worse_by_less_than_the_margin_is_amber_and_by_more_red():
    assert colour(0.73, 0.72, 0.74) == "amber" and colour(0.726, 0.72, 0.73) == "red"
    assert colour(96.0, 95.8, 96.2, 97.7, "f1_percent") == "amber"
    assert colour(95.0, 94.8, 95.2, 97.7, "f1_percent") == "red"
    assert colour(0.845, 0.84, 0.85, 0.86, "r2") == "amber"


def test_less_is_better_of_an_error():
    assert colour(0.30, 0.29, 0.31, 0.324, "clamped_mae") == "green"
    assert colour(0.335, 0.33, 0.34, 0.324, "clamped_mae") == "amber"
    assert colour(0.40, 0.39, 0.41, 0.324, "clamped_mae") == "red"


def test_mean_over_folds_is_judged_as_the_metric_itself():
    assert colour(0.60, 0.59, 0.61, 0.61, "fold_mean_spearman") == "green"
    assert colour(0.5, 0.49, 0.51, 0.61, "fold_mean_spearman") == "red"


def test_nothing_to_compare_is_grey_and_says_why():
    assert judged("f1", None, {}) == ("grey", "published value unknown")
    assert judged("f1", 0.5, {}) == ("grey", "not run")
    assert judged("auroc", 0.5, ours(float("nan"), None, None, "auroc")) == ("grey", "not defined")
    assert judged("parameters_millions", 105.0, ours(33.0, None, None)) == ("grey", "neither is better")


def test_without_an_interval_the_values_decide():
    assert colour(0.75, None, None) == "green" and colour(0.73, None, None) == "amber"


def test_every_published_number_has_its_row():
    found = against([ours(0.75, 0.74, 0.76)])
    assert found.height == table("structure").height
    assert (found.filter(published_split="leave 5S out")["outcome"] == "grey").all()
    assert set(found.filter(published_split="leave 5S out")["reason"]) == {"not run"}


def test_difference_is_ours_less_the_published_one():
    source = "paper: RiNALMo, https://arxiv.org/abs/2403.00043"
    cell = {"published_split": "TS0", "published_model": "RiNALMo 650M", "metric": "relaxed_f1", "source": source}
    (row,) = against([ours(0.737, 0.73, 0.744)], **cell).iter_rows(named=True)
    assert row["difference"] == pytest.approx(-0.01) and row["outcome"] == "amber" and row["caveat"] is None
    assert (row["split"], row["model"], row["init"]) == ("ts0", "rinalmo-giga", "pretrained")


def test_exact_score_never_meets_a_relaxed_number():
    found = against([ours(0.9, 0.8, 1.0, "f1")], published_model="RiNALMo 650M", metric="relaxed_f1")
    assert set(found["outcome"]) == {"grey"}


def test_other_data_set_of_the_same_split_name_is_not_met():
    found = against(
        [ours(0.9, 0.8, 1.0)],
        {"structure": {"task": "structure", "published": {"dataset": "other", "splits": {"ts0": "TS0"}}}},
    )
    assert set(found["reason"]) == {"not run", "published value unknown"}


def test_a_frozen_encoder_meets_the_frozen_number_and_one_hot_input_its_own():
    rows = [
        ours(0.75, 0.74, 0.76),
        ours(0.65, 0.64, 0.66, init="frozen"),
        ours(0.60, 0.59, 0.61, "f1", init="frozen"),
        ours(0.35, 0.34, 0.36, "f1", init="onehot", model="onehot"),
        ours(0.54, 0.53, 0.55, "f1", init="baseline", model="RNAfold"),
    ]
    found = against(rows)
    relaxed = found.filter(published_model="RiNALMo 650M frozen", published_split="TS0", metric="relaxed_f1")
    assert set(relaxed["init"]) == {"frozen"}
    # Scored on frozen embeddings, as the note says.
    assert found.filter(published_model="RiNALMo", published_split="TS0", metric="f1")["init"].to_list() == ["frozen"]
    (one_hot,) = found.filter(published_model="one-hot", published_split="TS0").iter_rows(named=True)
    assert (one_hot["init"] == "onehot" and one_hot["outcome"] == "amber") or one_hot["outcome"] == "green"
    (folder,) = found.filter(published_model="ViennaRNA").iter_rows(named=True)
    assert folder["model"] == "RNAfold" and folder["caveat"] == UNSTATED


def test_small_model_is_marked_as_another_one():
    rows = [ours(0.5, 0.49, 0.51), ours(0.4, 0.39, 0.41, model="rinalmo-nano")]
    found = against(rows, published_model="RiNALMo 650M", metric="relaxed_f1", published_split="TS0")
    caveats = dict(found.unique("model").select("model", "caveat").rows())
    assert caveats == {"rinalmo-giga": None, "rinalmo-nano": OTHER}


def test_unstated_convention_is_a_caveat():
    rows = [ours(0.6, 0.5, 0.7, "f1", init="frozen", model=model) for model in ("ernie_rna-ernie_rna", "rinalmo-nano")]
    found = against(rows, published_model="ERNIE-RNA", published_split="TS0", published=0.628)
    assert found["caveat"].to_list() == [UNSTATED, f"{OTHER}; {UNSTATED}"]


def test_names_of_the_papers():
    assert is_same("rinalmo-giga", "RiNALMo 650M") and is_same("giga", "RiNALMo 650M frozen")
    assert is_same("ernie_rna-ernie_rna", "ERNIE-RNA") and is_same("rnaret-rnaret_5mer", "RNAret 5-mer")
    assert not is_same("rinalmo-mega", "RiNALMo 650M") and not is_same("rnaret-rnaret_1mer", "RNAret 5-mer")
    assert not is_same("rinalmo-demo", "RiNALMo 650M")


def test_names_of_the_papers_are_published_somewhere():
    names = {name for path in PUBLISHED.glob("*.csv") for name in table(path.stem)["model"]}
    assert {name for known in comparison.PAPERS.values() for name in known} - names == {"RNAret 3-mer"}


SPLICE = {
    f"splice_{site}": {
        "task": "splice_sites",
        "published": {"dataset": "Spliceator", "splits": {one: f"{site}_{one}" for one in ("worm", "fly")}},
    }
    for site in ("donor", "acceptor")
}


def test_mean_over_test_sets_is_made_where_all_were_run():
    rows = [
        ours(97.0, 96.4, 97.6, "f1_percent", task="splice_donor", split="worm"),
        ours(95.0, 94.2, 95.8, "f1_percent", task="splice_acceptor", split="worm"),
        ours(95.0, 94.2, 95.8, "f1_percent", task="splice_donor", split="fly"),
    ]
    found = against(rows, SPLICE, published_model="RiNALMo 650M")
    (worm,) = found.filter(published_split="mean_worm").iter_rows(named=True)
    assert (worm["our_task"], worm["split"]) == ("splice_acceptor, splice_donor", "worm")
    assert worm["value"] == 96.0 and worm["outcome"] == "green"
    assert worm["ci_low"] == pytest.approx(96 - 0.5) and worm["ci_high"] == pytest.approx(96 + 0.5)
    # Of fly the acceptors were not run.
    assert found.filter(published_split="mean_fly")["reason"].to_list() == ["not run"]
    assert found.filter(published_split="donor_worm")["value"].to_list() == [97.0]


def test_the_interval_of_a_mean_over_the_same_rnas_is_no_narrower(monkeypatch):
    monkeypatch.setattr(comparison, "DEPENDENT", {"Spliceator"})
    rows = [
        ours(97.0, 96.4, 97.6, "f1_percent", task="splice_donor", split="worm"),
        ours(95.0, 94.2, 95.8, "f1_percent", task="splice_acceptor", split="worm"),
    ]
    (worm,) = against(rows, SPLICE, published_split="mean_worm", published_model="RiNALMo 650M").iter_rows(named=True)
    assert (worm["ci_low"], worm["ci_high"]) == (pytest.approx(96 - 0.7), pytest.approx(96 + 0.7))


def test_one_test_set_that_was_run_twice_makes_no_mean():
    again = {"donor": SPLICE["splice_donor"], "donor_again": SPLICE["splice_donor"]}
    rows = [ours(97.0, 96.4, 97.6, "f1_percent", task=task, split="worm") for task in again]
    found = against(rows, again, published_model="RiNALMo 650M")
    assert found.filter(published_split="mean_worm")["reason"].to_list() == ["not run"]
    assert found.filter(published_split="donor_worm")["our_task"].to_list() == list(again)


def test_mean_of_what_has_no_interval_has_none():
    rows = [
        ours(97.0, None, None, "f1_percent", task="splice_donor", split="worm"),
        ours(95.0, 94.2, 95.8, "f1_percent", task="splice_acceptor", split="worm"),
    ]
    (worm,) = against(rows, SPLICE, published_split="mean_worm", published_model="RiNALMo 650M").iter_rows(named=True)
    assert worm["value"] == 96 and worm["ci_low"] is None and worm["ci_high"] is None


def test_published_means_and_their_parts_are_in_the_tables():
    places = {row for path in PUBLISHED.glob("*.csv") for row in table(path.stem).select("dataset", "split").rows()}
    for (dataset, name), parts in comparison.MEANS.items():
        assert {(dataset, one) for one in (name, *parts)} <= places


def test_translation_efficiency_does_not_meet_expression_level():
    # Both are of one data set, with splits and a metric of the same names.
    published = {"dataset": "UTR-LM", "splits": {"muscle": "Muscle"}}
    tasks = {"te": {"task": "translation_efficiency", "published": published}}
    found = against([ours(0.6, 0.5, 0.7, "fold_mean_spearman", task="te", split="muscle")], tasks)
    assert set(found["task"]) == {"translation_efficiency"} and found["our_task"].null_count() == found.height - 1


def test_a_run_without_results_of_the_task_is_grey_throughout():
    rows = [ours(0.9, 0.8, 1.0, task="other")]
    tasks = {"mirna": {"task": "mirna_mrna", "published": {"dataset": "MirTarRAW", "splits": {"random": "test"}}}}
    found = against(rows, tasks)
    assert found.height == 4 and set(found["outcome"]) == {"grey"}


def test_task_that_nothing_is_published_of_has_no_rows():
    assert against([ours(0.9, 0.8, 1.0)], {"structure": {"task": "nrc"}}).is_empty()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_configs_name_what_is_published(path):
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "published" in settings:
        places = set(table(settings["task"]).select("dataset", "split").rows())
        published = settings["published"]
        assert {(published["dataset"], split) for split in published["splits"].values()} <= places
