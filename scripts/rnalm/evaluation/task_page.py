"""The sections of a run's tasks: whether pre-training helps, and of each task its tests with tables and figures."""

from itertools import groupby

import polars as pl

from rnalm.evaluation import cards, paired, result_tables, strata_page, task_charts, task_figures
from rnalm.evaluation.cells import Cell, Folds, tests
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.numbers import words
from rnalm.evaluation.result_tables import Table
from rnalm.evaluation.task_kinds import KINDS

MOST_OPEN = 3  # tests of a task whose figures are not folded


def sections(
    cells: list[Cell], metrics: pl.DataFrame, seeds: pl.DataFrame, strata: pl.DataFrame, known: Folds, figures: Figures
) -> dict:
    """The tables are those of collect (`scripts/collect.py`)."""
    kinds = {cell.task: cell.kind for cell in cells}
    tables = result_tables.tables(metrics, seeds, kinds, known)
    compared = paired.comparisons(cells)
    return {
        "verdicts": paired.from_random(compared),
        "tasks": tasks(cells, tables, compared, strata, known, figures),
        "best": result_tables.best(tables, kinds),
        "cards": glossary(metrics["metric"].unique(maintain_order=True).to_list()),
    }


def tasks(cells, tables, compared: list[dict], strata: pl.DataFrame, known: Folds, figures: Figures) -> list[dict]:
    by_split = {(table.task, table.split): table for table in tables}
    made = []
    for task, places in groupby(tests(cells), key=lambda test: test[0][0]):
        parts = [
            test(by_split[place], folds(tables, place, known), models, compared, strata, figures)
            | {"id": f"task-{task}-{number}", "open": number <= MOST_OPEN}
            for number, (place, models) in enumerate(places, 1)
        ]
        kind = KINDS[parts[0]["kind"]]
        made.append({"id": f"task-{task}", "title": capitalised(words(task)), "kind": kind, "tests": parts})
    return made


def folds(tables: list[Table], place: tuple[str, str], known: Folds) -> list[Table]:
    return [table for table in tables if known.get((table.task, table.split)) == place[1] and table.task == place[0]]


def test(
    table: Table, folds: list[Table], models: dict, compared: list[dict], strata: pl.DataFrame, figures: Figures
) -> dict:
    """One test of a task; charts in the order of the page."""
    place, metric, (cells, *_) = (table.task, table.split), table.leading[0], models.values()
    rows = table.rows.filter(pl.col("metric") == metric)
    known = rows["value"].is_finite().any()
    return {
        "kind": cells[0].kind,
        "table": table,
        "folds": folds,
        "means": figures.add(task_charts.means(rows, metric), capitalised(words(metric))) if known else None,
        "compared": [row for row in compared if (row["task"], row["test"]) == place],
        "figures": task_figures.drawn(models, figures),
        "strata_metric": metric,
        "strata": strata_page.sections(strata, *place, metric, figures),
    }


def capitalised(text: str) -> str:
    """`splice donor` -> `Splice donor`; `mRNA lncRNA` stays as it is."""
    first, _, rest = text.partition(" ")
    return f"{first.capitalize() if first.islower() else first} {rest}".rstrip()


def glossary(metrics: list[str]) -> dict:
    """metrics: {metric: its card}; cards: those that any of the metrics has, each once."""
    known = cards.by_name()
    found = {metric: known[metric] for metric in metrics if metric in known}
    plain = {metric.removeprefix("fold_mean_") for metric in metrics if metric.startswith("fold_mean_")}
    found |= {metric: known[metric] for metric in plain if metric in known}
    return {"metrics": found, "cards": list({card.name: card for card in found.values()}.values())}
