"""Atomic outputs: written beside the target, flushed, renamed.

What a killed process left beside a target goes when the target is written again.
"""

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

# (device, inode, bytes, time of the last change) -> SHA-256. A file keeps them when it gets its final name.
HASHES = {}


@contextlib.contextmanager
def atomic(path):
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path):
    """Yield an empty directory beside `path`; on success it replaces `path`, on failure it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            # To remove it takes time: a process that is killed meanwhile must not leave half of it under this name.
            earlier = temporary.with_suffix(".earlier.tmp")
            os.replace(path, earlier)
            os.replace(temporary, path)
            shutil.rmtree(earlier)
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def beside(path: Path) -> Path:
    """A temporary name beside `path`, free; what processes that no longer run left under such names is removed."""
    name = re.compile(rf"\.{re.escape(path.name)}\.(\d+)(\.earlier)?\.tmp")
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        if (found := name.fullmatch(left.name)) and not another_runs(int(found[1])):
            remove(left)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def another_runs(process: int) -> bool:
    """Whether this number is that of another process that is running."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def flush(path: Path) -> None:
    """Have the system write to the disk what it still holds of a file."""
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_state(path) -> dict | None:
    """The mapping that an earlier run left as JSON; None if there is none, or it is damaged: then nothing is known."""
    try:
        found = read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def sha256(path) -> str:
    """Of a file as it is now: one that was not touched since is not read again."""
    state = os.stat(path)
    known = state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns
    if known not in HASHES:
        with open(path, "rb") as handle:
            HASHES[known] = hashlib.file_digest(handle, "sha256").hexdigest()
    return HASHES[known]
