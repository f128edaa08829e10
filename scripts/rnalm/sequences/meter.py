"""Progress of a retrieval: a bar per file on a terminal, plain lines in a log."""

import threading
import time

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

INTERVAL = 30.0  # seconds between two lines in a log


class Meter:
    """What has come so far; used by many threads. Use as a context."""

    def __init__(self):
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        self.bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
        self.say, self.lock = console.print, threading.Lock()
        self.files = self.finished = self.bytes = 0
        self.started = self.told = time.monotonic()

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def begin(self, name: str) -> int:
        return self.bar.add_task(name, total=None)

    def advance(self, task: int, number: int) -> None:
        """Count bytes of a file."""
        with self.lock:
            self.bytes += number
        self.bar.advance(task, number)

    def end(self, task: int) -> None:
        with self.lock:
            self.finished += 1
        self.bar.remove_task(task)

    def tell(self) -> None:
        """Write a line if it is time for one and no bar shows the same."""
        now = time.monotonic()
        if self.bar.disable and now - self.told >= INTERVAL:
            self.told, speed = now, self.bytes / (now - self.started)
            self.say(f"{self.finished} of {self.files} files, {decimal(self.bytes)}, {decimal(int(speed))}/s")
