"""The report's results: every number of the tables is on the page, and the figures are of the items they name."""

import json
import re
from collections import Counter
from html import unescape
from pathlib import Path

import polars as pl
import pytest
import report_tasks
from rnalm.evaluation import (
    cells,
    names,
    numbers,
    paired,
    published_page,
    result_tables,
    strata,
    strata_page,
    task_charts,
    task_figures,
    task_kinds,
)
from rnalm.evaluation.comparison import SCHEMA
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.gallery import pick
from rnalm.evaluation.task_page import MOST_OPEN

TASKS = list(report_tasks.SETTINGS)
PUBLISHED = Path(__file__).parents[2] / "resources/published"


@pytest.fixture(scope="module")
def page(report_path) -> str:
    return report_path.read_text()


@pytest.fixture(scope="module")
def run(report_path) -> Path:
    return report_path.parents[1]


@pytest.fixture(scope="module")
def metrics(run) -> pl.DataFrame:
    return pl.read_csv(run / "metrics.csv", schema_overrides=dict.fromkeys(("value", "ci_low", "ci_high"), pl.Float64))


@pytest.fixture(scope="module")
def grid(report_arguments, metrics) -> list[cells.Cell]:
    manifests = report_arguments[report_arguments.index("--evaluations") + 1 :]
    return cells.read([Path(path) for path in manifests], cells.folds(metrics))


@pytest.fixture(scope="module")
def charts(page) -> dict[str, dict]:
    return json.loads(re.search(r'<script id="chart-data"[^>]*>(.*?)</script>', page, re.S)[1])


def rows_of(page: str, task: str, split: str) -> dict[str, str]:
    """{model: the text of its cells} of a split's tables."""
    found: dict[str, str] = {}
    pattern = rf'<tr data-task="{task}" data-split="{split}"><th scope="row">([^<]*)(.*?)</tr>'
    for name, cells_ in re.findall(pattern, page, re.S):
        found[name] = found.get(name, "") + cells_
    return found


def of_task(grid, task: str, **place) -> list[cells.Cell]:
    return [cell for cell in grid if cell.task == task and all(getattr(cell, k) == v for k, v in place.items())]


def section(page: str, identifier: str) -> str:
    return re.search(rf'<section aria-labelledby="{identifier}">(.*?)</section>', page, re.S)[1]


@pytest.mark.parametrize("task", TASKS)
def test_results_tables_hold_every_metric_with_its_interval(page, metrics, task):
    for (split, model, init), part in metrics.filter(task=task).group_by("split", "model", "init"):
        text = rows_of(page, task, split)[names.label(model, init)]
        for row in part.iter_rows(named=True):
            if not row["metric"].startswith("fold_sd_"):
                small = f"<small>{numbers.interval(row, row['metric'])}</small>"
                assert f"{numbers.shown(row['value'], row['metric'])}{small}".removesuffix("<small></small>") in text


def test_spread_over_seeds_and_over_folds(page, run, metrics):
    values = pl.read_csv(run / "seeds.csv").filter(task="splice_donor", split="fish", init="frozen", metric="mcc")[
        "value"
    ]
    assert len(values) == 2
    assert f"sd {values.std():.3f}" in rows_of(page, "splice_donor", "fish")["Pre-trained, frozen"]
    of_folds = metrics.filter(task="translation_efficiency", metric="fold_sd_r2", init="random")["value"].item()
    assert f"sd {of_folds:.3f}" in rows_of(page, "translation_efficiency", "muscle")["Random start"]
    assert "sd over 2 seeds" in section(page, "task-splice_donor")
    assert "sd over 3 folds" in section(page, "task-translation_efficiency")


def test_folds_are_one_test_with_their_own_tables_folded(page, grid):
    text = section(page, "task-translation_efficiency")
    assert text.count('<h4 class="test"') == 1
    assert f"Each of the {report_tasks.FOLDS} folds" in text
    assert {cell.test for cell in of_task(grid, "translation_efficiency")} == {"muscle"}


def test_a_split_whose_name_ends_in_a_number_is_no_fold():
    metrics = pl.DataFrame({"task": "t", "split": ["try_0", "try_1"], "metric": "f1"})
    assert cells.folds(metrics) == {}
    mean = pl.DataFrame({"task": "t", "split": ["try"], "metric": "fold_mean_f1"})
    assert cells.folds(pl.concat([metrics, mean])) == {("t", "try_0"): "try", ("t", "try_1"): "try"}


