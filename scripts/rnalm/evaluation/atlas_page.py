"""What a page shows of an atlas: maps of every set by every encoder, and how well the labels separate."""

from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.evaluation import charts, composition, page
from rnalm.evaluation.figures import Figures

ENCODERS = {"pretrained": "Pre-trained", "random": "Random start", "kmer": "5-mer counts"}
SETS = {"all": "All types", "long": "Long RNAs", "short": "Short RNAs"}
LABELS = {"type": "RNA type", "family": "family", "label": "label"}


def sections(manifest: Path, figures: Figures) -> dict:
    """The section of a run's atlas."""
    content = provenance.load(manifest)
    points = pl.read_parquet(page.output(manifest, "atlas.parquet"))
    scores = page.read_table(page.output(manifest, "scores.csv"))
    parameters = content["parameters"]
    left_out = [{"title": SETS[name], "why": why} for name, why in content["notes"]["left_out"].items()]
    return describe(points, scores, figures, parameters["planes"], parameters["seed"]) | {"left_out": left_out}


def describe(points: pl.DataFrame, scores: pl.DataFrame, figures: Figures, planes: list[str], seed: int) -> dict:
    """points: as `atlas.survey` makes them, and `set`; scores: likewise."""
    spaces = ["embedding", *planes]
    metrics = scores["metric"].unique(maintain_order=True).to_list()
    columns = [(space, metric) for space in spaces for metric in metrics]
    groups, maps = [], []
    for (name,), rows in points.group_by("set", maintain_order=True):
        for label in labels(rows):
            found = scores.filter((pl.col("set") == name) & (pl.col("label") == label))
            title = f"{SETS.get(name, name)}, by {LABELS[label]}"
            groups.append({"title": title, "rows": table(found, columns)} | size(rows, label))
            maps.append({"title": title, "figures": drawn(rows, label, title, planes, figures)})
    described = {"columns": columns, "groups": groups, "maps": maps, "planes": planes, "seed": seed}
    return described | {"encoders": [ENCODERS[name] for name in ENCODERS if name in points["encoder"]]}


def labels(rows: pl.DataFrame) -> list[str]:
    """The labels that the RNAs have; one that divides them as the one before does is not shown twice."""
    there = [label for label in LABELS if label in rows.columns]
    pairs = rows.select(there).unique()
    return [there[0], *(label for label in there[1:] if len(pairs) > pairs[there[0]].n_unique())]


def size(rows: pl.DataFrame, label: str) -> dict:
    one = rows.filter((pl.col("encoder") == rows["encoder"][0]) & (pl.col("plane") == rows["plane"][0]))
    return {"n": len(one), "classes": one[label].n_unique()}


def table(scores: pl.DataFrame, columns: list[tuple[str, str]]) -> list[dict]:
    """A row per encoder, a value, or None, per (space, metric)."""
    keys = ("encoder", "space", "metric")
    values = {tuple(row[key] for key in keys): row["value"] for row in scores.iter_rows(named=True)}
    return [
        {"name": name, "cells": [values.get((encoder, *column)) for column in columns]}
        for encoder, name in ENCODERS.items()
        if encoder in scores["encoder"]
    ]


def drawn(rows: pl.DataFrame, label: str, title: str, planes: list[str], figures: Figures) -> list[dict]:
    """One map per plane and encoder, with the same labels in the same colours; rare labels are one."""
    counts = rows[label].value_counts().sort(["count", label], descending=[True, False])
    common = counts[label].head(composition.MOST_FAMILIES).to_list()
    shown = pl.when(pl.col(label).is_in(common)).then(pl.col(label)).otherwise(pl.lit("other"))
    shown_rows = rows.select("encoder", "plane", "length", "x", "y", family=shown)
    common += ["other"] if len(counts) > len(common) else []
    made = []
    for plane in planes:
        for encoder, name in ENCODERS.items():
            part = shown_rows.filter((pl.col("encoder") == encoder) & (pl.col("plane") == plane))
            spec = charts.atlas(part.drop("encoder", "plane"), common, f"{plane} map of embeddings: {title}")
            made.append(figures.add(spec, f"{name}, {plane}"))
    return made
