"""Losses of downstream tasks, in fp32: what a head says of one item or of a batch, and the truth -> a mean.

Which paper trains by which: structure by `pair_loss` (RiNALMo) or `allowed_pair_loss` (RNAret); yes or no, families and
miRNA targets by `class_loss`; ribosome load by `squared_loss`, on standardised targets, translation efficiency and
expression by `huber_loss` (RiNALMo); coding nucleotides by `position_loss` (RNAret).
"""

import numpy as np
import torch
import torch.nn.functional as F

from rnalm.structure.decoding import CANONICAL, CODES, MINIMUM_DISTANCE

# Of a pair against a cell without one, in RNAret's loss.
PAIR_WEIGHT = 10.0


def pair_loss(logits: torch.Tensor, pairs: list[tuple[int, int]]) -> torch.Tensor:
    """Mean binary cross-entropy over the (L^2 - L) / 2 cells i < j of an (L, L) matrix, all of one weight.

    0 of a single nucleotide, which has no such cell.
    """
    upper = torch.ones_like(logits, dtype=torch.bool).triu(1)
    cells, target = logits.float()[upper], contacts(logits, pairs)[upper]
    return F.binary_cross_entropy_with_logits(cells, target, reduction="sum") / max(len(cells), 1)


def allowed_pair_loss(logits: torch.Tensor, sequence: str, pairs: list[tuple[int, int]]) -> torch.Tensor:
    """Binary cross-entropy over the `allowed` cells of an (L, L) matrix, pairs weighing ten times, by their number.

    Pairs elsewhere, not canonical or too short, are no part of it; 0 where no cell is allowed.
    Source: official code DrBlackZJU/RNAret, `ssp.py`. It reads T as a letter that never pairs, here T is U.
    """
    cells, target = allowed(sequence).to(logits.device), contacts(logits, pairs).T
    weight = torch.tensor(PAIR_WEIGHT, device=logits.device)
    total = F.binary_cross_entropy_with_logits(logits.float()[cells], target[cells], pos_weight=weight, reduction="sum")
    return total / cells.sum().clamp(min=1)


def allowed(sequence: str) -> torch.Tensor:
    """(L, L) bool: cells i - j >= 4 whose letters are A-U, C-G or G-U, or of which one is N."""
    letters = np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)
    codes, unknown = CODES[letters], letters == ord("N")
    cells = CANONICAL[np.ix_(codes, codes)] | unknown[:, None] | unknown
    return torch.from_numpy(np.tril(cells, -MINIMUM_DISTANCE))


def contacts(logits: torch.Tensor, pairs: list[tuple[int, int]]) -> torch.Tensor:
    """Zeros like an (L, L) matrix in fp32, 1 at the cells i, j of the pairs."""
    target = torch.zeros(logits.shape, device=logits.device)
    if pairs:
        i, j = torch.tensor(pairs, device=logits.device).T
        target[i, j] = 1.0
    return target


def class_loss(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """(n, classes) and (n,) numbers of classes: cross-entropy; with one logit for a yes or no (1 or 0), the binary."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0].float(), classes.float())
    return F.cross_entropy(logits.float(), classes)


def squared_loss(numbers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(n,) and (n,): mean squared error."""
    return F.mse_loss(numbers.float(), targets)


def huber_loss(numbers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(n,) and (n,): squared up to an error of 1, linear beyond."""
    return F.huber_loss(numbers.float(), targets, delta=1.0)


def position_loss(logits: list[torch.Tensor], labels: list[list[int]]) -> torch.Tensor:
    """Per sequence (L,) and L zeros or ones: mean binary cross-entropy over the nucleotides of all sequences."""
    targets = torch.tensor([label for each in labels for label in each], dtype=torch.float32)
    stream = torch.cat(list(logits)).float()
    return F.binary_cross_entropy_with_logits(stream, targets.to(stream.device))
