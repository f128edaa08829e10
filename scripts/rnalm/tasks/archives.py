"""Members of zip and tar archives, read in memory: nothing is unpacked, so that no path of an archive is written to.

A member is chosen by a pattern of its whole path (`texts`), or by its whole name below the archive's root (`members`,
which leave out names that lead out of it). Links, devices and what macOS adds (`__MACOSX/`, `._name`) are left out, as
are all that nobody asked for.
"""

import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from isal import igzip

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_binary

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz")
UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, *BROKEN)
LARGEST_MEMBER = 500_000_000  # bytes unpacked; the tables of the benchmarks have up to 60 MB


def is_archive(path) -> bool:
    return Path(path).name.endswith(ZIP + TAR)


def one(paths, suffixes: tuple[str, ...], source: str):
    """The only one of the paths whose name ends so; InputError if there is none, or more."""
    chosen = [path for path in paths if path.name.endswith(suffixes)]
    if len(chosen) != 1:
        problem = f"brought {len(chosen)} files named *{' or *'.join(suffixes)}"
        raise InputError(source, problem, "it needs exactly one")
    return chosen[0]


def texts(path, pattern: re.Pattern, largest: int) -> Iterator[tuple[re.Match, str, str]]:
    """(match, where, text) of each member whose whole path matches a pattern, in the archive's order.

    largest: bytes; a member above is refused, as are archives that cannot be read, by an InputError
    """
    for match, where, data in chosen(path, pattern.fullmatch, largest):
        yield match, where, text(data, where)


def members(path, wanted: Iterable[str]) -> dict[str, bytes]:
    """{name: content} of members; a gzip member comes decompressed.

    wanted: the ends of their names, whole path components, such as `Benchmarks/Fly/x.txt`
    InputError: a member that is missing, comes twice or is larger than any benchmark's, an archive that breaks off
    """
    found = {}
    for name, where, data in chosen(path, partial(ended, wanted), LARGEST_MEMBER):
        if name in found:
            raise InputError(where, "is not the only one of this name", "remove one of them")
        found[name] = data
    for name in wanted:
        if name not in found:
            raise InputError(path, f"has no {name}", "get the archive from its publisher")
    return found


def text(content: bytes, where) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(where, f"is not text ({error})", "get the whole file again") from error


def ended(wanted: Iterable[str], name: str) -> str | None:
    """Which of the wanted names a member has, if any."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in (parts := path.parts):
        return None
    return next((end for end in wanted if parts[-len(PurePosixPath(end).parts) :] == PurePosixPath(end).parts), None)


def chosen(path, choice: Callable, largest: int) -> Iterator[tuple[object, str, bytes]]:
    """(choice, where, content) of each member whose name has one, that is not None."""
    read = from_zip if Path(path).name.endswith(ZIP) else from_tar
    try:
        for name, size, content in read(path):
            found = None if is_junk(name) else choice(name)
            if found is not None:
                where = f"{path}, {name}"
                yield found, where, decompressed(name, size, content, largest, where)
    except UNREADABLE as error:
        raise broken(path, "it is no readable archive", error) from error


def from_zip(path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """(name, bytes, a function that reads it) of each file."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, member.file_size, partial(archive.read, member)


def from_tar(path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """The same of a tar archive, each to be read before the next; links and devices are no files."""
    # The suffix .tgz says nothing to open_binary: tarfile finds out itself.
    with open_binary(path) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            if member.isfile():
                yield member.name.removeprefix("./"), member.size, archive.extractfile(member).read


def is_junk(name: str) -> bool:
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith("._")


def decompressed(name: str, size: int, content: Callable[[], bytes], largest: int, where: str) -> bytes:
    """The bytes of a member, decompressed if its name says that it is gzip; InputError for more than the largest."""
    if size <= largest:
        data = content()
        if name.endswith(".gz"):
            data = igzip.open(io.BytesIO(data), "rb").read(largest + 1)
        if len(data) <= largest:
            return data
    raise InputError(where, f"unpacks to more than {largest} bytes", "get the archive from its publisher")
