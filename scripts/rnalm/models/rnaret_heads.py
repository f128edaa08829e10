"""The heads of RNAret's published fine-tuned weights; that of miRNA-target pairs is a `heads.ClassModel`."""

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.models.encoder import Encoder
from rnalm.models.heads import outer
from rnalm.tokens.packing import PackedBatch

# How far the convolutions of positions see to either side: zeros between two sequences in a row.
APART = 3


class PlainPairHead(nn.Module):
    """RNAret's secondary-structure head: as `PairHead`, convolutions with bias and without norm, and of the two
    logits of a pair that of the row of the later nucleotide, the only one that is trained.
    Source: official code DrBlackZJU/RNAret, `ssp.py`.
    """

    def __init__(self, dim: int, width: int, blocks: int):
        super().__init__()
        self.linear_in = nn.Linear(2 * dim, width)
        self.resnet = nn.Module()
        self.resnet.blocks = nn.ModuleList(PlainPairBlock(width) for _ in range(blocks))
        self.conv_out = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(L, d) nucleotides of one sequence -> (L, L) symmetric logits, diagonal 0."""
        x = outer(self.linear_in, hidden)
        for block in self.resnet.blocks:
            x = block(x)
        lower = self.conv_out(x)[0, 0].tril(-1)
        return lower + lower.T


class PlainPairBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        stages = ((nn.Conv2d(width, width, kernel, padding="same"), nn.ReLU()) for kernel in (1, 3, 1))
        self.conv_net = nn.Sequential(*(layer for stage in stages for layer in stage))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_net(x)


class PlainPairModel(nn.Module):
    """An encoder with a PlainPairHead."""

    def __init__(self, encoder: Encoder, width: int, blocks: int):
        super().__init__()
        self.encoder = encoder
        self.head = PlainPairHead(encoder.config.dim, width, blocks)

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """As `PairModel.forward`."""
        inside = self.encoder.tokeniser.nucleotides
        return [self.head(hidden[inside]) for hidden in batch.split(self.encoder(batch))]


class PositionModel(nn.Module):
    """An encoder with RNAret's mRNA/lncRNA head: one logit for every nucleotide, here of being coding.

    blocks: 0 as released, where the published files hold 16 residual blocks that the published code never calls;
    16 as the paper describes the head. padded_to: rows of zeros up to 3,000 nucleotides as released, 0 for none.
    Source: official code DrBlackZJU/RNAret, `lnc.py`.
    """

    def __init__(self, encoder: Encoder, width: int, padded_to: int = 0, blocks: int = 0):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Module()
        self.head.linear_in = nn.Linear(encoder.config.dim, width)
        if blocks:
            self.head.resnet = nn.Module()
            self.head.resnet.blocks = nn.ModuleList(PositionBlock(width) for _ in range(blocks))
        self.head.conv_out = nn.Conv1d(width, 1, 3, padding=1)
        self.padded_to, self.blocks = padded_to, blocks

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """PackedBatch of whole sequences -> one (L,) tensor of logits per sequence.

        All go through the convolutions in one row, apart by zeros, so that none is padded to the length of another.
        """
        stream = F.linear(self.encoder(batch), self.head.linear_in.weight)
        parts = [part[self.encoder.tokeniser.nucleotides] for part in batch.split(stream)]
        padded = [self._padded(len(part)) for part in parts]
        places = [length + APART for length in padded]
        rows = [F.pad(part, (0, 0, 0, place - len(part))) for part, place in zip(parts, places, strict=True)]
        inside = torch.cat([torch.arange(place, device=stream.device) < place - APART for place in places])
        x = ((torch.cat(rows) + self.head.linear_in.bias) * inside.unsqueeze(1)).T.unsqueeze(0)
        for block in self.head.resnet.blocks if self.blocks else ():
            x = block(x, inside)
        logits = self.head.conv_out(x)[0, 0].split(places)
        return [row[: len(part)] for row, part in zip(logits, parts, strict=True)]

    def _padded(self, length: int) -> int:
        """Nucleotides and rows of zeros of one sequence, up to the last that its nucleotides see."""
        return max(length, min(self.padded_to, length + 1 + APART * self.blocks))


class PositionBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        stages = ((nn.Conv1d(width, width, kernel, padding="same"), nn.ReLU()) for kernel in (1, 2 * APART + 1, 1))
        self.conv_net = nn.Sequential(*(layer for stage in stages for layer in stage))

    def forward(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """(1, width, T), zeros where `inside`, (T,) bool, is False -> the same."""
        y = self.conv_net[:2](x) * inside
        return x + self.conv_net[2:](y) * inside
