"""Prediction heads on an encoder's packed representation."""

import torch
from torch import nn

from rnalm.models.encoder import Encoder
from rnalm.tokens.packing import PackedBatch


class PairHead(nn.Module):
    """RiNALMo's secondary-structure head: one logit for every pair of nucleotides of one sequence.

    Two bottleneck residual blocks over the outer concatenation [h_i ; h_j]. The concatenation is never built:
    Linear([h_i ; h_j]) = A h_i + B h_j + b with the two halves of the same weight matrix.
    Module names are those of the published fine-tuned files.
    Source: official code lbcb-sci/RiNALMo, `rinalmo/model/downstream.py`.
    """

    def __init__(self, dim: int, width: int = 64, blocks: int = 2):
        super().__init__()
        self.linear_in = nn.Linear(2 * dim, width)
        self.resnet = nn.Module()
        self.resnet.blocks = nn.ModuleList(PairBlock(width) for _ in range(blocks))
        self.conv_out = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(L, d) nucleotides of one sequence, without special tokens -> (L, L) symmetric logits, diagonal 0."""
        if len(hidden) < 2:  # no pair, and no spread to normalise by
            return hidden.new_zeros(len(hidden), len(hidden))
        left, right = self.linear_in.weight.chunk(2, dim=1)
        rows = nn.functional.linear(hidden, left, self.linear_in.bias)
        columns = nn.functional.linear(hidden, right)
        x = (rows[:, None] + columns[None, :]).permute(2, 0, 1).unsqueeze(0)
        for block in self.resnet.blocks:
            x = block(x)
        upper = self.conv_out(x)[0, 0].triu(1)
        return upper + upper.T


class PairBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()

        def stage(kernel):
            convolution = nn.Conv2d(width, width, kernel, padding="same", bias=False)
            return convolution, nn.InstanceNorm2d(width), nn.ReLU(inplace=True)

        self.conv_net = nn.Sequential(*stage(1), *stage(3), *stage(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_net(x)


class PairModel(nn.Module):
    """An encoder with a PairHead: what the structure task trains and `rnalm fold` runs."""

    def __init__(self, encoder: Encoder, width: int, blocks: int):
        super().__init__()
        self.encoder = encoder
        self.head = PairHead(encoder.config.dim, width, blocks)

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """PackedBatch of whole sequences -> one (L, L) logit matrix per sequence of L nucleotides."""
        # One sequence at a time: the head's instance norm must not see another sequence or padding.
        inside = self.encoder.tokeniser.nucleotides
        return [self.head(hidden[inside]) for hidden in batch.split(self.encoder(batch))]
