"""Members of tar archives, read in memory: nothing is unpacked, so that no path of an archive is ever written to.

A member is taken by its whole name below the archive's root. Names that lead out of the root, links and devices are
left out, as are all that nobody asked for.
"""

import io
import tarfile
from collections.abc import Iterable
from pathlib import PurePosixPath

from isal import igzip

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_binary

LARGEST_MEMBER = 500_000_000  # bytes unpacked; the tables of the benchmarks have up to 60 MB


def one(paths, suffixes: tuple[str, ...], source: str):
    """The only one of the paths whose name ends so; InputError if there is none, or more."""
    chosen = [path for path in paths if path.name.endswith(suffixes)]
    if len(chosen) != 1:
        problem = f"brought {len(chosen)} files named *{' or *'.join(suffixes)}"
        raise InputError(source, problem, "it needs exactly one")
    return chosen[0]


def members(path, wanted: Iterable[str]) -> dict[str, bytes]:
    """{name: content} of members of a tar file (also .tar.gz); a gzip member comes decompressed.

    wanted: the ends of their names, whole path components, such as `Benchmarks/Fly/x.txt`
    InputError: a member that is missing, comes twice or is larger than any benchmark's, an archive that breaks off
    """
    found = {}
    try:
        with open_binary(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = ended(member, wanted)
                if name is None:
                    continue
                if name in found:
                    raise InputError(f"{path}, {member.name}", "is not the only one of this name", "remove one of them")
                found[name] = content(archive, member, f"{path}, {member.name}")
    except (tarfile.TarError, *BROKEN) as error:
        raise broken(path, "it is no whole tar archive", error) from error
    for name in wanted:
        if name not in found:
            raise InputError(path, f"has no {name}", "get the archive from its publisher")
    return found


def ended(member: tarfile.TarInfo, wanted: Iterable[str]) -> str | None:
    """Which of the wanted names a member has, if any."""
    name = PurePosixPath(member.name)
    if not member.isfile() or name.is_absolute() or ".." in name.parts:
        return None
    return next(
        (end for end in wanted if name.parts[-len(PurePosixPath(end).parts) :] == PurePosixPath(end).parts), None
    )


def content(archive: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    """The bytes of a member, decompressed if its name says that it is gzip."""
    stream = archive.extractfile(member)
    if member.name.endswith(".gz"):
        stream = igzip.open(io.BytesIO(stream.read(LARGEST_MEMBER + 1)), "rb")
    data = stream.read(LARGEST_MEMBER + 1)
    if len(data) > LARGEST_MEMBER:
        raise InputError(where, f"unpacks to more than {LARGEST_MEMBER} bytes", "get the archive from its publisher")
    return data
