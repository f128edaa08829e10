"""Decompressed bytes and text of a sequence file; what its name ends in says how it is compressed.

gzip (also blocked, several members) by isal, zstd by Arrow. A truncated or corrupt file raises one of BROKEN.
"""

import codecs
import io
import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import pyarrow
from isal import igzip, isal_zlib

from rnalm.errors import InputError
from rnalm.sequences.names import GZIP, ZSTD

# What files begin with that gzip, zstd, bzip2, xz and zip have made.
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ", b"PK\x03\x04")
# Blocked gzip (SAM/BAM specification, section 4.1) is many members; an empty one ends the file. Without it a file that
# is cut between two members would look whole.
BLOCKED = re.compile(rb"\x1f\x8b\x08\x04.{8}BC\x02\x00", re.DOTALL)
LAST_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
# Error handler of text that is UTF-8, and Latin-1 for the bytes that are not (old databases).
LATIN1 = "latin-1-fallback"
BROKEN = (EOFError, OSError, isal_zlib.error, zlib.error)


def open_binary(path, suffix: str | None = None) -> BinaryIO:
    """The decompressed bytes of a file whose name ends in `suffix`, or would if it had its final name.

    One of BROKEN, here or from a read: the file is truncated or corrupt. InputError: no such file
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(path, "is a folder", "name a file")
    if not path.exists():
        raise InputError(path, "does not exist", "check the path")
    if not path.is_file():
        raise InputError(path, "is a pipe or a device", "write it to a file first, and name that")
    if not os.access(path, os.R_OK):
        raise InputError(path, "may not be read", "change its permissions")
    suffix = (suffix or path.suffix).lower()
    if suffix in GZIP:
        check_last_block(path)
        return igzip.open(path, "rb")
    if suffix in ZSTD:
        return pyarrow.input_stream(str(path), compression="zstd")
    return open(path, "rb")


def check_last_block(path: Path) -> None:
    """EOFError if blocked gzip does not end in its empty block."""
    with open(path, "rb") as handle:
        if BLOCKED.match(handle.read(16)):
            handle.seek(-min(len(LAST_BLOCK), path.stat().st_size), os.SEEK_END)
            if handle.read() != LAST_BLOCK:
                raise EOFError("blocked gzip without its last, empty block")


def refuse_compressed(path, start: bytes) -> None:
    """InputError if a file is compressed and its name does not say so; start: what was read of it first."""
    if start.startswith(COMPRESSED):
        raise InputError(path, "is compressed", "let its name end in .gz or .zst, or decompress it")


def open_text(path) -> io.TextIOWrapper:
    """The decompressed text of a file: UTF-8, and Latin-1 for the bytes that are not (old databases)."""
    handle = io.BufferedReader(open_binary(path))
    refuse_compressed(path, handle.peek(1))
    return io.TextIOWrapper(handle, encoding="utf-8", errors=LATIN1)


def _latin1(error: UnicodeDecodeError) -> tuple[str, int]:
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(LATIN1, _latin1)


def broken(path, what: str, error: Exception) -> InputError:
    """The error of a file that cannot be read to its end."""
    return InputError(path, f"is truncated or corrupt: {what} ({error})", "get the whole file again")
