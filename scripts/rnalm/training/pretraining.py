"""Masked-language pre-training of an encoder with DeepSpeed, one process per device.

The data order is the draw's row order; masks and dropout are keyed by what they are for, so a run that was
killed and resumed from its last checkpoint gives the same losses as one that was not (on GPUs as far as the kernels of
attention repeat themselves). The loss of a step is
the mean over all selected tokens of the global batch, whatever the number of processes and micro-batches.
"""

import contextlib
import math
import os
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from rnalm.models.encoder import Encoder
from rnalm.provenance import load, outputs
from rnalm.randomness import key
from rnalm.tokens.loader import IGNORED, GlobalBatch, MaskedBatch, global_batches, prepare
from rnalm.training.blocks import checkpoint_blocks, compile_blocks
from rnalm.training.checkpoints import State
from rnalm.training.history import Reporter
from rnalm.training.schedule import warmup_cosine


@dataclass(frozen=True)
class LearningRate:
    start: float
    peak: float
    end: float
    warmup_steps: int
    decay_epochs: int


@dataclass(frozen=True)
class Settings:
    """The `pretrain` section of the config, as far as it shapes a segment; see config/README.md."""

    batch_size: int
    tokens_per_microbatch: int
    learning_rate: LearningRate
    betas: tuple[float, float]
    weight_decay: float
    gradient_clip: float
    checkpoint_steps: int
    validate_steps: int
    log_steps: int
    compile: bool
    activation_checkpointing: bool

    # How a segment is run, not what comes out of it.
    OPERATION: ClassVar = (
        *("tokens_per_microbatch", "checkpoint_steps", "validate_steps", "log_steps"),
        *("compile", "activation_checkpointing"),
    )

    @classmethod
    def parse(cls, section: dict) -> "Settings":
        return cls(**{**section, "learning_rate": LearningRate(**section["learning_rate"])})


class MaskedLanguageModel(nn.Module):
    """Encoder and loss in one module: what DeepSpeed wraps."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, masked: MaskedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the summed cross-entropy over the selected tokens and how many of them were predicted right."""
        logits = self.encoder.logits(self.encoder(masked.batch)[masked.selected]).float()
        loss = F.cross_entropy(logits, masked.targets, reduction="sum", ignore_index=IGNORED)
        return loss, (logits.argmax(dim=1) == masked.targets).sum()


def start_engine(encoder: Encoder, settings: Settings, deepspeed_config: dict, device: str):
    """DeepSpeed engine (AdamW) over `torchrun`'s processes: NCCL on GPUs, gloo on CPUs."""
    os.environ.setdefault("DS_ACCELERATOR", device)
    import deepspeed

    # A communication kernel for CPU inference that would be compiled for a minute and never used.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.utils.logger.setLevel("WARNING")
    deepspeed.init_distributed(dist_backend="nccl" if device == "cuda" else "gloo", verbose=False)
    if settings.compile:
        compile_blocks(encoder)
    # Second: what is computed again is what was compiled.
    if settings.activation_checkpointing:
        checkpoint_blocks(encoder)
    model = MaskedLanguageModel(encoder)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate.start,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=device == "cuda",
    )
    batching = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        # The loop decides how many micro-batches make a step: they are cut by tokens, not counted.
        "managed_gradient_accumulation": False,
        "gradient_clipping": settings.gradient_clip,
        "steps_per_print": 1 << 30,
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config={**deepspeed_config, **batching})
    return engine