def test_what_was_not_run_is_said(page):
    text = section(page, "task-structure")
    assert "Not run: trivial." in text
    assert rows_of(page, "structure", "random")["trivial"].count("not run") >= len(task_kinds.KINDS["pairs"].leading)


def test_an_undefined_metric_is_not_printed_as_nan(page):
    assert "not defined" in rows_of(page, "translation_efficiency", "muscle_0")["trivial"]
    assert not re.search(r">\s*nan\b", page)


def test_leading_metrics_stand_open_and_lead_to_their_cards(page):
    for task, kind in zip(TASKS, ("pairs", "yes_no", "classes", "number", "positions"), strict=True):
        table = re.search(r"<table.*?</thead>", section(page, f"task-{task}"), re.S)[0]
        headers = re.findall(r'<a href="#(metric-[^"]+)" title="([^"]+)">([^<]+)</a>', table)
        assert [name for _, _, name in headers] == [numbers.words(name) for name in task_kinds.KINDS[kind].leading]
        assert all(f'<details id="{identifier}">' in page for identifier, _, _ in headers)


@pytest.mark.parametrize(
    ("model", "init", "name"),
    [
        ("rinalmo-giga", "pretrained", "Pre-trained"),
        ("rinalmo-giga", "lora", "Pre-trained, LoRA"),
        ("giga", "pretrained", "giga, pre-trained"),
        ("giga", "random", "giga, random start"),
        ("onehot", "onehot", "One-hot input"),
        ("RNAfold", "baseline", "RNAfold"),
        ("trivial", "baseline", "trivial"),
    ],
)
def test_names_of_models(model, init, name):
    assert names.label(model, init) == name


def test_models_stand_in_order_own_features_others_baselines(page):
    found = list(rows_of(page, "splice_donor", "fish"))
    own = ["Pre-trained", "Pre-trained, frozen", "Random start", "One-hot input"]
    assert found == [*own, "giga, pre-trained", "giga, random start", "trivial"]


@pytest.mark.parametrize("task", TASKS)
def test_difference_is_paired_item_by_item(grid, task):
    found = paired.comparisons(of_task(grid, task))
    ours = pl.concat(cell.items for cell in of_task(grid, task, init="pretrained", model=report_tasks.MODEL))
    random = pl.concat(cell.items for cell in of_task(grid, task, init="random", model=report_tasks.MODEL))
    rows = [row for row in paired.from_random(found) if row["own"]]
    assert sum(row["n"] for row in rows) == len(ours)
    total = sum(row["n"] * row["mean"] for row in rows)
    assert total == pytest.approx(ours["score"].sum() - random["score"].sum())
    for row in found:
        assert row["low"] <= row["mean"] <= row["high"]
        clear = "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "not clearly different"
        assert row["outcome"] == clear


def test_a_smaller_error_is_ahead():
    items = pl.DataFrame({"id": ["a", "a"], "true": [1.0, 1.0], "predicted": [1.5, 0.0], "seed": [1, 2]})
    assert task_kinds.scored(items).rows() == [("a", -0.75)]


def test_nucleotides_behind_what_a_model_reads_do_not_count():
    items = pl.DataFrame({"id": ["a"], "true": [[1, 0, 1, 1]], "probability": [[0.9, 0.8]], "seed": [1]})
    assert task_kinds.scored(items).rows() == [("a", 0.5)]


def test_a_worse_pretrained_model_is_called_worse():
    assert paired.outcome(-0.2, -0.1) == "worse" and paired.outcome(-0.1, 0.1) == "not clearly different"


def test_encoders_of_others_stand_against_their_own_random_start(grid):
    found = paired.from_random(paired.comparisons(of_task(grid, "splice_donor", split="fish")))
    assert [(row["name"], row["against"]) for row in found] == [
        ("Pre-trained", "Random start"),
        ("giga, pre-trained", "giga, random start"),
    ]


def test_verdict_counts_the_tests_of_the_run_s_own_encoder(page, grid):
    rows = [row for row in paired.from_random(paired.comparisons(grid)) if row["own"]]
    won = sum(row["outcome"] == "better" for row in rows)
    assert len(rows) == 9
    assert f"beats a random start on {won} of 9 tests" in page
    for row in rows:
        assert f"{row['low']:+.3f} to {row['high']:+.3f}" in page


def test_published_numbers_have_a_colour_and_a_sign(page, run):
    table = pl.read_csv(run / "comparison.csv", infer_schema_length=None).filter(pl.col("outcome") != "grey")
    assert len(table) > 10
    shown = section(page, "published")
    for colour, count in table["outcome"].value_counts().rows():
        cells_ = re.findall(rf'<td class="text {colour}">(.)', shown)
        assert cells_ == [published_page.SIGNS[colour]] * count


