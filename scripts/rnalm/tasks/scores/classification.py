"""Scores of predicted classes, every convention beside the others: macro, weighted, micro, binary, ranking.

Logits decide, not what might be probabilities: RiNALMo's splice scores take the logits of a batch for probabilities if
all of them lie in [0, 1], so that a logit of 0.3, alone in its batch, is negative there. Its probability is 0.57.

Items are a table with the columns true, a class's name; classes, the names of all, the same in every row; and logits,
one per class in that order, or one alone of the classes "no" and "yes".
"""

import numpy as np
import polars as pl
from scipy.special import softmax

from rnalm.tasks.scores.resampling import areas, once, ranks, ratio

QUANTITIES = ("precision", "recall", "f1")
YES_OR_NO = ["no", "yes"]


def metrics(items: pl.DataFrame) -> dict[str, float]:
    """{metric: value} of the items: those of `binary` of a yes or no, else those of `multiclass`."""
    return once(weighted(items), items.height)


def weighted(items: pl.DataFrame):
    """A function of weights (draws, items), how often each item was drawn, to {metric: (draws,)}, as `metrics`."""
    classes, true, logits = columns(items)
    if sorted(classes) == YES_OR_NO:
        chosen = preference(logits, classes)
        return yes_or_no(true == classes.index("yes"), chosen > 0, chosen)
    return several(true, logits)


def columns(items: pl.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(classes, true class numbers (items,), logits (items, classes), or one column of a yes or no)."""
    classes = items["classes"][0].to_list()
    true = items["true"].cast(pl.Enum(classes)).to_physical()
    return classes, true.to_numpy().astype(int), np.stack(items["logits"].to_numpy()).astype(float)


def preference(logits: np.ndarray, classes: list[str]) -> np.ndarray:
    """(items,) the logit of a yes, that of "no" taken off where the head has both."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    return logits[:, classes.index("yes")] - logits[:, classes.index("no")]


def binary(true, logits) -> dict[str, float]:
    """{metric: value} of a yes or no; a logit above 0 is a yes. NaN for `auroc` and `auprc` if the truth has one class.

    true: (items,) 0 or 1; logits: (items,); ValueError for anything else
    """
    true, logits = np.asarray(true), np.asarray(logits, dtype=float)
    if true.shape != logits.shape or true.ndim != 1 or not len(true) or not np.isin(true, (0, 1)).all():
        raise ValueError(f"labels 0 and 1 are compared with as many logits, not {true.shape, logits.shape}")
    return once(yes_or_no(true, logits > 0, logits), len(true))


def yes_or_no(true, predicted, ranking):
    """As `weighted`, with the metrics of `binary`, of decisions that are given and of what ranks the items."""
    true, predicted = np.asarray(true, dtype=bool), np.asarray(predicted, dtype=bool)
    table, order = confusion(true[:, None] == [False, True], predicted[:, None] == [False, True]), ranks(ranking)

    def of_resamples(weights):
        hits, found, real = table(weights)
        overall = decisions(hits, found, real)
        own = [ratio(hits, found)[:, 1], ratio(hits, real)[:, 1], ratio(2 * hits, found + real)[:, 1]]
        rows = [percentages(*row) for row in zip(overall["accuracy"], own[0], own[1], strict=True)]
        return {
            **overall,
            **dict(zip(QUANTITIES, own, strict=True)),
            **{name: np.array([row[name] for row in rows]) for name in rows[0]},
            **dict(zip(("auroc", "auprc"), areas(weights, *order, true), strict=True)),
        }

    return of_resamples


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
    if not np.isin(true, np.arange(logits.shape[1])).all():
        raise ValueError(f"a class is not one of the {logits.shape[1]} of the head")
    return once(several(true, logits), len(true))


def several(true, logits):
    """As `weighted`, with the metrics of `multiclass`."""
    probabilities, classes = softmax(logits, axis=1), np.arange(logits.shape[1])
    one_hot = true[:, None] == classes
    table = confusion(one_hot, logits.argmax(axis=1)[:, None] == classes)
    orders = [ranks(column) for column in probabilities.T]

    def of_resamples(weights):
        each = [areas(weights, *order, one_hot[:, number]) for number, order in enumerate(orders)]
        auroc, auprc = np.mean(each, axis=0)
        return decisions(*table(weights)) | {"macro_auroc": auroc, "macro_auprc": auprc}

    return of_resamples


def confusion(true, predicted):
    """A function of weights (draws, items) to right, predicted and true items of every class, each (draws, classes).

    true, predicted: (items, classes), one-hot
    """
    columns = np.concatenate([true & predicted, predicted, true], axis=1).astype(float)
    return lambda weights: np.split(weights @ columns, 3, axis=1)


def decisions(hits, found, real) -> dict[str, np.ndarray]:
    """Accuracy, Matthews correlation and the averages over classes, (draws,) each, from `confusion`.

    The correlation is Gorodkin's for several classes (Computational Biology and Chemistry 28:367, 2004).
    """
    total, right = real.sum(axis=1), hits.sum(axis=1)
    accuracy = right / total
    spread = [total**2 - (side**2).sum(axis=1) for side in (found, real)]
    correlation = ratio(right * total - (found * real).sum(axis=1), np.sqrt(spread[0] * spread[1]))
    each = dict(zip(QUANTITIES, (ratio(hits, found), ratio(hits, real), ratio(2 * hits, found + real)), strict=True))
    averages = {f"macro_{name}": values.mean(axis=1) for name, values in each.items()}
    averages |= {f"weighted_{name}": (values * real).sum(axis=1) / total for name, values in each.items()}
    averages |= {f"micro_{name}": accuracy for name in each}
    return {"accuracy": accuracy, "mcc": correlation} | averages
