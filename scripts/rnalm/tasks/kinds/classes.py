"""The class of an item. A yes or no ("yes", "no") has one logit unless the head asks for two."""

import numpy as np
import polars as pl
import torch
from scipy.special import softmax

from rnalm.errors import InputError
from rnalm.tasks.losses import class_loss
from rnalm.tasks.records import identities
from rnalm.tasks.scores import classification as scores
from rnalm.tasks.scores.classification import YES_OR_NO

METRIC = "f1"


def cross_entropy(output, records, head) -> torch.Tensor:
    numbers = {name: number for number, name in enumerate(head["labels"])}
    return class_loss(output, torch.tensor([numbers[record.label] for record in records], device=output.device))


LOSSES = {"cross_entropy": cross_entropy}


def weight(records) -> int:
    """Every item counts alike."""
    return len(records)


def described(head: dict, train) -> dict:
    """The head with its `labels`, in alphabetical order, and the number of its logits."""
    labels = sorted({record.label for record in train})
    if len(labels) < 2:
        raise InputError("train", f"has records of {len(labels)} class", "give records of at least two classes")
    possible = (1, 2) if labels == YES_OR_NO else (len(labels),)
    if head.get("classes", possible[0]) not in possible:
        problem = f"is {head['classes']}, and train has the classes {', '.join(labels[:10])}"
        raise InputError("head.classes", problem, f"leave it out, or write {possible[-1]}")
    return {"classes": possible[0], **head, "labels": labels}


def arrays(output, batch, model) -> list[np.ndarray]:
    """(classes,) logits of each item."""
    return list(output.float().cpu().numpy())


def reduced(logits: np.ndarray, record) -> np.ndarray:
    return logits


def validated(kept, records, head) -> tuple[dict, dict]:
    """(the scores, nothing): F1 of "yes", or the macro average."""
    found = scores.metrics(table(records, kept, head))
    return {METRIC: found["f1"] if head["labels"] == YES_OR_NO else found["macro_f1"], **found}, {}


def decoded(logits: np.ndarray, record, head) -> np.ndarray:
    return logits


def trivial(train, test, head) -> list[np.ndarray]:
    """The frequencies of the classes, so that the commonest is predicted."""
    labels = [record.label for record in train]
    shares = np.log([labels.count(name) for name in head["labels"]])
    logits = shares[1:] - shares[:1] if head["classes"] == 1 else shares
    return [logits.astype(np.float32) for _ in test]


def told(logits: np.ndarray, head) -> list[dict]:
    """The predicted class, and the probability of each; without names, classes are numbers."""
    labels = head.get("labels") or (YES_OR_NO if head["classes"] == 1 else list(map(str, range(head["classes"]))))
    scores = np.array([0.0, logits[0]]) if len(logits) == 1 else logits.astype(float)
    shares = softmax(scores)
    return [{"predicted": labels[int(scores.argmax())], **dict(zip(labels, map(float, shares), strict=True))}]


def table(records, predictions, head) -> pl.DataFrame:
    """A row per item: its class, the predicted one, and the logits in the order of the head's labels."""
    labels, logits = np.array(head["labels"]), np.stack(predictions)
    chosen = (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(axis=1)
    return pl.DataFrame(
        {
            **identities(records),
            "true": [record.label for record in records],
            "predicted": labels[chosen],
            "logits": pl.Series(logits.tolist(), dtype=pl.List(pl.Float32)),
        }
    ).with_columns(classes=pl.lit(head["labels"], dtype=pl.List(pl.String)))
