"""Decompressed bytes and text of a sequence file; what its name ends in says how it is compressed.

gzip (also blocked, several members) by isal, zstd by Arrow. A truncated or corrupt file raises one of BROKEN.
"""

import codecs
import io
import zlib
from pathlib import Path
from typing import BinaryIO

import pyarrow
from isal import igzip, isal_zlib

from rnalm.errors import InputError

GZIP = (".gz", ".bgz")
ZSTD = (".zst",)
BROKEN = (EOFError, OSError, isal_zlib.error, zlib.error)


def open_binary(path, suffix: str | None = None) -> BinaryIO:
    """The decompressed bytes of a file whose name ends in `suffix`, or would if it had its final name."""
    path = Path(path)
    if path.is_dir():
        raise InputError(path, "is a folder", "name a file")
    if not path.is_file():
        raise InputError(path, "does not exist", "check the path")
    suffix = suffix or path.suffix
    if suffix in GZIP:
        return igzip.open(path, "rb")
    if suffix in ZSTD:
        return pyarrow.input_stream(str(path), compression="zstd")
    return open(path, "rb")


def open_text(path) -> io.TextIOWrapper:
    """The decompressed text of a file: UTF-8, and Latin-1 for the bytes that are not (old databases)."""
    return io.TextIOWrapper(open_binary(path), encoding="utf-8", errors="latin-1-fallback")


def _latin1(error: UnicodeDecodeError) -> tuple[str, int]:
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("latin-1-fallback", _latin1)


def broken(path, what: str, error: Exception) -> InputError:
    """The error of a file that cannot be read to its end."""
    return InputError(path, f"is truncated or corrupt: {what} ({error})", "get the whole file again")
