"""Fine-tuning of an encoder with a pair head on RNAs of known structure.

RiNALMo's recipe (Nature Communications 16:5671; official code lbcb-sci/RiNALMo, `train_sec_struct_prediction.py`,
`rinalmo/utils/finetune_callback.py`): Adam, binary cross-entropy on the upper triangle, a linear decay per step, and
gradual unfreezing: at the epochs that the config lists, parts of the encoder join at a fraction of the head's
learning rate. After every epoch the decoding threshold is tuned on the
validation RNAs; the epoch with the best validation F1 is kept. Test RNAs are never seen here.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from rnalm.errors import InputError
from rnalm.models.directory import autocast
from rnalm.models.heads import PairModel
from rnalm.randomness import bits, key
from rnalm.structure.decoding import candidates
from rnalm.structure.tuning import THRESHOLDS, tune_threshold
from rnalm.tasks.structure import Record
from rnalm.tokens.packing import pack, token_budget_batches
from rnalm.training.schedule import linear

# RNAs per forward pass without gradients, in tokens.
TOKENS_PER_BATCH = 4096


@dataclass(frozen=True)
class Settings:
    """The `training` section of a task's config.

    decay:           {end_factor, steps}: the learning rate falls linearly to start * end_factor
    unfreeze:        {epoch: prefixes of parameter names that are trained from it on}
    unfrozen_factor: learning rate of parts unfrozen after epoch 0, relative to the head's
    precision:       bf16 or fp32 matrix products
    """

    epochs: int
    batch_size: int
    learning_rate: float
    decay: dict
    unfreeze: dict
    unfrozen_factor: float
    precision: str


@dataclass
class Finetuned:
    """What fine-tuning leaves: the best epoch's weights are in the model, its threshold here."""

    threshold: float = 0.5
    best_f1: float = -1.0
    best_epoch: int = 0
    history: list[dict] = field(default_factory=list)


def finetune(model: PairModel, train: list[Record], valid: list[Record], settings: Settings, seed: int) -> Finetuned:
    """Train in place; afterwards the model holds the weights of the epoch with the best validation F1."""
    device, encode = next(model.parameters()).device, model.encoder.tokeniser.encode
    result, best, step = Finetuned(), None, 0
    model.requires_grad_(False)
    optimizer = torch.optim.Adam([{"params": unfreeze(model, settings.unfreeze[0]), "factor": 1.0}])
    for epoch in range(settings.epochs):
        if epoch and epoch in settings.unfreeze:
            parameters = unfreeze(model, settings.unfreeze[epoch])
            optimizer.add_param_group({"params": parameters, "factor": settings.unfrozen_factor})
        model.train()
        torch.manual_seed(int(key(seed, "finetune", "dropout", epoch) >> 1))
        losses = []
        for batch in shuffled_batches(train, settings.batch_size, key(seed, "finetune", "order", epoch)):
            rate = linear(step, start=settings.learning_rate, **settings.decay)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            with autocast(settings.precision, device):
                logits = model(pack([encode(record.sequence) for record in batch]).to(device))
            loss = torch.stack([pair_loss(*pair) for pair in zip(logits, batch, strict=True)]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
        valid_loss, threshold, f1 = validate(model, valid, settings.precision)
        row = {"epoch": epoch, "train_loss": float(np.mean(losses)), "valid_loss": valid_loss}
        result.history.append({**row, "valid_f1": f1, "threshold": threshold})
        if f1 > result.best_f1:
            result.threshold, result.best_f1, result.best_epoch = threshold, f1, epoch
            best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(best)
    return result


def unfreeze(model: PairModel, prefixes: list[str]) -> list[torch.nn.Parameter]:
    """Let the parameters below these module names be trained; InputError where a name fits none."""
    chosen = {}
    for prefix in prefixes:
        found = {name: p for name, p in model.named_parameters() if name == prefix or name.startswith(prefix + ".")}
        if not found:
            parts = ", ".join(name for name, _ in model.named_children())
            raise InputError(f"unfreeze: {prefix}", "is no part of the model", f"name a module below {parts}")
        chosen |= found
    return [parameter.requires_grad_() for parameter in chosen.values() if not parameter.requires_grad]


def shuffled_batches(records: list[Record], batch_size: int, purpose: np.uint64) -> list[list[Record]]:
    order = np.argsort(bits(purpose, np.arange(len(records), dtype=np.uint64)))
    return [[records[i] for i in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]


def pair_loss(logits: torch.Tensor, record: Record) -> torch.Tensor:
    """Mean binary cross-entropy over the (L^2 - L) / 2 cells i < j."""
    target = torch.zeros(logits.shape, device=logits.device)
    if record.pairs:
        i, j = torch.tensor(record.pairs, device=logits.device).T
        target[i, j] = 1.0
    upper = torch.triu(torch.ones_like(logits, dtype=torch.bool), diagonal=1)
    return F.binary_cross_entropy_with_logits(logits.float()[upper], target[upper])


@torch.no_grad()
def pair_probabilities(model: PairModel, sequences: list[str], precision: str):
    """Yield (index, (L, L) fp32 array of pairing probabilities), long sequences first."""
    model.eval()
    device = next(model.parameters()).device
    encoded = [model.encoder.tokeniser.encode(sequence) for sequence in sequences]
    for members in token_budget_batches([len(ids) for ids in encoded], TOKENS_PER_BATCH):
        with autocast(precision, device):
            logits = model(pack([encoded[i] for i in members]).to(device))
        for i, matrix in zip(members, logits, strict=True):
            yield i, matrix.float().sigmoid().cpu().numpy()


def validate(model: PairModel, records: list[Record], precision: str) -> tuple[float, float, float]:
    """(loss, best threshold, its mean relaxed F1) on validation RNAs."""
    decoded, losses = [None] * len(records), []
    for i, probabilities in pair_probabilities(model, [record.sequence for record in records], precision):
        decoded[i] = candidates(probabilities, records[i].sequence, min(THRESHOLDS))
        losses.append(pair_loss(torch.logit(torch.from_numpy(probabilities), eps=1e-7), records[i]).item())
    true, lengths = [record.pairs for record in records], [record.length for record in records]
    return float(np.mean(losses)), *tune_threshold(decoded, true, lengths)
