"""The atlas on a page: a report's section, and the page that `rnalm atlas` writes of own RNAs."""

import json
import re

import polars as pl
import pytest
from report_fixture import FAMILIES
from rnalm import cli
from rnalm.evaluation import atlas, atlas_page
from rnalm.models.directory import save
from small_models import TINY, encoder, transfer_rnas


def charts(page: str) -> list[dict]:
    return list(json.loads(re.search(r'<script id="chart-data"[^>]*>(.*?)</script>', page, re.S)[1]).values())


def separation(page: str) -> list[tuple[str, list[str]]]:
    table = re.search(r'<table id="separation">(.*?)</table>', page, re.S)[1]
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', table)
    return [(name, re.findall(r">([-\d.]+)</td>", cells)) for name, cells in rows]


@pytest.fixture(scope="module")
def page(report_path) -> str:
    return report_path.read_text()


def test_maps_of_a_set_share_their_colours(page):
    maps = [chart for chart in charts(page) if chart["description"].startswith("t-SNE map")]
    assert len(maps) == 6
    by_family = [chart for chart in maps if chart["description"].endswith("by family")]
    scales = [chart["encoding"]["color"]["scale"] for chart in by_family]
    assert len(scales) == 3
    assert all(scale == scales[0] for scale in scales)
    assert set(scales[0]["domain"]) == set(FAMILIES)


def test_separation_of_labels_is_a_table(page, report_path):
    scores = pl.read_csv(report_path.parents[1] / "atlas/scores.csv")
    expected = []
    for label in ("type", "family"):
        for name, title in atlas_page.ENCODERS.items():
            values = scores.filter(label=label, encoder=name)["value"]
            expected.append((title, [f"{value:.3f}" for value in values]))
    assert separation(page) == expected


def test_the_page_says_what_it_leaves_out(page):
    assert "Short RNAs are left out: of its types the sample has none." in page
    assert "The plane is t-SNE alone: umap-learn was not installed" in page


def test_a_label_that_divides_as_another_is_shown_once():
    rows = pl.DataFrame({"type": ["snRNA", "snRNA", "rRNA"], "family": ["U1", "U1", "SSU"]})
    assert atlas_page.labels(rows) == ["type"]
    assert atlas_page.labels(rows.with_columns(family=pl.Series(["U1", "U2", "SSU"]))) == ["type", "family"]


@pytest.fixture
def own(tmp_path):
    """(model, fasta of 12 tRNAs in two groups)."""
    save(tmp_path / "model", encoder(TINY), "# card")
    rnas = transfer_rnas()[:12]
    text = "".join(f">rna{n} group {n % 2}\n{rna.sequence}\n" for n, rna in enumerate(rnas))
    (tmp_path / "own.fa").write_text(text)
    return tmp_path / "model", tmp_path / "own.fa"


@pytest.fixture
def only_tsne(monkeypatch):
    monkeypatch.setattr(atlas, "planes", lambda: {"t-SNE": atlas.tsne})


@pytest.mark.parametrize("label_from", ["header", "table"])
def test_own_rnas_become_a_page(own, only_tsne, tmp_path, label_from):
    model, fasta = own
    table = tmp_path / "labels.csv"
    table.write_text("label,id\n" + "".join(f"group {n % 2},rna{n}\n" for n in range(12)))
    where = table if label_from == "table" else label_from
    cli.main(["atlas", str(model), str(fasta), "--label-from", str(where), "-o", str(tmp_path / "atlas.html")])
    page = (tmp_path / "atlas.html").read_text()
    assert [name for name, _ in separation(page)] == ["Pre-trained", "Random start", "5-mer counts"]
    assert all(len(values) == 6 for _, values in separation(page))
    (points,) = charts(page)[0]["datasets"].values()
    assert {point["family"] for point in points} == {"group 0", "group 1"}
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ("id,label\nrna0,a\n", "has no label for the record rna1"),
        ("id,kind\nrna0,a\n", "has no column label"),
        ("id,label\nrna0,a\nrna0,b\n", "names rna0 more than once"),
        ("", "cannot be read as CSV"),
        (None, "cannot be read as CSV"),
        ("id,label\n" + "".join(f"rna{n},a\n" for n in range(12)), "12 records with 1 labels"),
    ],
)
def test_a_wrong_table_of_labels_is_refused(own, tmp_path, table, word, capsys):
    model, fasta = own
    path = tmp_path / "labels.csv"
    if table is not None:
        path.write_text(table)
    with pytest.raises(SystemExit) as stop:
        cli.main(["atlas", str(model), str(fasta), "--label-from", str(path), "-o", str(tmp_path / "atlas.html")])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert word in said
    assert said.count("\n") == 1
    assert not (tmp_path / "atlas.html").exists()
