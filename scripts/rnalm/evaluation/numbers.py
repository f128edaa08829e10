"""Numbers of reports: how they are written, the tiles at the top, the ledger as a table."""

import json
import math
import struct
from pathlib import Path

import polars as pl

CAPITALS = (
    "F1",
    "R2",
    "MCC",
    "AUROC",
    "AUPRC",
    "MAE",
    "MSE",
    "Pearson",
    "Spearman",
    "ncRNA",
    "mRNA",
    "lncRNA",
    "miRNA",
)
SPELLINGS = {name.lower(): name for name in CAPITALS}


def words(name: str) -> str:
    """`too_short` -> `too short`, `relaxed_f1` -> `relaxed F1`, `ncrna_family` -> `ncRNA family`."""
    return " ".join(SPELLINGS.get(part, part) for part in name.split("_"))


def shown(value: float | None, metric: str) -> str:
    """A value as tables print it: percentages with two decimals, others with three."""
    if value is None or math.isnan(value):
        return "not defined"
    return f"{value:z.2f}" if metric.endswith("_percent") else f"{value:z.3f}"


def interval(cell: dict, metric: str) -> str:
    """The interval of a row of metrics.csv, empty where it has none."""
    low, high = cell["ci_low"], cell["ci_high"]
    if low is None or math.isnan(low):
        return ""
    return f"{shown(low, metric)}{' to ' if low < 0 else '–'}{shown(high, metric)}"


def headline(ledger: pl.DataFrame, clusters: int, weights: Path, validation: pl.DataFrame) -> list[dict]:
    """The tiles of corpus and model: value, label and a note; `weights` is the model's safetensors file."""
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
    ]


def tile(value: str, label: str, note: str) -> dict:
    return {"value": value, "label": label, "note": note}


def parameters(weights: Path) -> int:
    """Number of weights in a safetensors file, from its header alone (https://github.com/huggingface/safetensors)."""
    with open(weights, "rb") as handle:
        (size,) = struct.unpack("<Q", handle.read(8))
        header = json.loads(handle.read(size))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def ledger_table(ledger: pl.DataFrame) -> dict:
    """The ledger with one column per rule."""
    rules = ledger["rule"].unique(maintain_order=True).to_list()
    wide = ledger.pivot("rule", index="source", values="records", aggregate_function="sum").fill_null(0)
    return {"rules": rules, "rows": wide.to_dicts()}
