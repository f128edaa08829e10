"""Fine-tuning of an encoder with a head on the labelled records of a task: one loop for every task and head.

RiNALMo's recipe (Nature Communications 16:5671; official code lbcb-sci/RiNALMo, `rinalmo/utils/finetune_callback.py`):
gradual unfreezing, that is at the epochs which the config lists, parts of the encoder join at a fraction of the head's
learning rate. After every epoch the validation records are predicted, what is to be fitted to them (a structure's
decoding threshold) is fitted, and the epoch with the best validation score is kept. Test records are never seen here.

A batch is cut into passes of a token budget, whose gradients add up to those of the whole batch. Where the encoder
never trains, its states are computed once (`hidden_cache`). Every finished epoch is a checkpoint that a killed run goes
on from.
"""

import copy
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from rnalm.errors import InputError
from rnalm.models.directory import autocast
from rnalm.progress import Progress
from rnalm.randomness import bits, key
from rnalm.tasks import kinds
from rnalm.tasks.records import Record
from rnalm.tasks.scores.regression import LESS_IS_BETTER
from rnalm.tokens.packing import pack, token_budget_batches
from rnalm.tokens.pairs import encode_record
from rnalm.training.checkpoints import State
from rnalm.training.prediction import passes
from rnalm.training.schedule import linear
from rnalm.training.unfreezing import unfreeze

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True)
class Settings:
    """The `training` section of a task's config.

    batch_size:      records per optimiser step
    unfreeze:        {epoch: names of parts that are trained from it on}, see `training.unfreezing`
    unfrozen_factor: learning rate of parts unfrozen after epoch 0, relative to the head's
    precision:       bf16 or fp32 matrix products
    loss:            a name in the kind's LOSSES; None: its first
    decay:           {end_factor, steps}: the learning rate falls linearly to start * end_factor; None: it is constant
    gradient_clip:   largest norm of the gradient, None: any
    choose_by:       validation metric that chooses the epoch, `loss` or `last`; None: the kind's own
    patience:        epochs without a better one after which training ends, None: never
    tokens_per_pass: tokens whose activations are in memory at a time
    lora:            {rank, alpha, dropout} of the start `lora`
    """

    epochs: int
    batch_size: int
    learning_rate: float
    unfreeze: dict
    unfrozen_factor: float = 1.0
    precision: str = "bf16"
    optimiser: str = "adam"
    weight_decay: float = 0.0
    decay: dict | None = None
    gradient_clip: float | None = None
    loss: str | None = None
    choose_by: str | None = None
    patience: int | None = None
    tokens_per_pass: int = 8192
    lora: dict | None = None


