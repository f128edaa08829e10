"""The report's page: its numbers are those of the files it was made from, and it asks for nothing outside."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from report_fixture import FAMILIES, report
from rnalm.evaluation import composition, numbers
from rnalm.evaluation.flow import flow
from rnalm.evaluation.gallery import pick

PUBLISHED = Path(__file__).parents[2] / "resources/published/structure.csv"


@pytest.fixture(scope="module")
def page(report_path) -> str:
    return report_path.read_text()


@pytest.fixture(scope="module")
def run(report_path) -> Path:
    return report_path.parents[1]


@pytest.fixture(scope="module")
def charts(page) -> list[dict]:
    return list(json.loads(re.search(r'<script id="chart-data"[^>]*>(.*?)</script>', page, re.S)[1]).values())


@pytest.fixture(scope="module")
def predictions(run) -> pl.DataFrame:
    parts = []
    for path in sorted(run.parent.glob("tasks/structure/made/*/*/predictions.parquet")):
        cell = {"task": "structure", "split": path.parts[-3], "init": path.parts[-2], "model": "RNAfold"}
        parts.append(pl.read_parquet(path).with_columns(pl.lit(value).alias(key) for key, value in cell.items()))
    return pl.concat(parts)


def data(charts, description: str) -> list[list[dict]]:
    """All tables inside the chart whose description begins so."""
    (found,) = [chart for chart in charts if chart["description"].startswith(description)]
    return list(found["datasets"].values())


def tile(page: str, label: str) -> str:
    return re.search(rf'<div class="tile"><strong>([^<]*)</strong><span>{label}</span>', page)[1]


def test_headline_equals_the_files(page, run):
    ledger = pl.read_csv(run / "ledger.csv")
    total = dict(ledger.group_by("rule").agg(pl.col("records").sum()).iter_rows())
    assert tile(page, "records in") == f"{total['in']:,}"
    assert tile(page, "unique sequences") == f"{total['kept']:,}"
    clusters = pl.read_parquet(run.parent / "corpus/made/clusters.parquet")["cluster"].n_unique()
    assert tile(page, "clusters") == f"{clusters:,}"
    assert tile(page, "model parameters") == f"{300 * 400 + 400:,}"
    validation = pl.read_csv(run.parent / "pretrain/made/epochs-003/validation.csv")
    assert tile(page, "validation perplexity") == f"{validation['perplexity'][-1]:.3f}"
    exact = pl.read_csv(run / "metrics.csv").filter(metric="f1").filter(pl.col("init").is_in(["pretrained", "frozen"]))
    assert tile(page, "best mean F1") == f"{exact['value'].max():.3f}"


def test_results_table_holds_every_metric(page, run):
    table = re.search(r'<table id="results-table">(.*?)</table>', page, re.S)[1]
    rows = re.findall(r'<tr data-split="([^"]*)"><th scope="row">([^<]*)</th>(.*?)</tr>', table, re.S)
    shown = {
        (split, name): re.findall(r"<td[^>]*>([\d.]+)<small>([\d.]+)–([\d.]+)", cells) for split, name, cells in rows
    }
    metrics = pl.read_csv(run / "metrics.csv")
    for (split, init), cells in metrics.group_by("split", "init", maintain_order=True):
        name = "RNAfold" if init == "baseline" else numbers.INITS[init]
        expected = cells.select("value", "ci_low", "ci_high").rows()
        assert shown.pop((split, name)) == [tuple(f"{number:.3f}" for number in row) for row in expected]
    assert shown == {}


def test_flow_and_ledger_table_account_for_every_record(page, run):
    ledger = pl.read_csv(run / "ledger.csv")
    drawn = flow(ledger)
    total = ledger.filter(rule="in")["records"].sum()
    assert sum(node.records for node in drawn.sources) == total
    assert sum(node.records for node in drawn.outcomes) == total
    assert len(drawn.ribbons) == len(ledger.filter(pl.col("rule") != "in"))
    for node in drawn.outcomes:
        assert f"{node.name.replace('_', ' ')}<small>{node.records:,}" in page


def test_flow_keeps_labels_apart_when_most_rules_are_rare():
    rows = [("rfam", "in", 1_000_000), ("rfam", "kept", 999_990), *(("rfam", f"rule_{n}", 1) for n in range(10))]
    drawn = flow(pl.DataFrame(rows, schema=["source", "rule", "records"], orient="row"))
    middles = [node.middle for node in drawn.outcomes]
    assert min(after - before for before, after in pairwise(middles)) >= 36
    assert all(node.top >= 0 and node.top + node.height <= drawn.height for node in drawn.outcomes)


def test_corpus_charts_count_every_sequence(charts, run):
    sequences = pl.read_parquet(run.parent / "corpus/made/sequences/part-00000.parquet")
    (lengths,) = data(charts, "Histogram of the lengths")
    assert sum(row["sequences"] for row in lengths) == len(sequences)
    for row in lengths:
        assert row["sequences"] == sequences["length"].is_between(row["low"], row["high"], closed="left").sum()
    (families,) = data(charts, "Number of unique sequences of each family")
    assert {row["family"]: row["sequences"] for row in families} == dict.fromkeys(FAMILIES, 40)
    sizes = Counter(Counter(pl.read_parquet(run.parent / "corpus/made/clusters.parquet")["cluster"]).values())
    (clusters,) = data(charts, "Number of clusters by cluster size")
    assert clusters[0] == {"size": "1", "clusters": sizes[1]}
    assert clusters[1] == {"size": "2–3", "clusters": sizes[2] + sizes[3]}
    assert sum(row["clusters"] for row in clusters) == sum(sizes.values())


def test_length_bins_when_all_sequences_are_equally_long():
    counts = composition.length_counts(pl.LazyFrame({"length": [76, 76, 76]}))
    assert counts.rows() == [(76, 77, 3)]


def test_rare_families_are_put_together():
    types = [f"family{n:02d}" for n in range(20) for _ in range(40 - n)] + [None]
    counts = composition.family_counts(pl.LazyFrame({"rna_type": types}))
    assert len(counts) == composition.MOST_FAMILIES + 1
    assert counts["family"][-1] == "9 others"
    assert counts["sequences"].sum() == len(types)


def test_comparison_is_paired_and_says_what_the_interval_says(page, predictions):
    found = {(row["split"], row["init"]): row for row in numbers.comparisons(predictions)}
    assert len(found) == 6
    for (split, init), row in found.items():
        ours, other = (predictions.filter(split=split, init=which).sort("id")["f1"] for which in ("pretrained", init))
        assert row["mean"] == pytest.approx((ours - other).mean(), abs=1e-12)
        assert row["low"] < row["mean"] < row["high"]
        assert row["outcome"] == (
            "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "not clearly different"
        )
        assert f"{row['low']:+.3f} to {row['high']:+.3f}" in page
    won = sum(row["outcome"] == "better" for (_, init), row in found.items() if init == "random")
    assert f"beats a random start on {won} of 2 splits" in page


def test_a_worse_pretrained_model_is_called_worse(predictions):
    swap = pl.col("init").replace({"pretrained": "random", "random": "pretrained"})
    found = numbers.comparisons(predictions.filter(split="random").with_columns(swap))
    assert {row["init"]: row["outcome"] for row in found}["random"] == "worse"


def test_gallery_is_picked_by_rank(predictions):
    rows = predictions.filter(split="random", init="pretrained")
    picked = dict(pick(rows))
    assert list(picked) == ["worst", "lower quartile", "median", "upper quartile", "best"]
    values = rows["f1"].sort()
    assert picked["worst"]["f1"] == values[0]
    assert picked["median"]["f1"] == values[(len(values) - 1) // 2]
    assert picked["best"]["f1"] == values[-1]
    assert [place for place, _ in pick(rows.head(2))] == ["worst", "best"]


def test_contact_maps_hold_both_structures(charts, predictions):
    maps = [chart for chart in charts if chart["description"].startswith("Contact map")]
    assert len(maps) == 6
    ours = predictions.filter(init="pretrained")
    for chart in maps:
        identifier = re.match(r"Contact map of (\S+):", chart["description"])[1]
        (pairs,) = [table for table in chart["datasets"].values() if "kind" in table[0]]
        true = {row["kind"] for row in pairs if row["i"] < row["j"]}
        assert true <= {"shared", "missed"}
        count = sum(row["i"] < row["j"] for row in pairs), sum(row["i"] > row["j"] for row in pairs)
        written = ours.filter(id=identifier).select("true", "predicted").rows()
        assert count in [tuple(len(re.findall(r"[(\[{<A-Z]", text)) for text in row) for row in written]


def test_every_published_number_is_shown_as_printed(page):
    table = pl.read_csv(PUBLISHED, schema_overrides={"value": pl.String})
    cells = Counter(re.findall(r'<td class="number"[^>]*>([\d.]+)</td>', page.split('id="published"')[1]))
    expected = Counter(table["value"].drop_nulls())
    assert all(cells[value] >= count for value, count in expected.items())
    assert "not run" in page


def test_published_numbers_are_those_of_the_run_s_tasks():
    metrics = pl.DataFrame(
        {"task": ["structure"], "split": ["TS0"], "init": ["pretrained"], "metric": ["relaxed_f1"], "value": [0.5]}
    )
    tables = numbers.published(sorted(PUBLISHED.parent.glob("*.csv")), metrics)
    assert {table["task"] for table in tables} == {"structure"}


def test_a_published_cell_that_was_run_is_filled():
    metrics = pl.DataFrame(
        {"task": ["structure"], "split": ["TS0"], "init": ["pretrained"], "metric": ["relaxed_f1"], "value": [0.5]}
    )
    table = numbers.published([PUBLISHED], metrics)[0]
    assert dict(zip(table["columns"], table["here"], strict=True)) == {
        ("TS0", "relaxed_precision"): None,
        ("TS0", "relaxed_recall"): None,
        ("TS0", "relaxed_f1"): 0.5,
    }


def test_provenance_lists_every_stage_with_its_hashes(page, run):
    manifests = [path for path in run.parents[1].rglob("*manifest.json") if path.parent.name != "report"]
    for manifest in manifests:
        content = json.loads(manifest.read_text())
        assert str(manifest) in page
        for item in content["outputs"]:
            assert item["sha256"] in page


def test_page_loads_nothing_from_outside(page):
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    loads = re.findall(r'(?:\ssrc|xlink:href|<link[^>]*href)="([^"]*)"', markup) + re.findall(r"url\(([^)]*)\)", markup)
    assert [address for address in loads if not address.startswith("data:")] == []
    assert "@import" not in markup
    assert re.findall(r"<script[^>]*\ssrc=", page) == []
    assert "default-src 'none'" in page
    assert len(page.encode()) < 4_000_000


def test_the_same_run_gives_the_same_page(report_arguments, report_path, tmp_path):
    arguments = list(report_arguments)
    arguments[arguments.index("--manifest") + 1] = str(tmp_path / "manifest.json")
    assert report(arguments).returncode == 0
    assert (tmp_path / "index.html").read_bytes() == report_path.read_bytes()


@pytest.mark.parametrize("option", ["--collected", "--atlas", "--model", "--published"])
def test_missing_input_ends_in_one_line(report_arguments, report_path, tmp_path, option):
    before = report_path.read_bytes()
    arguments = list(report_arguments)
    arguments[arguments.index(option) + 1] = str(tmp_path / "absent.json")
    done = report(arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "absent.json" in done.stderr
    assert report_path.read_bytes() == before
