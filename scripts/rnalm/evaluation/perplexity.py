"""How well an encoder predicts what its own masked-language modelling hides, RNA by RNA and by group.

Tokens are selected, masked and replaced as the family pre-trains (ERNIE-RNA selects `<cls>` and `<eos>` too, RNAret
windows of k), a function of (seed, RNA's number, position) alone: two models of one family see the same masks. The
perplexity is e to the mean cross-entropy of the selected tokens, 4 for a guess among four nucleotides; between
families it cannot be compared, as their tokens and masks differ.
"""

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F

from rnalm.errors import InputError
from rnalm.models.encoder import Encoder
from rnalm.models.features import Features
from rnalm.randomness import key
from rnalm.tokens.packing import pack, token_budget_batches

TOKENS_PER_BATCH = 4096
EVERY = "all"


@torch.no_grad()
def survey(encoder: Encoder, sequences: list[str], seed: int) -> pl.DataFrame:
    """A row per normalised sequence, in order: `tokens` selected, their summed `loss` in nats, how many `right`.

    InputError for an encoder that predicts no tokens.
    """
    if isinstance(encoder, Features):
        raise InputError("the model", "has features as inputs and predicts no tokens", "name a language model")
    device, masks = next(encoder.parameters()).device, key(seed, "perplexity", "mask")
    encoded = [encoder.tokeniser.encode(sequence) for sequence in sequences]
    rows = [None] * len(encoded)
    for members in token_budget_batches([len(ids) for ids in encoded], TOKENS_PER_BATCH):
        hidden, chosen = zip(*(encoder.tokeniser.mask(encoded[i], i, masks) for i in members), strict=True)
        starts = np.cumsum([0, *(len(encoded[i]) for i in members)])
        selected = np.concatenate([start + where for start, where in zip(starts, chosen, strict=False)])
        truth = torch.from_numpy(np.concatenate([encoded[i] for i in members])[selected].astype(np.int64)).to(device)
        batch = pack(list(hidden), selected).to(device)
        logits = encoder.logits(encoder(batch)[torch.from_numpy(selected).to(device)]).float()
        losses, right = F.cross_entropy(logits, truth, reduction="none"), logits.argmax(dim=1) == truth
        sizes = [len(where) for where in chosen]
        for i, loss, hits in zip(members, losses.split(sizes), right.split(sizes), strict=True):
            rows[i] = {"tokens": len(loss), "loss": loss.double().sum().item(), "right": int(hits.sum())}
    return pl.DataFrame(rows, schema={"tokens": pl.Int64, "loss": pl.Float64, "right": pl.Int64}, orient="row")


def by_group(surveyed: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
    """Columns group, sequences, tokens, loss (mean over tokens), perplexity, accuracy; all RNAs first, as `all`.

    A group of which no token was selected, of very short RNAs, has no numbers.
    """
    labelled = surveyed.with_columns(group=pl.Series(labels, dtype=pl.String))
    everything = labelled.with_columns(group=pl.lit(EVERY))
    groups = [everything] if set(labels) <= {EVERY} else [everything, labelled.sort("group")]
    tokens = pl.when(pl.col("tokens").sum() > 0).then(pl.col("tokens").sum())
    return (
        pl.concat(groups)
        .group_by("group", maintain_order=True)
        .agg(
            sequences=pl.len(),
            tokens=pl.col("tokens").sum(),
            loss=pl.col("loss").sum() / tokens,
            perplexity=(pl.col("loss").sum() / tokens).exp(),
            accuracy=pl.col("right").sum() / tokens,
        )
    )
