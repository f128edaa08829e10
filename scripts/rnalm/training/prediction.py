"""An encoder with a head on the records of a task, without gradients."""

from collections.abc import Iterator

import torch
from torch import nn

from rnalm.models.directory import autocast
from rnalm.tasks import kinds
from rnalm.tasks.records import Record
from rnalm.tokens.packing import PackedBatch, pack, token_budget_batches
from rnalm.tokens.pairs import encode_record

TOKENS_PER_PASS = 4096


@torch.no_grad()
def passes(model: nn.Module, records: list[Record], precision: str) -> Iterator[tuple[list[int], PackedBatch, object]]:
    """(indices of the records, their batch, the model's output) of each forward pass, long sequences first."""
    model.eval()
    device, tokeniser = next(model.parameters()).device, model.encoder.tokeniser
    encoded = [encode_record(tokeniser, record.sequence, record.partner) for record in records]
    for members in token_budget_batches([len(ids) for ids in encoded], TOKENS_PER_PASS):
        batch = pack([encoded[i] for i in members]).to(device)
        with autocast(precision, device):
            output = model(batch)
        yield members, batch, output


def predict(model: nn.Module, head: dict, records: list[Record], precision: str = "fp32") -> list:
    """What the model predicts of each record, by the kind of its head (`kind.decoded`)."""
    kind, predicted = kinds.module(head), [None] * len(records)
    for members, batch, output in passes(model, records, precision):
        for i, array in zip(members, kind.arrays(output, batch, model), strict=True):
            predicted[i] = kind.decoded(array, records[i], head)
    return predicted