class Pretraining:
    """One segment of a run: the epochs of `draws`, continued from `previous` or from this segment's own state.

    draws: one manifest per epoch, in order, the first is epoch `first_epoch`; validation: manifest of the held-out
    rows; previous: directory of the segment before, or None.
    """

    def __init__(
        self, engine, settings: Settings, seed: int, draws, first_epoch: int, validation, state: State, previous
    ):
        self.engine, self.settings, self.seed, self.state = engine, settings, seed, state
        self.draws, self.first_epoch, self.validation = draws, first_epoch, validation
        self.rank, self.world_size = dist.get_rank(), dist.get_world_size()
        self.device = engine.device
        # Every epoch draws every training cluster once: all epochs have as many rows.
        self.steps_per_epoch = math.ceil(load(draws[0])["counts"]["rows"] / settings.batch_size)
        self.last_step = (first_epoch + len(draws)) * self.steps_per_epoch
        self.finished = 0
        self.tokens = 0
        self._resume(previous)

    def _resume(self, previous) -> None:
        latest = self.state.latest()
        source = self.state.directory if latest else previous and Path(previous) / "checkpoint"
        if previous and not latest and self.rank == 0:
            for table in ("history.csv", "validation.csv"):
                shutil.copy(Path(previous) / table, self.state.directory / table)
        if source:
            tag = latest["tag"] if latest else load(Path(previous) / "manifest.json")["notes"]["tag"]
            _, client = self.engine.load_checkpoint(str(source), tag=tag)
            self.finished, self.tokens = client["step"], client["tokens"]

    def run(self, log: Path) -> str:
        """Train to the end of the segment; returns the tag of the last checkpoint in the state directory.

        All processes leave at once then: what is left to do is the first one's.
        """
        reporting = self.rank == 0
        report = Reporter(self.state.directory, log, self.finished, self.last_step) if reporting else None
        with report or contextlib.nullcontext():
            if report:
                report.line(
                    f"steps {self.finished} to {self.last_step}, {self.steps_per_epoch} per epoch, "
                    f"{self.world_size} processes on {self.device.type}"
                )
            self._steps(report)
        dist.barrier()
        dist.destroy_process_group()
        return tag_of(self.last_step)

    def keep(self, tag: str, folder: Path) -> None:
        """The segment's checkpoint and its tables, from the state to a folder of results.

        As hard links: a trainer that waited for the lock finds the end of the run and declares it again.
        """
        state = self.state.directory
        shutil.copytree(state / tag, folder / "checkpoint" / tag, copy_function=os.link)
        for table in ("history.csv", "validation.csv"):
            shutil.copy(state / table, folder / table)
        shutil.copytree(state / "tensorboard", folder / "tensorboard")

    def _steps(self, report) -> None:
        settings = self.settings
        for epoch in range(self.finished // self.steps_per_epoch, self.first_epoch + len(self.draws)):
            first = self.finished - epoch * self.steps_per_epoch
            shards = outputs(self.draws[epoch - self.first_epoch], ".parquet")
            mask_key = key(self.seed, "mask", epoch)
            for rows in global_batches(shards, settings.batch_size, first * settings.batch_size):
                row = self._step(rows, mask_key)
                step = self.finished
                if report and step % settings.log_steps == 0:
                    report.step({**row, "epoch": epoch})
                if step % settings.validate_steps == 0 or step == self.last_step:
                    scores = self.validate()
                    if report:
                        report.validation({"step": step, "tokens": self.tokens, **scores})
                if step % settings.checkpoint_steps == 0 or step == self.last_step:
                    self._save()

    def _prepare(self, rows, mask_key) -> GlobalBatch:
        tokeniser, budget = self.engine.module.encoder.tokeniser, self.settings.tokens_per_microbatch
        return prepare(rows, tokeniser, mask_key, self.rank, self.world_size, budget)

    def _step(self, rows, mask_key) -> dict:
        started = time.perf_counter()
        rate = self._set_learning_rate()
        torch.manual_seed(int(key(self.seed, "dropout", self.finished, self.rank) >> 1))
        work = self._prepare(rows, mask_key)
        self.engine.train()
        sums = torch.zeros(2, device=self.device)
        for masked in work.micro_batches:
            loss, right = self.engine(masked.to(self.device))
            # DeepSpeed averages gradients over processes; the mean wanted is over the global batch's tokens.
            self.engine.backward(loss * (self.world_size / work.selected))
            sums += torch.stack((loss.detach(), right))
        self.engine.step()
        dist.all_reduce(sums)
        self.finished += 1
        self.tokens += work.tokens
        seconds = time.perf_counter() - started
        return {
            "step": self.finished,
            "tokens": self.tokens,
            "loss": sums[0].item() / work.selected,
            "masked_accuracy": sums[1].item() / work.selected,
            "learning_rate": rate,
            "grad_norm": float(self.engine.get_global_grad_norm()),
            "tokens_per_second": work.tokens / seconds,
            "step_seconds": seconds,
            "memory_bytes": peak_memory(self.device),
        }

    def _set_learning_rate(self) -> float:
        planned = self.settings.learning_rate
        rate = warmup_cosine(
            self.finished,
            start=planned.start,
            peak=planned.peak,
            end=planned.end,
            warmup_steps=planned.warmup_steps,
            total_steps=planned.decay_epochs * self.steps_per_epoch,
        )
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        return rate

    @torch.no_grad()
    def validate(self) -> dict:
        """Loss (nats), perplexity and accuracy on the held-out clusters, masked the same way every time."""
        self.engine.eval()
        sums = torch.zeros(3, dtype=torch.float64)
        mask_key = key(self.seed, "mask", "validation")
        for rows in global_batches(outputs(self.validation, ".parquet"), self.settings.batch_size):
            work = self._prepare(rows, mask_key)
            for masked in work.micro_batches:
                loss, right = self.engine(masked.to(self.device))
                sums += torch.tensor(
                    [loss.item(), right.item(), (masked.targets != IGNORED).sum()], dtype=torch.float64
                )
        sums = sums.to(self.device)
        dist.all_reduce(sums)
        loss = (sums[0] / sums[2]).item()
        return {"loss": loss, "perplexity": math.exp(loss), "masked_accuracy": (sums[1] / sums[2]).item()}

    def _save(self) -> None:
        tag = tag_of(self.finished)
        progress = {"step": self.finished, "tokens": self.tokens}
        self.engine.save_checkpoint(str(self.state.directory), tag=tag, client_state=progress, save_latest=False)
        dist.barrier()
        if self.rank == 0:
            self.state.publish(tag, **progress, processes=self.world_size)


def tag_of(step: int) -> str:
    return f"step-{step:08d}"


def peak_memory(device: torch.device) -> int:
    """Bytes: of the GPU's allocator, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
