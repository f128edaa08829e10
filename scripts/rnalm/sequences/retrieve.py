"""Download one file so that what stands under its name is whole, checked and traceable.

A transfer goes to `NAME.part`; what the server said about it (ETag, date) stands beside it, so that a broken
transfer continues with a range request for the same version and a changed file starts again. The finished file
is checked (announced and pinned size, pinned SHA-256, published MD5, full decompression) and then renamed.
A file that is already there is kept if the server still names the same version of it and its hash is the same.
"""

import hashlib
import os
import shutil
import time
import zipfile
from pathlib import Path

import requests
import urllib3
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from rnalm import files
from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, GZIP, ZSTD, open_binary
from rnalm.sequences.releases import File, Release, join, local_path, resolve

CHUNK = 1 << 20
TIMEOUT = (30, 120)  # seconds to connect, and between two packets
ATTEMPTS = 5  # transfers of one file that break before it is given up
PAUSE = 1.0  # seconds before the second attempt, doubled for each further one
RETRIED = (429, 500, 502, 503, 504)
TRANSFER_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


def retrieve(release: Release, base_url: str | None, folder: Path) -> list[dict]:
    """Bring every file of a release into `folder`.

    base_url: stands for the lock's URLs where given
    Returns {path, url, bytes, sha256, etag, last_modified} per file.
    InputError: a file that is missing, broken, or not the pinned one; files finished before it stay.
    """
    found = []
    with session() as client, progress() as bar:
        for file in release.files:
            target, url = folder / file.path, resolve(release, base_url, file)
            md5_url = file.md5_url and join(base_url or release.base_url, file.md5_url)
            target.parent.mkdir(parents=True, exist_ok=True)
            found.append({"path": file.path, **fetch(client, bar, file, url, md5_url, target)})
    return found


def session() -> requests.Session:
    """A client that repeats requests which failed on the way or which the server could not serve just then."""
    retry = urllib3.Retry(total=ATTEMPTS, backoff_factor=PAUSE / 2, status_forcelist=RETRIED, raise_on_status=False)
    client = requests.Session()
    for scheme in ("http://", "https://"):
        client.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    # The file as it lies on the server, not compressed again on the way.
    client.headers["Accept-Encoding"] = "identity"
    return client


def fetch(client, bar, file: File, url: str, md5_url: str | None, target: Path) -> dict:
    """Bring one file to `target`; what is known of it, see `retrieve`."""
    if source := local_path(url):
        facts, part = copy(bar, source, target), part_of(target)
    else:
        facts = unchanged(client, url, target)
        if facts and pinned(file, facts):
            bar.console.print(f"{file.path}: unchanged")
            return facts
        facts, part = download(client, bar, url, target), part_of(target)
    facts |= {"bytes": part.stat().st_size, "sha256": files.sha256(part)}
    try:
        check(client, file, url, md5_url, part, facts)
    except InputError:
        # Nothing to continue from: the next run starts this file anew.
        part.unlink()
        facts_of(target).unlink(missing_ok=True)
        raise
    os.replace(part, target)
    files.write_json(facts_of(target), facts)
    bar.console.print(f"{file.path}: {facts['bytes']:,} bytes")
    return facts


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def facts_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.json")


def copy(bar, source: Path, target: Path) -> dict:
    if not source.is_file():
        raise InputError(source, "does not exist", "check the base URL of this source")
    task = bar.add_task(target.name, total=source.stat().st_size)
    shutil.copyfile(source, part_of(target))
    bar.update(task, completed=source.stat().st_size)
    # As it was given: a relative URL means the same on every machine.
    return {"url": f"file:{source}", "etag": None, "last_modified": None}


def unchanged(client, url: str, target: Path) -> dict | None:
    """What is known of a file that is already there, if it is intact and the server still has this version."""
    if not (target.is_file() and facts_of(target).is_file()):
        return None
    facts = files.read_json(facts_of(target))
    if facts["url"] != url or facts.get("sha256") != files.sha256(target):
        return None
    try:
        reply = client.head(url, allow_redirects=True, timeout=TIMEOUT)
    except TRANSFER_ERRORS:
        return None
    same = reply.ok and version(reply) and version(reply) == {key: facts[key] for key in version(reply)}
    return facts if same else None


def pinned(file: File, facts: dict) -> bool:
    return file.sha256 in (None, facts["sha256"]) and file.bytes in (None, facts["bytes"])


def version(reply) -> dict:
    """What the server says about the version of a file; empty if it says nothing."""
    headers = {"etag": reply.headers.get("ETag"), "last_modified": reply.headers.get("Last-Modified")}
    return headers if any(headers.values()) else {}


