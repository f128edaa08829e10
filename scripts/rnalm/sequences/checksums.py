"""Checksums as the databases publish them: MD5 files (NCBI), and the lines of the classic `sum` (Ensembl).

Both are read from text in the forms that different writers gave them: a name after one or two spaces, `*` or a tab,
with or without `./`. The BSD sum has 16 bits: it finds a truncation, no forgery.
"""

import hashlib
import re
import subprocess
from pathlib import Path

from rnalm.errors import InputError

MD5 = re.compile(r"^([0-9a-fA-F]{32})(?:\s+\*?(?:\./)?(\S+))?\s*$", re.MULTILINE)
BSD = re.compile(r"^(\d{1,5})\s+(\d+)\s+(?:\./)?(\S+)\s*$", re.MULTILINE)
BLOCK = 1024  # bytes


def published_md5(text: str, name: str, where: str) -> str:
    """The MD5 of the file `name` in the text of an MD5 file; one that names no file holds one sum, of this file."""
    found = {listed or name: digest.lower() for digest, listed in MD5.findall(text)}
    if name not in found:
        raise InputError(where, f"holds no MD5 of {name}", "check the URL of the checksum")
    return found[name]


def published_sums(text: str) -> dict[str, tuple[int, int]]:
    """{file name: (sum, blocks of 1,024 bytes)} of an Ensembl CHECKSUMS file."""
    return {name: (int(total), int(blocks)) for total, blocks, name in BSD.findall(text)}


def md5(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def bsd_sum(path: Path) -> tuple[int, int]:
    """(sum, blocks of 1,024 bytes) of a file; the sum by the system's `sum`, blocks by its size, which `sum` rounds."""
    with open(path, "rb") as handle:
        done = subprocess.run(["sum"], stdin=handle, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0]), -(-path.stat().st_size // BLOCK)
