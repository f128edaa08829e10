"""What a training run reports while it goes: CSV history, TensorBoard events, a bar on a terminal, lines in a log."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rnalm.files import write_text

TRAIN = ("step", "epoch", "tokens", "loss", "masked_accuracy", "learning_rate", "grad_norm")
TRAIN += ("tokens_per_second", "step_seconds", "memory_bytes")
VALID = ("step", "tokens", "loss", "perplexity", "masked_accuracy")


class Table:
    """An append-only CSV, its first column the step, that a resumed run first cuts back to its checkpoint."""

    def __init__(self, path, columns, last_step: int):
        self.path, self.columns = Path(path), columns
        lines = self.path.read_text().splitlines(keepends=True)[1:] if self.path.exists() else []
        # A line that was being written when the process died has no end.
        kept = [line for line in lines if line.endswith("\n") and int(line.split(",")[0]) <= last_step]
        write_text(self.path, "".join([",".join(columns) + "\n", *kept]))

    def append(self, row: dict) -> None:
        values = (row[column] for column in self.columns)
        with open(self.path, "a") as handle:
            handle.write(",".join(str(v) if isinstance(v, int) else format(v, ".8g") for v in values) + "\n")


class Reporter:
    """Used by the first process only; a context manager."""

    def __init__(self, state: Path, log: Path, first_step: int, last_step: int):
        from torch.utils.tensorboard import SummaryWriter

        self.train = Table(state / "history.csv", TRAIN, first_step)
        self.valid = Table(state / "validation.csv", VALID, first_step)
        self.events = SummaryWriter(str(state / "tensorboard"), purge_step=first_step + 1)
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = open(log, "a", buffering=1)  # noqa: SIM115 (closed in __exit__)
        self.bar = Progress(
            TextColumn("pre-training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
        )
        self.task = self.bar.add_task("", total=last_step, completed=first_step, figures="")

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()
        self.events.close()
        self.log.close()

    def line(self, text: str) -> None:
        self.log.write(text + "\n")

    def step(self, row: dict) -> None:
        self.train.append(row)
        self._events("train", row)
        figures = f"loss {row['loss']:.3f}  {row['tokens_per_second']:,.0f} tokens/s"
        self.bar.update(self.task, completed=row["step"], figures=figures)
        self.line(
            f"step {row['step']}  epoch {row['epoch']}  {figures}  accuracy {row['masked_accuracy']:.3f}  "
            f"lr {row['learning_rate']:.2e}  grad {row['grad_norm']:.2f}  {row['memory_bytes'] / 2**30:.2f} GiB"
        )

    def validation(self, row: dict) -> None:
        self.valid.append(row)
        self._events("validation", row)
        self.line(
            f"step {row['step']}  validation loss {row['loss']:.4f}  perplexity {row['perplexity']:.3f}  "
            f"accuracy {row['masked_accuracy']:.3f}"
        )

    def _events(self, group: str, row: dict) -> None:
        for name, value in row.items():
            if name != "step":
                self.events.add_scalar(f"{group}/{name}", value, row["step"])
