"""Scores of predicted classes, every convention beside the others: per class, macro, weighted, micro, binary, ranking.

Logits decide, not what might be probabilities: RiNALMo's splice scores take the logits of a batch for probabilities if
all of them lie in [0, 1], so that a logit of 0.3, alone in its batch, is negative there. Its probability is 0.57.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import softmax
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

QUANTITIES = ("precision", "recall", "f1")


def binary(true, logits) -> dict[str, float]:
    """{metric: value} of a yes or no; a logit above 0 is a yes. NaN for `auroc` and `auprc` if the truth has one class.

    true: (items,) 0 or 1; logits: (items,); ValueError for anything else
    """
    true, logits = np.asarray(true), np.asarray(logits, dtype=float)
    if true.shape != logits.shape or true.ndim != 1 or not len(true) or not np.isin(true, (0, 1)).all():
        raise ValueError(f"labels 0 and 1 are compared with as many logits, not {true.shape, logits.shape}")
    predicted = (logits > 0).astype(int)
    found = {"accuracy": accuracy_score(true, predicted), "mcc": matthews_corrcoef(true, predicted)}
    values = precision_recall_fscore_support(true, predicted, average="binary", zero_division=0)
    found |= dict(zip(QUANTITIES, values[:3], strict=True))
    found |= percentages(found["accuracy"], found["precision"], found["recall"])
    found |= averaged(true, predicted, [0, 1])
    both = len(np.unique(true)) == 2
    found["auroc"] = roc_auc_score(true, logits) if both else np.nan
    found["auprc"] = average_precision_score(true, logits) if both else np.nan
    return {name: float(value) for name, value in found.items()}


def percentages(accuracy: float, precision: float, recall: float) -> dict[str, float]:
    """Rounded to 2 decimals, and F1 from what was rounded, as RiNALMo has its splice scores."""
    precision, recall = round(100 * precision, 2), round(100 * recall, 2)
    f1 = round(2 * precision * recall / (precision + recall), 2) if precision + recall else 0.0
    rounded = {"accuracy": round(100 * accuracy, 2), "precision": precision, "recall": recall, "f1": f1}
    return {f"{name}_percent": value for name, value in rounded.items()}


def multiclass(true, logits) -> dict[str, float]:
    """{metric: value} of one class of several; the class of the highest logit, the first of equals, is predicted.

    Macro averages are over all classes of the head, so that one neither true nor predicted counts 0; those of ranking
    are NaN unless every class occurs in the truth.
    true: (items,) class numbers; logits: (items, classes), at least 2; ValueError for anything else
    """
    true, logits = np.asarray(true), np.asarray(logits, dtype=float)
    if logits.ndim != 2 or logits.shape[1] < 2 or true.shape != logits.shape[:1] or not len(true):
        raise ValueError(f"classes are compared with a row of logits each, not {true.shape, logits.shape}")
    classes = np.arange(logits.shape[1])
    if not np.isin(true, classes).all():
        raise ValueError(f"a class is not one of the {len(classes)} of the head")
    predicted, probabilities = logits.argmax(axis=1), softmax(logits, axis=1)
    found = {"accuracy": accuracy_score(true, predicted), "mcc": matthews_corrcoef(true, predicted)}
    found |= averaged(true, predicted, classes)
    every, one_hot = len(np.unique(true)) == len(classes), true[:, None] == classes
    found["macro_auroc"] = roc_auc_score(one_hot, probabilities, average="macro") if every else np.nan
    found["macro_auprc"] = average_precision_score(one_hot, probabilities, average="macro") if every else np.nan
    return {name: float(value) for name, value in found.items()}


def averaged(true, predicted, classes: Sequence[int]) -> dict[str, float]:
    """Macro, weighted and micro precision, recall and F1 over `classes`; 0 where there is no denominator."""
    found = {}
    for way in ("macro", "weighted", "micro"):
        values = precision_recall_fscore_support(true, predicted, labels=classes, average=way, zero_division=0)[:3]
        found |= {f"{way}_{name}": value for name, value in zip(QUANTITIES, values, strict=True)}
    return found


def per_class(true, predicted, names: Sequence[str]) -> pl.DataFrame:
    """A row per class, in the order of their numbers: class, precision, recall, f1, n (how many are true)."""
    numbers = range(len(names))
    values = precision_recall_fscore_support(true, predicted, labels=numbers, average=None, zero_division=0)
    return pl.DataFrame({"class": list(names), **dict(zip((*QUANTITIES, "n"), values, strict=True))})
