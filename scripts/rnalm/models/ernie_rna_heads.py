"""The heads of ERNIE-RNA's published fine-tuned weights.

Two read the attention logits of the last layer, those of structure (one attention head) and of 3D closeness (all);
the one of mean ribosome load reads the representation. Module names are those of the published files.
And one that is not trained at all, `ZeroShotModel`.
Source: official code Bruce-ywj/ERNIE-RNA, `src/utils.py`, `src/downstream_heads/closeness_model.py`, `predict_MRL.py`.
"""

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from rnalm.models.ernie_rna import ErnieRna, pair_scores
from rnalm.models.heads import within
from rnalm.tokens.packing import PackedBatch, to_padded

WIDTH = 64


class MapHead(nn.Module):
    """Some attention heads' logits of one sequence -> one logit for every pair of nucleotides."""

    def __init__(self, maps: int, blocks: int, dropout: float):
        super().__init__()
        self.conv1 = nn.Conv2d(maps, 8, 7, padding=3)
        self.conv2 = nn.Conv2d(8, WIDTH - maps, 7, padding=3)
        self.dropout = nn.Dropout(0.3)
        resnet = nn.Sequential(*(MapBlock(2 ** (i % 3), dropout) for i in range(blocks)))
        self.proj = nn.Sequential(OrderedDict(resnet=resnet, final=nn.Conv2d(WIDTH, 1, 3, padding=1)))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(maps, L, L) -> (L, L) symmetric logits."""
        maps = maps.unsqueeze(0)
        x = self.conv2(F.relu(self.dropout(self.conv1(maps))))
        x = self.proj(torch.cat((x, maps), dim=1))[0, 0]
        return x + x.T


class MapBlock(nn.Module):
    def __init__(self, dilation: int, dropout: float):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.conv1 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.relu(self.dropout(self.conv1(F.relu(self.bn1(x))))))


def unscored() -> torch.Tensor:
    """(6, 6): no token class pairs with another, none is masked."""
    return torch.zeros_like(pair_scores())


# Scores of token classes that a head can have its maps made with.
PAIRS = {"scored": pair_scores, "none": unscored}


def scores_of(pairs: str) -> Callable[[], torch.Tensor]:
    """What PAIRS has of this name; ValueError where it has none."""
    if pairs not in PAIRS:
        raise ValueError(f"pairs {pairs!r}, which are none of {', '.join(PAIRS)}")
    return PAIRS[pairs]


class MapModel(nn.Module):
    """ERNIE-RNA with a MapHead.

    maps: numbers of the attention heads that it reads; ValueError for one it has not, or another encoder
    pairs: a key of PAIRS. The official script of structures has `none` without saying so; what its weights were
        trained with is not known
    """

    def __init__(self, encoder: ErnieRna, maps: list[int], blocks: int, dropout: float, pairs: str = "scored"):
        super().__init__()
        if not isinstance(encoder, ErnieRna):
            raise ValueError("only ERNIE-RNA has attention logits that a head can read")
        if missing := set(maps) - set(range(encoder.config.heads)):
            raise ValueError(f"maps {sorted(missing, key=str)} of {encoder.config.heads} attention heads")
        self.encoder, self.maps, self.scores = encoder, maps, scores_of(pairs)
        self.head = MapHead(len(maps), blocks, dropout)

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """PackedBatch of whole sequences -> one (L, L) logit matrix per sequence of L nucleotides."""
        inside = self.encoder.tokeniser.nucleotides
        logits = self.encoder.last_logits(batch, self.scores())
        return [self.head(maps[self.maps, inside, inside]) for maps in logits]


class ZeroShotModel(nn.Module):
    """ERNIE-RNA whose attention logits of one head are taken as those of pairs: nothing is trained.

    Made for `unrolled` at 0.5, the decoder that it was published with (`ZERO_SHOT`).
    map: number of the attention head in the last layer; the published one is 5
    pairs: as of `MapModel`
    ValueError for another encoder, a head that it has not, or another key.
    """

    def __init__(self, encoder: ErnieRna, map: int = 5, pairs: str = "scored"):
        super().__init__()
        if not isinstance(encoder, ErnieRna):
            raise ValueError("only ERNIE-RNA is known to have pairs in an attention head")
        if map not in range(encoder.config.heads):
            raise ValueError(f"map {map!r} of {encoder.config.heads} attention heads")
        self.encoder, self.map, self.scores = encoder, map, scores_of(pairs)

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """PackedBatch of whole sequences -> one (L, L) symmetric logit matrix per sequence of L nucleotides."""
        inside = self.encoder.tokeniser.nucleotides
        maps = [logits[self.map, inside, inside] for logits in self.encoder.last_logits(batch, self.scores())]
        return [(logits + logits.T) / 2 for logits in maps]


# What a directory says of such a model.
ZERO_SHOT = {"kind": "zero_shot", "task": "structure", "decoder": "unrolled", "threshold": 0.5}


class LoadHead(nn.Module):
    """Convolutions over the nucleotides, every other block at half the length, then their mean.

    A batch is padded; batch norms see and learn from real positions alone, convolutions zeros beyond a sequence's end.
    """

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.reductio_module = nn.Linear(dim, width)
        blocks = (LoadBlock(2 * width, stride) for stride in (2, 1, 2, 1, 2, 1))
        first, last = nn.Conv1d(width, 2 * width, 3, padding=1), nn.Linear(2 * width, 1)
        # With the published files' numbers: pooling and flattening are 7 and 8.
        self.predictor = nn.ModuleList((first, *blocks, nn.Identity(), nn.Identity(), nn.Dropout(0.5), last))

    def forward(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """Per sequence (L, d), its nucleotides -> (sequences,)."""
        rows = self.reductio_module(torch.cat(parts)).split([len(part) for part in parts])
        lengths = torch.tensor([len(part) for part in parts], device=rows[0].device)
        first, *blocks, _, _, dropout, last = self.predictor
        x = first(pad_sequence(rows, batch_first=True).transpose(1, 2))
        for block in blocks:
            x, lengths = block(x, lengths)
        means = (x * within(lengths, x.shape[2]).unsqueeze(1)).sum(dim=2) / lengths.unsqueeze(1)
        return last(dropout(means))[:, 0]


class LoadBlock(nn.Module):
    def __init__(self, width: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm1d(width)
        self.conv1 = nn.Conv1d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.downsample = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv1d(width, width, 1, stride, bias=False), nn.BatchNorm1d(width))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(sequences, width, T) and the positions of each sequence that are real -> the same, of the next length."""
        (stride,) = self.conv1.stride
        shorter = (lengths + stride - 1) // stride
        y = self.conv1(F.relu(real(self.bn1, x, lengths)))
        y = self.conv2(F.relu(real(self.bn2, y, shorter)))
        if stride > 1:
            convolution, norm = self.downsample
            x = real(norm, convolution(x), shorter)
        return x + y, shorter


def real(norm: nn.BatchNorm1d, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(sequences, width, T) with the real positions normalised, zeros elsewhere."""
    keep = within(lengths, x.shape[2])
    rows = x.transpose(1, 2)[keep]
    if len(rows) == 1:  # one position, of a short sequence alone, has no spread to train with
        normed = F.batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    else:
        normed = norm(rows)
    return to_padded(normed, keep).transpose(1, 2)


class LoadModel(nn.Module):
    """ERNIE-RNA with a LoadHead. mean, std: of the training targets, as the head's numbers are standardised."""

    def __init__(self, encoder: ErnieRna, width: int, mean: float, std: float):
        super().__init__()
        self.encoder, self.mean, self.std = encoder, mean, std
        self.head = LoadHead(encoder.config.dim, width)

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """PackedBatch of whole sequences -> (sequences,) standardised numbers."""
        inside = self.encoder.tokeniser.nucleotides
        return self.head([part[inside] for part in batch.split(self.encoder(batch))])

    def unscaled(self, numbers: torch.Tensor) -> torch.Tensor:
        """Standardised numbers in the unit of the training targets."""
        return numbers * self.std + self.mean
