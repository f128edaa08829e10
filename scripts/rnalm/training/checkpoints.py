"""State of a running job: where it can be resumed, whose it is, who may write it.

A state directory is never a declared output of the workflow. It holds checkpoints, a pointer to the last
complete one (written atomically after it), the fingerprint of the run it belongs to and a single-writer lock.
"""

import hashlib
import json
import shutil
import time
from pathlib import Path

import filelock

from rnalm.errors import InputError
from rnalm.files import flush, read_json, write_json

KEPT = 2
LOCK = "lock"


def fingerprint(*parts) -> str:
    """Digest of everything JSON-able that makes a run what it is."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class State:
    def __init__(self, directory, fingerprint: str):
        self.directory, self.fingerprint = Path(directory), fingerprint
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pointer = self.directory / "latest.json"

    def lock(self) -> filelock.BaseFileLock:
        """Held by the one process that may write; the operating system frees it when that process dies."""
        return filelock.FileLock(self.directory / LOCK)

    def latest(self) -> dict | None:
        """What `publish` last recorded, or None if there is nothing to go on from.

        The end of a finished run is: it is declared again, in case that its end was all that the workflow missed.
        InputError: another run is unfinished.
        """
        if not self.pointer.exists():
            return None
        latest = read_json(self.pointer)
        if latest["fingerprint"] != self.fingerprint:
            if "finished" in latest:
                return None
            raise InputError(
                self.directory,
                "holds the checkpoints of a run with other settings or data",
                "delete this directory, or set `run` in the config to a new name",
            )
        return latest

    def begin(self) -> None:
        """Clear away what another, finished run left; InputError if it is unfinished. Needs the lock."""
        if self.latest() is None:
            self.clear()

    def clear(self) -> None:
        """Remove everything but the lock, which this process holds."""
        for left in self.directory.iterdir():
            if left.name != LOCK:
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def finish(self) -> None:
        """The run is complete and its results declared: the next one may take the directory over."""
        write_json(self.pointer, read_json(self.pointer) | {"finished": time.time()})

    def publish(self, tag: str, **progress) -> None:
        """Make checkpoint `tag` the one to resume from and drop older ones beyond the last two."""
        for path in (self.directory / tag).rglob("*"):  # the pointer must not outlive, in a crash, what it points to
            if path.is_file():
                flush(path)
        write_json(self.pointer, {"tag": tag, "fingerprint": self.fingerprint, **progress})
        for old in sorted(path for path in self.directory.glob("step-*") if path.is_dir() and path.name <= tag)[:-KEPT]:
            shutil.rmtree(old)
