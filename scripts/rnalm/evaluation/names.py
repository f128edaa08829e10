"""What the reader calls a model, and the order in which models stand in tables and charts.

The run's own encoder goes by how it started, a baseline by its own name, an encoder of others by its name and start.
"""

import polars as pl

INITS = {
    "pretrained": "Pre-trained",
    "frozen": "Pre-trained, frozen",
    "lora": "Pre-trained, LoRA",
    "zeroshot": "Pre-trained, zero-shot",
    "zeroshot_p0": "Pre-trained, zero-shot, pairs scored 0",
    "random": "Random start",
    "onehot": "One-hot input",
    "kmer": "K-mer counts",
    "baseline": "Baseline",
}
FEATURES = ("onehot", "kmer")  # need no encoder


def is_own(model: str) -> bool:
    """Whether this is the run's own encoder: it is called FAMILY-CONFIG, and names of others have no hyphen."""
    return "-" in model


def label(model: str, init: str) -> str:
    if init == "baseline":
        return model
    start = INITS.get(init, init)
    return start if init in FEATURES or is_own(model) else f"{model}, {start[0].lower()}{start[1:]}"


def rank(model: str, init: str) -> tuple:
    """Sorting key: the run's own starts, features, encoders of others, baselines."""
    starts = list(INITS)
    place = 2 if init == "baseline" else 0 if init in FEATURES or is_own(model) else 1
    return place, model if place else "", starts.index(init) if init in starts else len(starts), model


def named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the `name` of each model, in the order of `rank`; equal ones stay in order. rows: model, init, ..."""
    models = sorted(rows.select("model", "init").unique().rows(), key=lambda model: rank(*model))
    schema = {"model": pl.String, "init": pl.String, "name": pl.String, "rank": pl.Int64}
    ranked = [(*model, label(*model), number) for number, model in enumerate(models)]
    known = pl.DataFrame(ranked, schema=schema, orient="row")
    return rows.join(known, on=["model", "init"], how="left").sort("rank", maintain_order=True).drop("rank")
