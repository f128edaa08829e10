"""The numbers of the report, from a run's tables: headline, paired comparisons, results, published results."""

import json
import math
import struct
from pathlib import Path

import polars as pl

from rnalm.evaluation.bootstrap import interval

SEED = 42
INITS = {
    "pretrained": "Pre-trained",
    "frozen": "Pre-trained, frozen",
    "random": "Random start",
    "baseline": "Baseline",
}


def named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the reader's `name` of each model, ordered by init within task and split, which stay in order."""
    labels = [label(row) for row in rows.select("init", "model").iter_rows(named=True)]
    order = {init: number for number, init in enumerate(INITS)}
    cells = rows.select("task", "split").unique(maintain_order=True).with_row_index("cell")
    rows = rows.with_columns(name=pl.Series(labels, dtype=pl.String)).join(cells, on=["task", "split"])
    rank = pl.col("init").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return rows.sort("cell", rank, maintain_order=True).drop("cell")


def label(row: dict) -> str:
    """What the reader calls an initialisation; a baseline goes by its own name."""
    return row["model"] if row["init"] == "baseline" else INITS.get(row["init"], row["init"])


def by_split(rows: pl.DataFrame):
    """(title, rows) of each task and split."""
    for (task, split), part in rows.group_by("task", "split", maintain_order=True):
        yield f"{words(task)}, {split} split", part


def words(name: str) -> str:
    """`too_short` -> `too short`, `relaxed_f1` -> `relaxed F1`."""
    return " ".join("F1" if part == "f1" else part for part in name.split("_"))


def headline(ledger: pl.DataFrame, clusters: int, weights: Path, validation: pl.DataFrame, metrics) -> list[dict]:
    """The tiles at the top: value, label and a note; `weights` is the model's safetensors file."""
    by_rule = dict(ledger.group_by("rule").agg(pl.col("records").sum()).iter_rows())
    sources = ledger["source"].unique(maintain_order=True).to_list()
    origin = f"from {sources[0]}" if len(sources) == 1 else f"from {len(sources)} sources"
    final = validation.row(-1, named=True)
    trained = f"after {final['step']:,.0f} steps; 1 is certainty"
    return [
        tile(f"{by_rule.get('in', 0):,}", "records in", origin),
        tile(f"{by_rule.get('kept', 0):,}", "unique sequences", "after exact deduplication"),
        tile(f"{clusters:,}", "clusters", "each gives one sequence per epoch"),
        tile(f"{parameters(weights):,}", "model parameters", "of the pre-trained model"),
        tile(f"{final['perplexity']:.3f}", "validation perplexity", trained),
        *best_cell(metrics),
    ]


def tile(value: str, label: str, note: str) -> dict:
    return {"value": value, "label": label, "note": note}


def best_cell(metrics: pl.DataFrame) -> list[dict]:
    """A tile of the best mean F1 of a pre-trained encoder, with random start and baseline of the same split."""
    exact = named(metrics.filter(pl.col("metric") == "f1"))
    ours = exact.filter(pl.col("init").is_in(["pretrained", "frozen"])).sort("value", descending=True)
    if ours.is_empty():
        return []
    best = ours.row(0, named=True)
    rest = exact.filter((pl.col("task") == best["task"]) & (pl.col("split") == best["split"]))
    rest = rest.filter(pl.col("init").is_in(["random", "baseline"]))
    others = ", ".join(f"{row['name']} {row['value']:.3f}" for row in rest.iter_rows(named=True))
    return [tile(f"{best['value']:.3f}", "best mean F1", f"{best['name']}, {best['split']} split. {others}")]


def parameters(weights: Path) -> int:
    """Number of weights in a safetensors file, from its header alone (https://github.com/huggingface/safetensors)."""
    with open(weights, "rb") as handle:
        (size,) = struct.unpack("<Q", handle.read(8))
        header = json.loads(handle.read(size))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def comparisons(predictions: pl.DataFrame) -> list[dict]:
    """Paired differences in exact F1, RNA by RNA: the pre-trained encoder less each other one, per split."""
    found = []
    for (task, split), rows in named(predictions).group_by("task", "split", maintain_order=True):
        ours = rows.filter(pl.col("init") == "pretrained").select("id", ours="f1")
        for (init, name), others in rows.group_by("init", "name", maintain_order=True):
            both = ours.join(others.select("id", "f1"), on="id").sort("id")
            if init == "pretrained" or both.is_empty():
                continue
            mean, low, high = interval((both["ours"] - both["f1"]).to_numpy(), SEED)
            outcome = "better" if low > 0 else "worse" if high < 0 else "not clearly different"
            cell = {"task": task, "split": split, "init": init, "against": name, "n": len(both), "outcome": outcome}
            found.append(cell | {"mean": mean, "low": low, "high": high})
    return found


def results(metrics: pl.DataFrame) -> list[dict]:
    """Per task and split its models; `cells` of a model maps a metric to its row of metrics.csv."""
    groups = []
    for title, rows in by_split(named(metrics)):
        models = [
            {"name": name, "cells": {row["metric"]: row for row in part.iter_rows(named=True)}}
            for (name,), part in rows.group_by("name", maintain_order=True)
        ]
        groups.append({"title": title, "split": rows["split"][0], "n": rows["n"].max(), "models": models})
    return groups


def published(tables: list[Path], metrics: pl.DataFrame) -> list[dict]:
    """The published numbers of the run's tasks, a table per source, data set and scoring: models by (split, metric).

    A model's cell is its row of the CSV, whose value is None where it is not known; `here` is this run's value in
    each column, or None.
    """
    ours = metrics.filter(pl.col("init") == "pretrained")
    ran = {(row["task"], row["split"], row["metric"]): row["value"] for row in ours.iter_rows(named=True)}
    numbers = pl.concat(pl.read_csv(path, infer_schema=False) for path in tables)
    numbers = numbers.filter(pl.col("task").is_in(metrics["task"].unique().to_list()))
    kinds = ["task", "source", "dataset", "convention"]
    found = []
    for kind, rows in numbers.group_by(kinds, maintain_order=True):
        columns = rows.select("split", "metric").unique(maintain_order=True).rows()
        models = [
            {
                "name": name,
                "note": part["note"][0] if part["note"].n_unique() == 1 else None,
                "cells": {(row["split"], row["metric"]): row for row in part.iter_rows(named=True)},
            }
            for (name,), part in rows.group_by("model", maintain_order=True)
        ]
        here = [ran.get((kind[0], *column)) for column in columns]
        found.append(dict(zip(kinds, kind, strict=True)) | {"columns": columns, "models": models, "here": here})
    return found


def ledger_table(ledger: pl.DataFrame) -> dict:
    """The ledger with one column per rule."""
    rules = ledger["rule"].unique(maintain_order=True).to_list()
    wide = ledger.pivot("rule", index="source", values="records", aggregate_function="sum").fill_null(0)
    return {"rules": rules, "rows": wide.to_dicts()}
