"""The heads of RNAret's published fine-tuned weights; that of miRNA-target pairs is a `heads.ClassModel`."""

import torch
from torch import nn

from rnalm.models.encoder import Encoder
from rnalm.models.heads import outer, pad
from rnalm.tokens.packing import PackedBatch


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

    The published files also hold 16 residual blocks that the published code never calls; they are no part of it.
    Source: official code DrBlackZJU/RNAret, `lnc.py`.
    """

    def __init__(self, encoder: Encoder, width: int, padded_to: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Module()
        self.head.linear_in = nn.Linear(encoder.config.dim, width)
        self.head.conv_out = nn.Conv1d(width, 1, 3, padding=1)
        self.padded_to = padded_to

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """PackedBatch of whole sequences -> one (L,) tensor of logits per sequence.

        The published code pads to 3,000 nucleotides with rows of zeros, and the last nucleotide sees the first of them.
        """
        inside = self.encoder.tokeniser.nucleotides
        return [self._logits(hidden[inside]) for hidden in batch.split(self.encoder(batch))]

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        x = self.head.linear_in(pad(hidden, self.padded_to))
        return self.head.conv_out(x.T.unsqueeze(0))[0, 0, : len(hidden)]
