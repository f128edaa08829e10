"""The heads of ERNIE-RNA's published fine-tuned weights.

Two read the attention logits of the last layer, those of structure (one attention head) and of 3D closeness (all);
the one of mean ribosome load reads the representation. Module names are those of the published files.
Source: official code Bruce-ywj/ERNIE-RNA, `src/utils.py`, `src/downstream_heads/closeness_model.py`, `predict_MRL.py`.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from rnalm.models.ernie_rna import ErnieRna
from rnalm.tokens.packing import PackedBatch

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


class MapModel(nn.Module):
    """ERNIE-RNA with a MapHead. maps: numbers of the attention heads that it reads; ValueError for one it has not."""

    def __init__(self, encoder: ErnieRna, maps: list[int], blocks: int, dropout: float):
        super().__init__()
        if missing := set(maps) - set(range(encoder.config.heads)):
            raise ValueError(f"maps {sorted(missing, key=str)} of {encoder.config.heads} attention heads")
        self.encoder, self.maps = encoder, maps
        self.head = MapHead(len(maps), blocks, dropout)

    def forward(self, batch: PackedBatch) -> list[torch.Tensor]:
        """PackedBatch of whole sequences -> one (L, L) logit matrix per sequence of L nucleotides."""
        inside = self.encoder.tokeniser.nucleotides
        return [self.head(levels[-1][self.maps, inside, inside]) for levels in self.encoder.logit_maps(batch)]


class LoadHead(nn.Module):
    """Convolutions over the nucleotides of one sequence, every other block at half the length, then their mean."""

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.reductio_module = nn.Linear(dim, width)
        blocks = (LoadBlock(2 * width, stride) for stride in (2, 1, 2, 1, 2, 1))
        first, last = nn.Conv1d(width, 2 * width, 3, padding=1), nn.Linear(2 * width, 1)
        self.predictor = nn.Sequential(first, *blocks, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.5), last)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(L, d) nucleotides of one sequence -> a number, of shape ()."""
        return self.predictor(self.reductio_module(hidden).T.unsqueeze(0))[0, 0]


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

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.downsample(x) + self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))


class LoadModel(nn.Module):
    """ERNIE-RNA with a LoadHead. mean, std: of the training targets, as the head's numbers are standardised."""

    def __init__(self, encoder: ErnieRna, width: int, mean: float, std: float):
        super().__init__()
        self.encoder, self.mean, self.std = encoder, mean, std
        self.head = LoadHead(encoder.config.dim, width)

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """PackedBatch of whole sequences -> (sequences,) standardised numbers."""
        inside = self.encoder.tokeniser.nucleotides
        return torch.stack([self.head(hidden[inside]) for hidden in batch.split(self.encoder(batch))])
