"""The report's page: its numbers are those of the files it was made from, and it asks for nothing outside."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from report_fixture import FAMILIES, report
from rnalm.evaluation import composition
from rnalm.evaluation.flow import flow


@pytest.fixture(scope="module")
def page(report_path) -> str:
    return report_path.read_text()


@pytest.fixture(scope="module")
def run(report_path) -> Path:
    return report_path.parents[1]


@pytest.fixture(scope="module")
def charts(page) -> list[dict]:
    return list(json.loads(re.search(r'<script id="chart-data"[^>]*>(.*?)</script>', page, re.S)[1]).values())


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
    exact = pl.read_csv(run / "metrics.csv").filter(metric="f1", task="structure")
    exact = exact.filter(pl.col("init").is_in(["pretrained", "frozen"]))
    assert tile(page, "best mean F1") == f"{exact['value'].max():.3f}"


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