def test_published_tests_that_were_not_run_are_named(page):
    text = unescape(section(page, "published"))
    assert "structure, bpRNA: TS0" in text
    assert "leave 5S out" in text and "not run" in text


def test_every_published_number_is_shown_as_printed(page):
    paths = sorted(PUBLISHED.glob("*.csv"))
    named = {settings["task"] for settings in report_tasks.SETTINGS.values()}
    table = pl.concat(pl.read_csv(path, infer_schema=False) for path in paths).filter(pl.col("task").is_in(named))
    shown = Counter(re.findall(r'<td class="number"[^>]*>([\d.]+)</td>', section(page, "published")))
    expected = Counter(table["value"].drop_nulls())
    assert all(shown[value] >= count for value, count in expected.items())


def test_a_published_cell_that_was_run_is_filled(page, metrics):
    own = metrics.filter(task="structure", split="leave-tRNA-out", init="pretrained", metric="relaxed_f1")[
        "value"
    ].item()
    here = re.findall(r'<tr class="here">(.*?)</tr>', section(page, "published"))
    assert any(f'<td class="number">{own:.3f}</td>' in row for row in here)


def test_strata_tables_hold_the_rows_of_strata(page, run):
    table = pl.read_csv(run / "strata.csv", infer_schema_length=None)
    rows = table.filter(task="structure", split="random", metric="f1", init="pretrained", target="corpus")
    part = (
        section(page, "task-structure").split("Nearest in the corpus, the same strand</span>")[1].split("</table>")[0]
    )
    forward = rows.filter(pl.col("strand") == "forward", pl.col("n") > 0)
    assert part.count('<tr><th scope="row"') == len(forward)
    for row in forward.iter_rows(named=True):
        assert f'<th scope="row">{row["stratum"]}</th><td class="number">{row["n"]}</td>' in part
        assert f"{row['value']:.3f}" in part


def test_figures_of_more_than_a_few_tests_are_folded(page, charts):
    text = section(page, "task-splice_donor")
    folded = "".join(re.findall(r"<details><summary>Figures of.*?</details>", text, re.S))
    assert text.count("Figures of") == len(report_tasks.SPECIES) - MOST_OPEN
    identifiers = re.findall(r'class="chart" id="([^"]+)"', text)
    assert len(re.findall(r'class="chart"', folded)) == len(identifiers) / len(report_tasks.SPECIES)
    assert set(identifiers) <= set(charts)


def test_scatter_is_thinned_evenly_and_keeps_both_ends():
    items = pl.DataFrame({"true": range(2001), "predicted": range(2001)})
    (points,) = [rows for rows in task_charts.scatter(items)["datasets"].values() if len(rows) > 2]
    assert len(points) <= task_charts.MOST_POINTS
    assert (points[0]["true"], points[-1]["true"]) == (0, 1998)


def test_confusion_counts_every_item_of_the_classes_shown():
    rows = pl.DataFrame({"true": ["a", "a", "b"], "predicted": ["a", "b", "b"]})
    counts, classes = task_figures.confusion(rows, ["a", "b"])
    assert classes == ["a", "b"]
    assert counts.rows() == [("a", "a", 1, 0.5), ("a", "b", 1, 0.5), ("b", "b", 1, 1.0)]


def test_of_many_classes_the_worst_are_shown():
    names_ = [f"c{n:02d}" for n in range(30)]
    rows = pl.DataFrame({"true": names_, "predicted": [*names_[:29], "c00"]})
    counts, classes = task_figures.confusion(rows, names_)
    assert len(classes) == task_figures.MOST_CLASSES + 1 and classes[-1] == "any other"
    assert {"c00", "c29"} <= set(classes)
    assert counts["items"].sum() == task_figures.MOST_CLASSES


def test_stretches_and_regions_of_a_sequence():
    assert task_figures.regions([0, 1, 1, 0, 1]).rows() == [(2, 3), (5, 5)]
    assert task_figures.regions([0, 0]).is_empty()
    bins = task_figures.bins([0.0, 1.0] * task_figures.MOST_BINS)
    assert len(bins) == task_figures.MOST_BINS
    assert set(bins["probability"]) == {0.5}


