"""Is a transferred file whole, and what it is said to be: read to its end, and counted, before it gets its name.

Compressed files carry checksums of their own, which only reading them finds. An error page that a server
sends with status 200 does not begin as the format does.
"""

import tarfile
import zipfile
from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.checksums import bsd_sum, md5
from rnalm.sequences.compression import BROKEN, open_binary
from rnalm.sequences.names import GZIP, ZSTD
from rnalm.sequences.releases import File

CHUNK = 1 << 20
BEGINS = {"fasta": b">", "stockholm": b"# STOCKHOLM"}
UNREADABLE = (*BROKEN, zipfile.BadZipFile, tarfile.TarError)
ARCHIVES = (".tar.gz", ".tgz", ".tar")


class Damaged(InputError):
    """What came is not what the server has; another transfer may bring it whole."""


def check(file: File, part: Path, url: str, announced: int | None, published_md5: str | None) -> int | None:
    """The number of records of a FASTA file, None of others, if the file is whole.

    announced: bytes, as the server says, or None
    Damaged: it has another size or checksum than announced or published, breaks off, or is another format
    """
    size = part.stat().st_size
    if announced not in (None, size):
        raise Damaged(url, f"came with {size} bytes, announced were {announced}", "run again")
    if not size:
        raise Damaged(url, "is empty", "check the source")
    if published_md5 and published_md5 != md5(part):
        raise Damaged(url, f"does not have the published MD5 {published_md5}", "run again")
    if file.bsd_sum and file.bsd_sum != (found := bsd_sum(part)):
        published, found = (" ".join(map(str, pair)) for pair in (file.bsd_sum, found))
        raise Damaged(url, f"has the sum {found}, not the published {published}", "run again")
    try:
        if file.path.endswith(ARCHIVES):
            return read_archive(part, file.path)
        return read_content(file, part, url)
    except UNREADABLE as error:
        raise Damaged(url, f"is truncated or corrupt ({error})", "check the source, then run again") from error


def read_content(file: File, part: Path, url: str) -> int | None:
    """Read a file to its end; the number of records if it is FASTA."""
    suffix = Path(file.path).suffix
    if suffix == ".zip":
        with zipfile.ZipFile(part) as archive:
            if wrong := archive.testzip():
                raise zipfile.BadZipFile(f"wrong checksum of {wrong}")
        return None
    # A file that is not compressed is read only if there are records to count in it.
    if file.format not in BEGINS and suffix not in (*GZIP, *ZSTD):
        return None
    with open_binary(part, suffix) as handle:
        chunk = handle.read(CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not chunk.startswith(BEGINS.get(file.format, b"")):
            raise Damaged(url, f"is no {file.format}: it begins with {chunk[:40]!r}", "check the URL")
        records, last = 0, b"\n"
        while chunk:
            # A line's end and the next one's begin may lie in two chunks.
            records += (last + chunk).count(b"\n>")
            last, chunk = chunk[-1:], handle.read(CHUNK)
    return records if file.format == "fasta" else None


def read_archive(part: Path, name: str) -> None:
    """Read every member of a tar archive, and what follows the last one."""
    with open_binary(part, Path(name).suffix) as handle:
        with tarfile.open(fileobj=handle, mode="r|") as archive:
            for _ in archive:
                pass
        while handle.read(CHUNK):
            pass
