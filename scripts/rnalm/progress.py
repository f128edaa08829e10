"""How far long work has come, on stderr: at most one line in INTERVAL seconds, so short work says nothing."""

import sys
import time

INTERVAL = 10.0  # seconds


class Progress:
    def __init__(self):
        self.reported = time.monotonic()

    def __call__(self, line: str) -> None:
        if time.monotonic() > self.reported + INTERVAL:
            self.reported = time.monotonic()
            print(line, file=sys.stderr, flush=True)