@dataclass
class Finetuned:
    """What fine-tuning leaves: the best epoch's weights are in the model, the rest here.

    fitted: what was fitted to the validation records, such as {"threshold": 0.1}
    metric: what chose the epoch
    best:   how good the best epoch is by it, higher is better
    """

    metric: str = ""
    fitted: dict = field(default_factory=dict)
    best: float = -float("inf")
    best_epoch: int = 0
    history: list[dict] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The metric in the best epoch, or its number where the last one is kept."""
        return self.history[self.best_epoch].get(f"valid_{self.metric}", self.best_epoch)


class Run:
    """A fine-tuning run between two epochs: all that a checkpoint has to hold."""

    def __init__(self, model: nn.Module, head: dict, settings: Settings):
        self.model, self.head, self.settings = model, head, settings
        self.result, self.weights, self.step, self.epoch = Finetuned(), None, 0, 0
        model.requires_grad_(False)
        adam = OPTIMISERS[settings.optimiser]
        first = {"params": unfreeze(model, settings.unfreeze[0]), "factor": 1.0}
        self.optimizer = adam([first], lr=settings.learning_rate, weight_decay=settings.weight_decay)

    def join(self) -> None:
        """Let the parts of this epoch join."""
        if self.epoch and self.epoch in self.settings.unfreeze:
            parameters = unfreeze(self.model, self.settings.unfreeze[self.epoch])
            if parameters:
                self.optimizer.add_param_group({"params": parameters, "factor": self.settings.unfrozen_factor})

    def save(self, state: State) -> None:
        folder = state.directory / f"step-{self.epoch:05d}"
        folder.mkdir(exist_ok=True)
        kept = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "weights": self.weights}
        torch.save(kept | {"result": vars(self.result), "step": self.step}, folder / "state.pt")
        state.publish(folder.name, epoch=self.epoch)

    def load(self, state: State, latest: dict) -> None:
        """Go on after the last finished epoch."""
        while self.epoch < latest["epoch"]:  # the optimiser's groups, in the order they joined
            self.join()
            self.epoch += 1
        kept = torch.load(state.directory / latest["tag"] / "state.pt", map_location="cpu", weights_only=True)
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.weights, self.result, self.step = kept["weights"], Finetuned(**kept["result"]), kept["step"]


def finetune(
    model: nn.Module,
    head: dict,
    train: list[Record],
    valid: list[Record],
    settings: Settings,
    seed: int,
    state: State | None = None,
) -> Finetuned:
    """Train in place; afterwards the model holds the weights of the epoch with the best validation score.

    head:  the head's description, complete (`kind.described`)
    state: where finished epochs are kept; None: nowhere
    """
    run, say = Run(model, head, settings), Progress()
    if settings.epochs:  # before an epoch is spent on what cannot be chosen by
        _, metrics, _ = validate(model, head, valid[:2], settings.precision, settings.loss)
        chosen(settings, kinds.module(head), metrics, loss=0.0, epoch=0)
    if state and (latest := state.latest()):
        run.load(state, latest)
    while run.epoch < settings.epochs and not stale(run):
        run.join()
        loss = train_epoch(run, train, seed)
        score_epoch(run, valid, loss)
        run.epoch += 1
        say(f"epoch {run.epoch} of {settings.epochs}: {told(run.result.history[-1])}")
        if state:
            run.save(state)
    if run.weights:
        model.load_state_dict(run.weights)
    return run.result


def told(row: dict) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")


def stale(run: Run) -> bool:
    patience = run.settings.patience
    return patience is not None and run.epoch - run.result.best_epoch > patience


def train_epoch(run: Run, records: list[Record], seed: int) -> float:
    """One pass over the records; returns the mean loss of its steps. InputError where it is not finite."""
    settings, model = run.settings, run.model
    kind = kinds.module(run.head)
    lossy = loss_of(kind, settings.loss)
    device, tokeniser = next(model.parameters()).device, model.encoder.tokeniser
    model.train()
    torch.manual_seed(int(key(seed, "finetune", "dropout", run.epoch) >> 1))
    losses = []
    for batch in shuffled_batches(records, settings.batch_size, key(seed, "finetune", "order", run.epoch)):
        set_rate(run.optimizer, settings, run.step)
        run.optimizer.zero_grad()
        encoded, total = [encode_record(tokeniser, one.sequence, one.partner) for one in batch], 0.0
        for members in token_budget_batches([len(ids) for ids in encoded], settings.tokens_per_pass):
            with autocast(settings.precision, device):
                output = model(pack([encoded[i] for i in members]).to(device))
            own = [batch[i] for i in members]
            loss = lossy(output, own, run.head) * (kind.weight(own) / kind.weight(batch))
            loss.backward()
            total += loss.item()
        if not math.isfinite(total):
            problem = f"has the loss {total} in epoch {run.epoch}: training has diverged"
            raise InputError(f"step {run.step}", problem, "lower learning_rate, or set gradient_clip")
        if settings.gradient_clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
        run.optimizer.step()
        losses.append(total)
        run.step += 1
    return float(np.mean(losses))


def loss_of(kind, name: str | None):
    """A loss of the kind by name, its first without one; InputError where it has no such loss."""
    if name is not None and name not in kind.LOSSES:
        raise InputError(f"loss: {name}", "is no loss of this task", f"use one of {', '.join(kind.LOSSES)}")
    return kind.LOSSES[name or next(iter(kind.LOSSES))]


def set_rate(optimizer, settings: Settings, step: int) -> None:
    decay = settings.decay
    rate = linear(step, start=settings.learning_rate, **decay) if decay else settings.learning_rate
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def score_epoch(run: Run, valid: list[Record], train_loss: float) -> None:
    """Validate, and keep the weights if this is the best epoch so far."""
    kind, result, settings = kinds.module(run.head), run.result, run.settings
    loss, metrics, fitted = validate(run.model, run.head, valid, settings.precision, settings.loss)
    result.metric, score = chosen(settings, kind, metrics, loss, run.epoch)
    row = {"epoch": run.epoch, "train_loss": train_loss, "valid_loss": loss}
    shown = result.metric if result.metric in metrics else kind.METRIC
    result.history.append({**row, f"valid_{shown}": metrics[shown], **fitted})
    if score > result.best or run.weights is None:
        result.fitted, result.best, result.best_epoch = fitted, score, run.epoch
        run.weights = copy.deepcopy(run.model.state_dict())


def chosen(settings: Settings, kind, metrics: dict, loss: float, epoch: int) -> tuple[str, float]:
    """(what chooses the epoch, how good this one is by it, higher is better); InputError where the kind has no such."""
    name = settings.choose_by or kind.METRIC
    signed = {metric: -value if metric in LESS_IS_BETTER else value for metric, value in metrics.items()}
    scores = signed | {"loss": -loss, "last": epoch}
    if name not in scores:
        raise InputError(f"choose_by: {name}", "is no validation metric of this task", f"use {', '.join(scores)}")
    return name, float(scores[name])


def validate(model, head: dict, records: list[Record], precision: str, loss: str | None = None):
    """(loss, {metric: value}, what is fitted to these records) of validation records."""
    kind = kinds.module(head)
    lossy, kept, losses = loss_of(kind, loss), [None] * len(records), []
    for members, batch, output in passes(model, records, precision):
        own = [records[i] for i in members]
        losses.append(lossy(output, own, head).item() * kind.weight(own))
        for i, array in zip(members, kind.arrays(output, batch, model), strict=True):
            kept[i] = kind.reduced(array, records[i])
    return sum(losses) / kind.weight(records), *kind.validated(kept, records, head)


def shuffled_batches(records: list[Record], batch_size: int, purpose: np.uint64) -> list[list[Record]]:
    order = np.argsort(bits(purpose, np.arange(len(records), dtype=np.uint64)))
    return [[records[i] for i in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
