"""The left half on real records, through one config: Rfam's seeds, samples of RNAcentral, RefSeq and nt, and bpRNA."""

import json
from pathlib import Path

import browser
import polars as pl
import pytest
from snake import ROOT, snakemake

SHARED = ROOT.parent / "shared"
CONFIG = "tests/configs/real_corpus.yaml"
pytestmark = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the real records are not on this machine")


@pytest.fixture(scope="module")
def corpus(make_clone, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    (folder / "shared").symlink_to(SHARED)
    clone = make_clone(folder)
    done = snakemake("--cores", 2, "--configfile", CONFIG, "--", "corpus_all", cwd=clone, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return clone / "results/corpus/real_corpus"


def test_every_record_is_accounted_for(corpus):
    ledger = pl.read_csv(corpus / "ledger.csv")
    read = dict(ledger.filter(pl.col("rule") == "in").select("source", "records").iter_rows())
    assert read == {"rnacentral": 1_400, "rfam": 72_262, "refseq": 15, "nt": 100}
    ended = ledger.filter(pl.col("rule") != "in").group_by("source").agg(pl.col("records").sum())
    assert dict(ended.iter_rows()) == read
    sequences = pl.read_parquet(corpus / "sequences/*.parquet")
    assert sequences["digest"].is_unique().all()
    assert sequences["sources"].list.len().sum() == read["rnacentral"] + read["rfam"] + read["refseq"] + 67


def test_87_percent_of_ts0_are_in_the_corpus_and_none_in_tr0(corpus):
    summary = pl.read_csv(corpus / "leakage/structure/summary.csv").filter(
        (pl.col("part") == "test") & (pl.col("strand") == "forward") & (pl.col("identity") == 1.0)
    )
    covered = dict(summary.select("target", "covered").iter_rows())
    counts = json.loads((corpus / "leakage/structure/manifest.json").read_text())["counts"]
    assert counts["TS0.test"] == 1305
    assert counts["TS0.test.verbatim"] == 1141  # 87.4 %
    assert covered["corpus"] >= 1141
    assert covered["train"] == 0


def test_every_training_cluster_is_drawn_once_in_each_epoch(corpus):
    coverage = pl.read_csv(corpus / "draws/audit/coverage.csv")
    assert coverage["draw"].to_list() == ["validation", "epoch-000", "epoch-001", "epoch-002"]
    assert (coverage["drawn_once"] == coverage["clusters"]).all()
    clusters = pl.read_parquet(corpus / "clusters.parquet")["cluster"].n_unique()
    assert coverage["clusters"].to_list()[:2] == [clusters - coverage["clusters"][1], coverage["clusters"][1]]


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_its_page_loads_draws_and_fits(corpus):
    page = corpus / "report/index.html"
    with browser.chromium() as driver:
        browser.check_page(driver, page)
        text = driver.find_element(browser.By.TAG_NAME, "main").text
    ledger = pl.read_csv(corpus / "ledger.csv")
    for records in ledger["records"]:
        assert f"{records:,}" in text
    assert "nan" not in text.lower().split()
