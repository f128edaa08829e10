"""Prediction heads on an encoder's packed representation, and encoders with one: what fine-tuning trains.

They have the forms and names of RiNALMo's published fine-tuned weights, but for `TokenModel`, and fit any encoder.
"""

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.models.encoder import Encoder
from rnalm.tokens.packing import PackedBatch
from rnalm.tokens.tokeniser import Tokeniser

ACTIVATIONS = {"gelu": nn.GELU, "tanh": nn.Tanh}


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
        x = outer(self.linear_in, hidden)
        for block in self.resnet.blocks:
            x = block(x)
        upper = self.conv_out(x)[0, 0].triu(1)
        return upper + upper.T


def outer(linear: nn.Linear, hidden: torch.Tensor) -> torch.Tensor:
    """(L, d) -> (1, width, L, L): a linear layer on every [h_i ; h_j], i the row."""
    left, right = linear.weight.chunk(2, dim=1)
    rows, columns = F.linear(hidden, left, linear.bias), F.linear(hidden, right)
    return (rows[:, None] + columns[None, :]).permute(2, 0, 1).unsqueeze(0)


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


class ClassModel(nn.Module):
    """An encoder with two linear layers on the first token, or another key of POOLINGS: RiNALMo's splice-site and ncRNA
    heads (GELU), RNAret's miRNA-target head (tanh). classes: 1 for a yes or no.
    """

    def __init__(self, encoder: Encoder, width: int, classes: int, activation: str, pooling: str = "first"):
        super().__init__()
        self.encoder, self.pooling = encoder, POOLINGS[pooling]
        self.head = nn.Sequential(
            nn.Linear(encoder.config.dim, width), ACTIVATIONS[activation](), nn.Linear(width, classes)
        )

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """PackedBatch of whole sequences -> (sequences, classes) logits."""
        return self.head(self.pooling(self.encoder(batch), batch, self.encoder.tokeniser))


def first_token(hidden: torch.Tensor, batch: PackedBatch, tokeniser: Tokeniser) -> torch.Tensor:
    """(tokens, d) -> (sequences, d)."""
    return hidden[batch.cu_seqlens[:-1].long()]


def mean(hidden: torch.Tensor, batch: PackedBatch, tokeniser: Tokeniser) -> torch.Tensor:
    """(tokens, d) -> (sequences, d): the mean over what lies between the special tokens at the ends."""
    return torch.stack([part[tokeniser.nucleotides].mean(dim=0) for part in batch.split(hidden)])


POOLINGS = {"first": first_token, "mean": mean}


class TokenModel(nn.Module):
    """An encoder with one linear layer on every token."""

    def __init__(self, encoder: Encoder, classes: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.dim, classes)

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """PackedBatch of whole sequences -> (tokens, classes) logits, special tokens included."""
        return self.head(self.encoder(batch))


class ScalarHead(nn.Module):
    """RiNALMo's head for mean ribosome load, translation efficiency and expression level: one number per sequence.

    Residual blocks of convolutions over all tokens, `<cls>` and `<eos>` too, then their mean.
    Source: official code lbcb-sci/RiNALMo, `rinalmo/model/downstream.py`.
    """

    def __init__(self, dim: int, width: int, blocks: int):
        super().__init__()
        self.linear_in = nn.Linear(dim, width)
        self.resnet = nn.Module()
        self.resnet.blocks = nn.ModuleList(ScalarBlock(width) for _ in range(blocks))
        self.dropout = nn.Dropout(0.2)
        self.linear_out = nn.Linear(width, 1)

    def forward(self, hidden: torch.Tensor, padded_to: int = 0) -> torch.Tensor:
        """(T, d) tokens of one sequence -> a number, of shape ().

        padded_to: T in the norms. The published model was trained and tested with rows of zeros up to 102 tokens,
        which its instance norms count; its numbers come only with them.
        """
        x = self.linear_in(pad(hidden, padded_to)).T.unsqueeze(0)
        for block in self.resnet.blocks:
            x = block(x)
        return self.linear_out(self.dropout(x[0, :, : len(hidden)].mean(dim=1)))[0]


def pad(hidden: torch.Tensor, length: int) -> torch.Tensor:
    """(T, d) -> (at least `length`, d), filled up with zeros."""
    return F.pad(hidden, (0, 0, 0, max(0, length - len(hidden))))


class ScalarBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()

        def stage():
            convolution = nn.Conv1d(width, width, 3, padding="same", bias=False)
            return convolution, nn.InstanceNorm1d(width), nn.ELU(inplace=True)

        self.conv_net = nn.Sequential(*stage(), *stage())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_net(x)


class ScalarModel(nn.Module):
    """An encoder with a ScalarHead. mean, std: of the training targets, as the head's numbers are standardised."""

    def __init__(self, encoder: Encoder, width: int, blocks: int, padded_to: int, mean: float, std: float):
        super().__init__()
        self.encoder = encoder
        self.head = ScalarHead(encoder.config.dim, width, blocks)
        self.padded_to, self.mean, self.std = padded_to, mean, std

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """PackedBatch of whole sequences -> (sequences,) standardised numbers."""
        return torch.stack([self.head(hidden, self.padded_to) for hidden in batch.split(self.encoder(batch))])

    def unscaled(self, numbers: torch.Tensor) -> torch.Tensor:
        """Standardised numbers in the unit of the training targets."""
        return numbers * self.std + self.mean
