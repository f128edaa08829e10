"""Texts in zip and tar archives, chosen by a pattern and read in memory: nothing is unpacked to any path.

What macOS adds to an archive (`__MACOSX/`, `._name`) is left out. Members that are known by name: `archives`.
"""

import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz")
UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, *BROKEN)


def is_archive(path) -> bool:
    return Path(path).name.endswith(ZIP + TAR)


def texts(path, pattern: re.Pattern, largest: int) -> Iterator[tuple[re.Match, str, str]]:
    """(match, where, text) of each member whose whole path matches a pattern, in the archive's order.

    largest: bytes; a member above is refused, as are archives that cannot be read, by an InputError
    """
    read = from_zip if Path(path).name.endswith(ZIP) else from_tar
    try:
        for name, size, content in read(path):
            match = pattern.fullmatch(name)
            if not match or is_junk(name):
                continue
            where = f"{path}, {name}"
            if size > largest:
                raise InputError(where, f"unpacks to {size} bytes", "get the archive from its publisher")
            try:
                yield match, where, content().decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(where, f"is not text ({error})", "get the archive again") from error
    except UNREADABLE as error:
        raise InputError(path, f"is no readable archive ({error})", "get the whole file again") from error


def from_zip(path) -> Iterator:
    """(name, bytes, a function that reads it) of each file."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, member.file_size, lambda member=member: archive.read(member)


def from_tar(path) -> Iterator:
    """The same of a tar archive; links and devices are no files."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():
                name = member.name.removeprefix("./")
                yield name, member.size, lambda member=member: archive.extractfile(member).read()


def is_junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or parts[-1].startswith("._")