def download(client, bar, url: str, target: Path) -> dict:
    """Transfer `url` to the part file of `target`, from where an earlier transfer broke off.

    Returns {url, etag, last_modified, announced}: `announced` is the whole size in bytes by the server, or None.
    """
    task = bar.add_task(target.name, total=None)
    for attempt in range(ATTEMPTS):
        try:
            return transfer(client, bar, task, url, target)
        except TRANSFER_ERRORS as error:
            broken = error
            bar.console.print(f"{target.name}: transfer broke ({error}), continuing")
            time.sleep(PAUSE * 2**attempt)
    problem = f"transfer broke {ATTEMPTS} times ({broken})"
    raise InputError(url, problem, "run again, it continues where it broke off")


def transfer(client, bar, task, url: str, target: Path) -> dict:
    part, known = part_of(target), facts_of(target)
    have = part.stat().st_size if part.is_file() else 0
    before = files.read_json(known) if have and known.is_file() else {}
    # A weak ETag does not promise the same bytes, so it cannot join two halves.
    strong = next((mark for mark in (before.get("etag"), before.get("last_modified")) if mark and mark[:2] != "W/"), "")
    resume = have if strong and before.get("url") == url else 0
    headers = {"Range": f"bytes={resume}-", "If-Range": strong} if resume else {}
    with client.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        if reply.status_code == requests.codes.requested_range_not_satisfiable:
            # The part is of this version and nothing follows it: `bytes */SIZE` tells whether it is whole.
            if reply.headers.get("Content-Range", "").rpartition("/")[2] == str(resume):
                return before | {"announced": resume}
            part.unlink()
            return transfer(client, bar, task, url, target)
        if not reply.ok:
            raise InputError(url, f"the server answers {reply.status_code} {reply.reason}", "check the release's URL")
        resume = resume if reply.status_code == requests.codes.partial_content else 0
        length = reply.headers.get("Content-Length")
        facts = {"url": url, "etag": None, "last_modified": None} | version(reply)
        files.write_json(known, facts)
        announced = resume + int(length) if length else None
        bar.update(task, completed=resume, total=announced)
        with open(part, "r+b" if resume else "wb") as handle:
            handle.seek(resume)
            for chunk in reply.raw.stream(CHUNK, decode_content=False):
                handle.write(chunk)
                bar.advance(task, len(chunk))
    return facts | {"announced": announced}


def check(client, file: File, url: str, md5_url: str | None, part: Path, facts: dict) -> None:
    """InputError unless the transferred file is whole and is the pinned one."""
    announced = facts.pop("announced", None)
    if announced not in (None, facts["bytes"]):
        raise InputError(url, f"came with {facts['bytes']} bytes, announced were {announced}", "run again")
    if not facts["bytes"]:
        raise InputError(url, "is empty", "check the source")
    for name in ("bytes", "sha256"):
        expected = getattr(file, name)
        if expected not in (None, facts[name]):
            problem = f"has changed: {name} {facts[name]}, pinned {expected}"
            raise InputError(url, problem, "check the source, then pin the new file as a release of its own")
    if md5_url and (published := published_md5(client, md5_url)) != md5(part):
        raise InputError(url, f"does not have the published MD5 {published}", "run again")
    try:
        decompress(part, Path(file.path).suffix)
    except (*BROKEN, zipfile.BadZipFile) as error:
        raise InputError(url, f"is truncated or corrupt ({error})", "check the source, then run again") from error


def decompress(part: Path, suffix: str) -> None:
    """Read a compressed file to its end; its checksums are inside."""
    if suffix in (*GZIP, *ZSTD):
        with open_binary(part, suffix) as handle:
            while handle.read(CHUNK):
                pass
    elif suffix == ".zip":
        with zipfile.ZipFile(part) as archive:
            if wrong := archive.testzip():
                raise zipfile.BadZipFile(f"wrong checksum of {wrong}")


def published_md5(client, md5_url: str) -> str:
    """The first word of a checksum file."""
    try:
        if source := local_path(md5_url):
            words = source.read_text().split()
        else:
            reply = client.get(md5_url, timeout=TIMEOUT)
            reply.raise_for_status()
            words = reply.text.split()
    except OSError as error:
        raise InputError(md5_url, f"cannot be read ({error})", "check the URL of the checksum") from error
    if not words:
        raise InputError(md5_url, "is empty", "check the URL of the checksum")
    return words[0].lower()


def md5(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def progress() -> Progress:
    """A bar per file on a terminal; in a log only the lines printed through its console."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