def test_gallery_is_picked_by_rank(grid):
    (cell,) = of_task(grid, "structure", split="random", init="pretrained")
    rows = cells.first_seed([cell])
    picked = dict(pick(rows))
    assert list(picked) == ["worst", "lower quartile", "median", "upper quartile", "best"]
    values = rows["f1"].sort()
    assert picked["worst"]["f1"] == values[0]
    assert picked["median"]["f1"] == values[(len(values) - 1) // 2]
    assert picked["best"]["f1"] == values[-1]
    assert [place for place, _ in pick(rows.head(2))] == ["worst", "best"]


def test_contact_maps_hold_both_structures(charts, grid):
    maps = [chart for chart in charts.values() if chart["description"].startswith("Contact map")]
    assert len(maps) == 6
    ours = pl.concat(cells.first_seed([cell]) for cell in of_task(grid, "structure", init="pretrained"))
    for chart in maps:
        identifier = re.match(r"Contact map of (\S+):", chart["description"])[1]
        (pairs,) = [table for table in chart["datasets"].values() if "kind" in table[0]]
        true = {row["kind"] for row in pairs if row["i"] < row["j"]}
        assert true <= {"shared", "missed"}
        count = sum(row["i"] < row["j"] for row in pairs), sum(row["i"] > row["j"] for row in pairs)
        written = ours.filter(id=identifier).select("true", "predicted").rows()
        assert count in [tuple(len(re.findall(r"[(\[{<A-Z]", text)) for text in row) for row in written]


def test_headline_without_a_structure_task(grid, metrics, run):
    rest = metrics.filter(pl.col("task") != "structure")
    kinds = {cell.task: cell.kind for cell in grid}
    tables = result_tables.tables(rest, pl.read_csv(run / "seeds.csv"), kinds, cells.folds(rest))
    (tile,) = result_tables.best(tables, kinds)
    values = rest.filter(task="splice_donor", metric="f1").filter(pl.col("init").is_in(["pretrained", "frozen"]))
    own = values.filter(model=report_tasks.MODEL)["value"]
    assert tile["value"] == f"{own.max():.3f}" and tile["label"] == "best F1"


def test_tables_of_results_have_captions_and_scopes(page):
    for task in TASKS:
        for table in re.findall(r"<table.*?</table>", section(page, f"task-{task}"), re.S):
            assert "<caption>" in table
            assert all("scope=" in header for header in re.findall(r"<th\b[^>]*>", table))


def test_every_task_is_in_the_contents(page):
    contents = re.search(r"<nav.*?</nav>", page, re.S)[0]
    for task in TASKS:
        assert f'href="#task-{task}"' in contents and f'id="task-{task}"' in page


def test_f1_of_a_yes_or_no_is_not_explained_as_that_of_base_pairs(page):
    (title,) = set(re.findall(r'title="([^"]+)">F1</a>', section(page, "task-splice_donor")))
    assert "class “yes”" in title
    assert "true pairs" in re.search(r'title="([^"]+)">F1</a>', section(page, "task-structure"))[1]


def test_numbers_as_printed():
    assert numbers.shown(-0.0001, "r2") == "0.000"
    assert numbers.shown(97.9, "f1_percent") == "97.90"
    assert numbers.shown(None, "f1") == numbers.shown(float("nan"), "spearman") == "not defined"
    assert numbers.interval({"ci_low": -0.1, "ci_high": 0.2}, "r2") == "-0.100 to 0.200"
    assert numbers.interval({"ci_low": None, "ci_high": None}, "r2") == ""


def test_nothing_published_and_no_relatives_leave_empty_sections():
    shown = published_page.sections(pl.DataFrame(schema=SCHEMA), sorted(PUBLISHED.glob("*.csv")))
    assert shown["compared"] == shown["tables"] == shown["not_run"] == []
    assert strata_page.sections(pl.DataFrame(schema=strata.SCHEMA), "structure", "random", "f1", Figures()) == []


def test_a_stratum_that_was_not_scored_has_its_number_of_items():
    place = {"task": "t", "split": "s", "model": "m-1", "init": "pretrained", "target": "corpus", "strand": "forward"}
    rows = [place | {"stratum": name, "n": n, "metric": "f1"} for name, n in (("none", 5), ("1", 1), ("0.9-1", 0))]
    values = pl.DataFrame({"value": [0.5, None, None], "ci_low": [0.4, None, None], "ci_high": [0.6, None, None]})
    table = pl.DataFrame(rows).hstack(values)
    (part,) = strata_page.sections(table, "t", "s", "f1", Figures())
    assert [(row["stratum"], row["n"], row["cells"][0]["value"]) for row in part["rows"]] == [
        ("none", 5, 0.5),
        ("1", 1, None),
    ]
