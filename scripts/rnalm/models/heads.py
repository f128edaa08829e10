"""Prediction heads on an encoder's packed representation, and encoders with one: what fine-tuning trains.

They have the forms and names of RiNALMo's published fine-tuned weights, but for `TokenModel`, and fit any encoder.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from rnalm.models.encoder import Encoder
from rnalm.tokens.packing import PackedBatch
from rnalm.tokens.tokeniser import Tokeniser

ACTIVATIONS = {"gelu": nn.GELU, "tanh": nn.Tanh}
NORM_EPS = 1e-5


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
        if pooling == "first" and not encoder.blocks:
            raise ValueError("features know nothing of a sequence at its first token: pooling must be 'mean'")
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
    parts = [part[tokeniser.nucleotides] for part in batch.split(hidden)]
    lengths = torch.tensor([len(part) for part in parts], device=hidden.device)
    return torch.segment_reduce(torch.cat(parts), "mean", lengths=lengths)


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

    Residual blocks of convolutions over all tokens, `<cls>` and `<eos>` too, then their mean. A batch is padded, and
    what a sequence gets does not depend on it: norms see the sequence's own positions, convolutions zeros beyond them.
    Source: official code lbcb-sci/RiNALMo, `rinalmo/model/downstream.py`.
    """

    def __init__(self, dim: int, width: int, blocks: int):
        super().__init__()
        self.linear_in = nn.Linear(dim, width)
        self.resnet = nn.Module()
        self.resnet.blocks = nn.ModuleList(ScalarBlock(width) for _ in range(blocks))
        self.dropout = nn.Dropout(0.2)
        self.linear_out = nn.Linear(width, 1)

    def forward(self, hidden: torch.Tensor, lengths: tuple[int, ...], padded_to: int = 0) -> torch.Tensor:
        """(tokens, d), `lengths` of them of each sequence -> (sequences,).

        padded_to: tokens in the norms, of shorter sequences. The published model was trained and tested with rows of
        zeros up to 102 tokens, which its instance norms count; its numbers come only with them.
        """
        # Of one width for the whole batch: after the first layer, where it is narrow.
        x = pad_sequence(F.linear(hidden, self.linear_in.weight).split(lengths), batch_first=True)
        x = F.pad(x, (0, 0, 0, max(0, padded_to - x.shape[1])))
        tokens = torch.tensor(lengths, device=x.device)
        real, normed = (within(n, x.shape[1]) for n in (tokens, tokens.clamp(min=padded_to)))
        x = ((x + self.linear_in.bias) * normed.unsqueeze(2)).transpose(1, 2)
        for block in self.resnet.blocks:
            x = block(x, normed.unsqueeze(1))
        means = (x * real.unsqueeze(1)).sum(dim=2) / tokens.unsqueeze(1)
        return self.linear_out(self.dropout(means))[:, 0]


def within(lengths: torch.Tensor, width: int) -> torch.Tensor:
    """(sequences,) -> (sequences, width) bool, True before each one's end."""
    return torch.arange(width, device=lengths.device) < lengths.unsqueeze(1)


class ScalarBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        # Numbers as in the published files, which count norms and activations.
        self.conv_net = nn.ModuleDict(
            {number: nn.Conv1d(width, width, 3, padding="same", bias=False) for number in ("0", "3")}
        )

    def forward(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """(sequences, width, T), zeros where `inside`, (sequences, 1, T) bool, is False -> the same."""
        y = x
        for convolution in self.conv_net.values():
            y = F.elu(instance_norm(convolution(y), inside))
        return x + y


def instance_norm(x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """(sequences, width, T), each channel of each sequence normalised by what is `inside`; zeros elsewhere."""
    number = inside.sum(dim=2, keepdim=True)
    x = x.float()
    centred = (x - (x * inside).sum(dim=2, keepdim=True) / number) * inside
    return centred * torch.rsqrt((centred**2).sum(dim=2, keepdim=True) / number + NORM_EPS)


class ScalarModel(nn.Module):
    """An encoder with a ScalarHead. mean, std: of the training targets, as the head's numbers are standardised."""

    def __init__(self, encoder: Encoder, width: int, blocks: int, mean: float, std: float, padded_to: int = 0):
        super().__init__()
        self.encoder = encoder
        self.head = ScalarHead(encoder.config.dim, width, blocks)
        self.padded_to, self.mean, self.std = padded_to, mean, std

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """PackedBatch of whole sequences -> (sequences,) standardised numbers."""
        return self.head(self.encoder(batch), batch.lengths, self.padded_to)

    def unscaled(self, numbers: torch.Tensor) -> torch.Tensor:
        """Standardised numbers in the unit of the training targets."""
        return numbers * self.std + self.mean
