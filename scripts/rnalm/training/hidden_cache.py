"""Hidden states of an encoder that never trains, computed once and read from disk in every epoch.

They are those of evaluation: a head on them is trained without the encoder's dropout. Heads on ERNIE-RNA's attention
logits read no representation, and features take less time to compute than to read: for both nothing is kept.
"""

import contextlib
import os
import tempfile

import numpy as np
import torch
from torch import nn

from rnalm.models.directory import autocast
from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna_heads import MapModel
from rnalm.tasks.records import Record
from rnalm.tokens.packing import PackedBatch, pack, token_budget_batches
from rnalm.tokens.pairs import encode_record

TOKENS_PER_BATCH = 4096
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


@contextlib.contextmanager
def cached(model: nn.Module, settings, records: list[Record], directory):
    """Within it the encoder is a CachedEncoder of these records, if `settings` of fine-tuning train the head alone."""
    encoder, trained = model.encoder, {name for names in settings.unfreeze.values() for name in names}
    useless = not settings.epochs or isinstance(model, MapModel) or not any(True for _ in encoder.parameters())
    if useless or trained != {"head"}:
        yield
        return
    encoded = [encode_record(encoder.tokeniser, record.sequence, record.partner) for record in records]
    model.encoder = CachedEncoder(encoder, encoded, directory, settings.precision)
    try:
        yield
    finally:
        model.encoder = encoder


class CachedEncoder(nn.Module):
    """In the place of an encoder, with its interface: what it makes of these sequences in evaluation mode.

    The encoder's weights are no part of this module, neither of its state dict nor of what `.to()` moves: put the
    encoder itself back before a model is saved.

    encoded:   the sequences' ids, special tokens included; equal ones are computed and kept once
    directory: where tokens x d numbers are written, of 2 bytes for bf16 and 4 for fp32. The file has no name, so that
               it goes with the process, however that ends. OSError where there is no room for it
    precision: of the matrix products and of the file
    """

    def __init__(self, encoder: Encoder, encoded: list[np.ndarray], directory, precision: str):
        super().__init__()
        # In a tuple, or it would be registered.
        self._encoder, self.precision = (encoder.eval(),), precision
        self.config, self.tokeniser, self.blocks = encoder.config, encoder.tokeniser, tuple(encoder.blocks)
        distinct = {name(ids): ids for ids in encoded}
        ends = np.cumsum([len(ids) for ids in distinct.values()], dtype=np.int64)
        self._places = dict(zip(distinct, ends.tolist(), strict=True))
        self._states = mapped(directory, sum(map(len, distinct.values())), encoder.config.dim, DTYPES[precision])
        sequences = list(distinct.values())
        device = next((parameter.device for parameter in encoder.parameters()), torch.device("cpu"))
        for members in token_budget_batches([len(ids) for ids in sequences], TOKENS_PER_BATCH):
            batch = pack([sequences[i] for i in members]).to(device)
            for i, part in zip(members, batch.split(self._compute(batch)), strict=True):
                self._states[ends[i] - len(part) : ends[i]] = part

    def forward(self, batch: PackedBatch) -> torch.Tensor:
        """Packed ids -> (tokens, d); a pack with a sequence that was not given is computed as a whole."""
        places = [self._places.get(name(ids.numpy())) for ids in batch.split(batch.ids.cpu())]
        if None in places:
            return self._compute(batch)
        parts = [self._states[end - length : end] for end, length in zip(places, batch.lengths, strict=True)]
        return torch.cat(parts).to(batch.ids.device).float()

    @torch.no_grad()
    def _compute(self, batch: PackedBatch) -> torch.Tensor:
        with autocast(self.precision, batch.ids.device):
            return self._encoder[0](batch).to(DTYPES[self.precision]).float()


def name(ids: np.ndarray) -> bytes:
    """Of a sequence, by its ids; every family's fit 16 bits."""
    return ids.astype(np.uint16).tobytes()


def mapped(directory, tokens: int, dim: int, dtype: torch.dtype) -> torch.Tensor:
    """(tokens, dim), in a new file of the directory that has lost its name; OSError where there is no room for it."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        # Now, as to write on a full disk through memory would end the process.
        os.posix_fallocate(file.fileno(), 0, tokens * dim * dtype.itemsize)
        return torch.from_file(file.name, shared=True, size=tokens * dim, dtype=dtype).view(tokens, dim)
