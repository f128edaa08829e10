"""Score maps in a report, and the stage that makes what it shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from report_fixture import write_stage
from rnalm.evaluation import atlas_page, interpretation_charts, interpretation_page, pair_maps
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.page import render
from rnalm.models.directory import save
from rnalm.sequences.alphabet import digest
from rnalm.tasks import records
from small_models import ERNIE_RNA, RNARET, TINY, encoder, transfer_rnas

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page(report_path) -> str:
    return report_path.read_text()


@pytest.fixture(scope="module")
def charts(page) -> list[dict]:
    return list(json.loads(re.search(r'<script id="chart-data"[^>]*>(.*?)</script>', page, re.S)[1]).values())


def with_description(charts, start: str) -> list[dict]:
    return [chart for chart in charts if chart["description"].startswith(start)]


def test_best_heads_and_chance_are_those_of_the_table(page, report_path):
    heads = pl.read_csv(report_path.parents[1] / "interpretation/heads.csv")
    for name in ("pretrained", "random"):
        assert f"{heads.filter(encoder=name)['precision'].max():.3f}" in page
    assert "expected of a map without meaning: 0.010" in page


def test_a_map_stands_beside_its_base_pairs(charts, report_path):
    maps = pl.read_parquet(report_path.parents[1] / "interpretation/maps.parquet")
    drawn = with_description(charts, "Score map of")
    assert len(drawn) == len(maps)
    for chart, row in zip(drawn, maps.iter_rows(named=True), strict=True):
        assert len(chart["data"]["values"][0]["colour"]) == len(row["sequence"]) ** 2
    pairs = with_description(charts, "Base pairs of")
    assert [len(table) for chart in pairs for table in chart["datasets"].values() if "kind" in table[0]] == [
        2 * len(rows["pairs"][0]) for _, rows in maps.group_by("id", maintain_order=True)
    ]


def test_the_page_says_that_no_coding_region_is_known(page):
    assert "there are no codons in frame" in page
    assert "<code>GATTACAAA</code>" in page


def test_colours_of_a_map_are_cut_off_at_its_outliers():
    scores = np.linspace(0, 1, 10_000).reshape(100, 100)
    scores[0, 0] = 1000
    colours = interpretation_charts.cells(scores)
    assert (min(colours), max(colours)) == (0, 100)
    assert colours[5_000] == pytest.approx(50, abs=2)


def test_rnas_are_chosen_from_all_families_alike():
    rnas = [records.Record(f"{n}", f"family {n % 2 if n < 6 else 0}", "ACGT" * (5 + n), [(0, 9)]) for n in range(30)]
    chosen = pair_maps.choose(rnas, seed=1, count=6)
    assert sorted(rna.family for rna in chosen) == ["family 0"] * 3 + ["family 1"] * 3
    assert pair_maps.choose(rnas[::-1], 1, 6) == chosen
    assert pair_maps.choose([records.Record("x", "", "ACGT" * 10, [])], 1, 6) == []


def test_the_best_head_is_chosen_on_rnas_that_are_not_drawn():
    found = np.zeros((4, 2, 3))
    found[:2, 0, 1] = 1
    found[2:, 1, 2] = 0.5
    assert pair_maps.best_head(found, left_out=[0, 1]) == (1, 2)
    assert pair_maps.best_head(found, left_out=[0, 1, 2, 3]) == (0, 1)


def stage(folder: Path, settings: dict) -> Path:
    """Run scripts/interpret.py on 8 tRNAs: a corpus, structures and coding regions; returns its folder."""
    rnas = [records.Record(rna.id, rna.family, rna.sequence, rna.label) for rna in transfer_rnas()[:8]]
    rows = [{"digest": digest(r.sequence), "sequence": r.sequence, "length": r.length} for r in rnas]
    pl.DataFrame(rows).with_columns(rna_type=pl.lit("tRNA")).write_parquet(folder / "part-00000.parquet")
    corpus = write_stage("deduplicate", folder / "manifest.json", [], [folder / "part-00000.parquet"])
    data = {}
    coding = [records.Record(r.id, "", r.sequence, [0, 0] + [1] * 60 + [0] * (r.length - 62)) for r in rnas]
    for name, items in (("pairs", rnas), ("positions", coding)):
        splits = {"all": {"train": items, "valid": [], "test": []}}
        written = records.write(items, splits, name, folder / name / "run/data")
        data[name] = write_stage("task_data", written[0].with_name("manifest.json"), [], written)
    save(folder / "model", encoder(settings), "# card")
    model = write_stage("export", folder / "model/manifest.json", [], [folder / "model/model.safetensors"])
    command = [sys.executable, ROOT / "scripts/interpret.py", "--sequences", corpus, "--model", model, "--seed", "42"]
    command += ["--structures", data["pairs"], "--coding", data["positions"]]
    command += ["--manifest", folder / "out/manifest.json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.mark.parametrize(
    ("settings", "layers"), [(TINY, 2), (RNARET, 3), (ERNIE_RNA, 4)], ids=["rinalmo", "rnaret", "ernie_rna"]
)
def test_the_stage_reads_the_maps_of_every_family_of_models(tmp_path, settings, layers):
    out = stage(tmp_path, settings)
    heads = pl.read_csv(out / "heads.csv")
    assert len(heads) == 2 * layers * settings["heads"]
    assert heads["layer"].min() == (0 if settings["family"] == "ernie_rna" else 1)
    assert heads["precision"].is_between(0, 1).all()
    maps = pl.read_parquet(out / "maps.parquet")
    assert len(maps) == 2 * pair_maps.DRAWN
    assert all(len(row["scores"]) == len(row["sequence"]) ** 2 for row in maps.iter_rows(named=True))
    profiles = pl.read_parquet(out / "profiles.parquet")
    assert (profiles["column_means"].list.len() == profiles["length"]).all()
    kmers = pl.read_csv(out / "kmers.csv")
    assert "random_log2_fold" in kmers.columns
    kinds = kmers.select("rnas", "kind").unique()
    assert ("positions", "codon_in_frame") in kinds.rows()
    assert ("corpus", "codon") in kinds.rows()


@pytest.mark.parametrize("length", [40, 600], ids=["no RNA has a type", "none is short enough"])
def test_a_corpus_without_types_gets_its_sections(tmp_path, length):
    """Of own sequences nobody says what they are; those of genomes are all long."""
    letters = ["".join(np.random.default_rng(n).choice(list("ACGT"), length)) for n in range(5)]
    rows = [{"digest": digest(s), "sequence": s, "length": len(s), "rna_type": None} for s in letters]
    schema = {"digest": pl.String, "sequence": pl.String, "length": pl.Int32, "rna_type": pl.String}
    pl.DataFrame(rows, schema=schema).write_parquet(tmp_path / "part-00000.parquet")
    corpus = write_stage("deduplicate", tmp_path / "manifest.json", [], [tmp_path / "part-00000.parquet"])
    save(tmp_path / "model", encoder(TINY), "# card")
    model = write_stage("export", tmp_path / "model/manifest.json", [], [tmp_path / "model/model.safetensors"])
    for name in ("atlas", "interpret"):
        command = [sys.executable, ROOT / f"scripts/{name}.py", "--sequences", corpus, "--model", model, "--seed", "42"]
        command += ["--manifest", tmp_path / name / "manifest.json"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    figures = Figures()
    described = atlas_page.sections(tmp_path / "atlas/manifest.json", figures)
    assert described["groups"] == [] and len(described["left_out"]) == 3
    interpreted = interpretation_page.sections(tmp_path / "interpret/manifest.json", figures)
    assert interpreted["sequences"] == (5 if length == 40 else 0)
    assert len(interpreted["profiles"]) == (2 if length == 40 else 0)
    for name, sections in (("atlas", described), ("interpretation", interpreted)):
        assert "<p>" in render(f"{name}.html", figures, {name: sections})
