"""What the commands share that work on the folder of a corpus: refusing, before work begins, what cannot be one."""

import re
import unicodedata
from pathlib import Path

from rnalm import provenance
from rnalm.errors import InputError

PATTERN = re.compile(r"[*?\[]")
PART = re.compile(r"part-\d{5,}\.parquet")


def check_name(name: str) -> None:
    """InputError for a name that no table can hold: with line breaks, tabs, or bytes that are not UTF-8."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InputError(ascii(name), "has control characters, or bytes that are not UTF-8", "rename it")


def check_path(path: Path) -> None:
    """InputError for a folder that manifests cannot name, or that polars takes for a pattern of many."""
    check_name(str(path))
    if PATTERN.search(str(path)):
        raise InputError(path, "has one of the characters * ? [ in its path", "rename it, or work inside it")


def check_sequences(folder: Path) -> None:
    """InputError if the folder of a corpus' sequences, which is replaced, holds what no corpus has left there."""
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file, and a corpus has a folder of this name", "name another --out")
    for path in folder.glob("*"):
        if not PART.fullmatch(path.name):
            problem = f"holds {path.name}, and a corpus would replace this folder"
            raise InputError(folder, problem, "name another --out")


def manifest_of(folder: Path) -> Path:
    """The manifest of the corpus in a folder; InputError if it has none."""
    check_path(folder)
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(path, "does not exist", f"make a corpus there: rnalm corpus IN --out {folder}")
    content = provenance.load(path)
    if content.get("stage") != "deduplicate" or not provenance.outputs(path, ".parquet"):
        raise InputError(path, "is no manifest of a corpus", "name the folder of one")
    return path
