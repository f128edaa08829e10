"""Base pairs of an RNA, from one logit for every pair of its nucleotides.

The decoding threshold is tuned on validation RNAs after every epoch, as RiNALMo does it.
"""

import numpy as np
import polars as pl
import torch

from rnalm.structure.decoders import DECODERS, OF_LOGITS
from rnalm.structure.decoding import candidates
from rnalm.structure.notation import dot_bracket
from rnalm.structure.tuning import THRESHOLDS, tune_threshold
from rnalm.tasks.losses import allowed_pair_loss, pair_loss
from rnalm.tasks.scores import structure as scores

METRIC = "relaxed_f1"


def upper_triangle(output, records, head) -> torch.Tensor:
    """RiNALMo's: every cell counts alike."""
    return torch.stack([pair_loss(logits, record.label) for logits, record in zip(output, records, strict=True)]).mean()


def allowed_cells(output, records, head) -> torch.Tensor:
    """RNAret's: cells that may pair, true pairs ten times."""
    items = zip(output, records, strict=True)
    return torch.stack([allowed_pair_loss(logits, record.sequence, record.label) for logits, record in items]).mean()


LOSSES = {"upper_triangle": upper_triangle, "allowed_cells": allowed_cells}


def weight(records) -> int:
    """Every RNA counts alike."""
    return len(records)


def described(head: dict, train) -> dict:
    return head


def arrays(output, batch, model) -> list[np.ndarray]:
    """(L, L) logits of each RNA."""
    return [matrix.float().cpu().numpy() for matrix in output]


def probabilities(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).sigmoid().numpy()


def reduced(logits: np.ndarray, record):
    """What the greedy decoder finds at the lowest threshold: a matrix per RNA would fill the memory."""
    return candidates(probabilities(logits), record.sequence, min(THRESHOLDS))


def validated(kept, records, head) -> tuple[dict, dict]:
    """({"relaxed_f1": of the best threshold, or of the head's own}, {"threshold": that one}); decoded by `greedy`."""
    true, lengths = [record.label for record in records], [record.length for record in records]
    thresholds = (head["threshold"],) if "threshold" in head else THRESHOLDS
    threshold, f1 = tune_threshold(kept, true, lengths, thresholds)
    return {METRIC: f1}, {"threshold": threshold}


def decoded(logits: np.ndarray, record, head) -> list[tuple[int, int]] | np.ndarray:
    """Pairs, by the decoder and the threshold of the head; without a threshold (closeness) (L, L) probabilities."""
    if "threshold" not in head:
        return probabilities(logits)
    name = head.get("decoder", "greedy")
    matrix = logits if name in OF_LOGITS else probabilities(logits)
    return DECODERS[name](matrix, record.sequence, head["threshold"])


def trivial(train, test, head) -> list[list]:
    """No pair at all."""
    return [[] for _ in test]


def told(near: np.ndarray, head) -> list[dict]:
    """A row per two nucleotides i < j, from 1 on, of a head without a threshold; pairs are for `rnalm fold`."""
    cells = zip(*np.triu_indices(len(near), 1), strict=True)
    return [{"i": int(i) + 1, "j": int(j) + 1, "probability": float(near[i, j])} for i, j in cells]


def table(records, predictions, head) -> pl.DataFrame:
    """A row per RNA: both structures as dot-brackets, exact and relaxed scores."""
    rows = [row(record, predicted) for record, predicted in zip(records, predictions, strict=True)]
    return pl.DataFrame(rows, infer_schema_length=None)


def row(record, predicted) -> dict:
    return {
        "id": record.id,
        "family": record.family,
        "length": record.length,
        "sequence": record.sequence,
        "predicted": dot_bracket(predicted, record.length),
        "true": dot_bracket(record.label, record.length),
        **scores.scored(predicted, record.label, record.length),
    }
