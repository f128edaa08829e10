"""A label of every nucleotide, 0 or 1: in the mRNA / lncRNA task, whether it is coding."""

import numpy as np
import polars as pl
import torch

from rnalm.tasks.losses import position_loss
from rnalm.tasks.records import identities
from rnalm.tasks.scores import positions as scores

METRIC = "nucleotide_f1"


def cross_entropy(output, records, head) -> torch.Tensor:
    return position_loss(output, [record.label for record in records])


LOSSES = {"cross_entropy": cross_entropy}


def weight(records) -> int:
    """Every nucleotide counts alike, so that a long sequence counts for more."""
    return sum(record.length for record in records)


def described(head: dict, train) -> dict:
    return head


def arrays(output, batch, model) -> list[np.ndarray]:
    """(L,) probabilities of each sequence."""
    return [logits.float().sigmoid().cpu().numpy() for logits in output]


def reduced(probabilities: np.ndarray, record) -> np.ndarray:
    return probabilities


def validated(kept, records, head) -> tuple[dict, dict]:
    return scores.metrics(table(records, kept, head)), {}


def decoded(probabilities: np.ndarray, record, head) -> np.ndarray:
    return probabilities


def trivial(train, test, head) -> list[np.ndarray]:
    """The share of ones in the training part, for every nucleotide."""
    share = sum(sum(record.label) for record in train) / sum(record.length for record in train)
    return [np.full(record.length, share, dtype=np.float32) for record in test]


def told(probabilities: np.ndarray, head) -> list[dict]:
    """A row per nucleotide, from 1 on."""
    return [{"position": position, "probability": float(one)} for position, one in enumerate(probabilities, start=1)]


def table(records, predictions, head) -> pl.DataFrame:
    """A row per sequence: the labels and the probabilities of its nucleotides."""
    return pl.DataFrame(
        {
            **identities(records),
            # From arrays: lists of numbers of Python would take ten times the memory.
            "true": pl.Series([np.array(record.label, np.int8) for record in records], dtype=pl.List(pl.Int8)),
            "probability": pl.Series([np.asarray(each, np.float32) for each in predictions], dtype=pl.List(pl.Float32)),
        }
    )
