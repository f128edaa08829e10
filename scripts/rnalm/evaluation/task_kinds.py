"""What the report says of each kind of task: the metrics that lead, the score of one item, the trivial baseline."""

from dataclasses import dataclass

import polars as pl

from rnalm.tasks.scores.classification import YES_OR_NO


@dataclass(frozen=True)
class Kind:
    """leading: metrics, the first leads; item: what one item's score is called; items: what the items are."""

    leading: tuple[str, ...]
    item: str
    items: str
    predicts: str
    trivial: str


KINDS = {
    "pairs": Kind(
        ("f1", "relaxed_f1", "precision", "recall", "pooled_f1"),
        "F1",
        "RNAs",
        "the base pairs of an RNA",
        "predicts no pair",
    ),
    "yes_no": Kind(
        ("f1", "accuracy", "mcc", "auroc", "f1_percent"),
        "accuracy",
        "items",
        "a yes or no",
        "always says what is commoner in training",
    ),
    "classes": Kind(
        ("accuracy", "macro_f1", "weighted_f1", "mcc"),
        "accuracy",
        "items",
        "one class of several",
        "always says the commonest class of training",
    ),
    "number": Kind(
        ("r2", "spearman", "pearson_r2", "mae"),
        "absolute error",
        "items",
        "a measured number",
        "always says the mean of training",
    ),
    "positions": Kind(
        ("accuracy", "f1", "cropped_accuracy", "nucleotide_f1", "nucleotide_mcc"),
        "accuracy over nucleotides",
        "RNAs",
        "a label of every nucleotide, and with it of the RNA",
        "says the share of training for every nucleotide",
    ),
}
SLICE = 1000  # RNAs whose nucleotides are compared at a time


def of(predictions: pl.DataFrame) -> str:
    """The kind of a table of predictions, by its columns (`rnalm.tasks.kinds`)."""
    if "logits" in predictions.columns:
        return "yes_no" if sorted(predictions["classes"][0]) == YES_OR_NO else "classes"
    if "probability" in predictions.columns:
        return "positions"
    return "pairs" if "f1" in predictions.columns else "number"


def scored(predictions: pl.DataFrame) -> pl.DataFrame:
    """id, score: of each item the mean over seeds; higher is better, so that errors are negative."""
    kind = of(predictions)
    if kind == "positions":
        rows = pl.concat(nucleotides(part) for part in predictions.iter_slices(SLICE))
    else:
        score = {
            "pairs": pl.col("f1"),
            "number": -(pl.col("true") - pl.col("predicted")).abs(),
        }.get(kind, (pl.col("true") == pl.col("predicted")).cast(pl.Float64))
        rows = predictions.select("id", score=score)
    return rows.group_by("id", maintain_order=True).agg(pl.col("score").mean()).sort("id")


def nucleotides(predictions: pl.DataFrame) -> pl.DataFrame:
    """id, score: the share of an RNA's nucleotides that are right, of those that the model read."""
    read = pl.col("true").list.head(pl.col("probability").list.len())
    rows = predictions.select("id", true=read, called=pl.col("probability")).with_row_index("row")
    right = ((pl.col("called") > 0.5) == (pl.col("true") > 0)).mean()
    return rows.explode("true", "called").group_by("row", "id", maintain_order=True).agg(score=right).drop("row")
