"""Bring the files of a release so that what stands under a name is whole, checked and traceable.

Many files come at once, each to `NAME.part` (`transfer`), is checked there (`integrity`: announced and pinned size,
pinned SHA-256, published checksums, full decompression, number of records) and renamed. What was found is recorded
in `.retrieved.jsonl`, a line per file, so that a killed retrieval continues with the files that are missing.
A release does not change: a file that differs from what was recorded of it is an error, and the old one stays.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import filelock

from rnalm import files, provenance
from rnalm.errors import InputError
from rnalm.sequences import checksums, integrity
from rnalm.sequences.compression import open_binary
from rnalm.sequences.integrity import Damaged
from rnalm.sequences.listings import ARCHIVE, READERS, Listed, Listing
from rnalm.sequences.meter import Meter
from rnalm.sequences.releases import File, Release, join, local_path, resolve
from rnalm.sequences.transfer import CONNECTIONS, Client, Transfer, Version, state_of

JOURNAL = ".retrieved.jsonl"
TELL = 1.0  # seconds
TRIES = 2  # transfers of a file that comes damaged
FULL = (errno.ENOSPC, errno.EDQUOT)
# RNAcentral's release notes; the number counts active and inactive sequences.
RELEASE = re.compile(r"RNAcentral Release\s+(\d+(?:\.\d+)?)")
RECORDS = re.compile(r"consists of\s+([\d,]+)\s+unique RNA sequences")
# What normalise has to know of a file.
DESCRIBED = ("path", "format", "use", "rna_type", "select")


@dataclass(frozen=True)
class Retrieved:
    """What a retrieval brought.

    files:   {path, format, use, rna_type, select, url, bytes, sha256, etag, last_modified} of each, and where known
             records (of FASTA) and members (of an archive that was unpacked)
    absent:  names in a listing that have no file, which is normal
    outputs: paths of all files, relative to the folder
    """

    files: list[dict]
    absent: list[str]
    outputs: list[str]


def retrieve(release: Release, base_url: str | None, folder: Path) -> Retrieved:
    """Bring every file of a release into `folder`, and what its listings list.

    base_url: stands for the lock's URLs where given
    InputError: files that are missing, broken, changed, or not the pinned ones; those that are finished stay
    """
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder), Meter() as meter, Pools() as pools:
        retrieval = Retrieval(release, base_url, folder, meter, pools)
        found, absent = retrieval.fetch(release.files), []
        for file in filter(lambda file: file.lists, release.files):
            listed, more = retrieval.follow(file)
            found, absent = found + more, [*absent, *listed.absent]
        retrieval.journal.close()
    # A database has no file of its own; an archive that was unpacked left its members.
    outputs = {part["path"] for facts in found if facts["sha256"] for part in facts.get("members", [facts])}
    return Retrieved(found, absent, sorted(outputs))


@contextlib.contextmanager
def exclusive(folder: Path):
    """The only process that writes into a folder; InputError if there is another."""
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout as error:
        raise InputError(folder, "is being retrieved by another process", "wait for it to end") from error


class Pools:
    """Threads for files and for their segments, ended together; use as a context.

    stopped: set when no transfer shall go on
    """

    def __init__(self):
        self.files, self.segments = (ThreadPoolExecutor(CONNECTIONS) for _ in range(2))
        self.stopped = threading.Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for pool in (self.files, self.segments):
            pool.shutdown(cancel_futures=True)


class Journal:
    """{path: facts} of what was retrieved, kept as one line per file; a line that a kill cut off counts as none."""

    def __init__(self, path: Path):
        self.path, self.lock, self.facts = path, threading.Lock(), {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    facts = json.loads(line)
                    self.facts[facts["path"]] = facts

    def add(self, facts: dict) -> None:
        with self.lock, open(self.path, "a", encoding="utf-8") as handle:
            self.facts[facts["path"]] = facts
            # A new line first: the one before may have been cut off.
            handle.write("\n" + json.dumps(facts))
            handle.flush()
            os.fsync(handle.fileno())

    def close(self) -> None:
        """Write it anew, in an order that does not depend on which file came first."""
        files.write_text(self.path, "".join(json.dumps(self.facts[path]) + "\n" for path in sorted(self.facts)))


class Retrieval:
    """One release on its way into `folder`."""

    def __init__(self, release: Release, base_url: str | None, folder: Path, meter: Meter, pools: Pools):
        self.release, self.base_url, self.folder, self.meter, self.pools = release, base_url, folder, meter, pools
        self.client, self.journal = Client(), Journal(folder / JOURNAL)

    def url(self, path: str) -> str:
        return join(self.base_url or self.release.base_url, path)

    def each(self, function: Callable, items: Iterable) -> list:
        """Apply a function to items, many at once. After an error the others still end; the first one is raised."""
        futures = waiting = [self.pools.files.submit(function, item) for item in items]
        while waiting:
            waiting = wait(waiting, timeout=TELL).not_done
            self.meter.tell()
        first, *others = [error for future in futures if (error := future.exception())] or [None]
        for error in others:
            self.meter.say(f"also: {error}")
        if first:
            raise first
        return [future.result() for future in futures]

    def fetch(self, wanted: Iterable[File]) -> list[dict]:
        """Bring files; what is known of each, see `Retrieved`."""
        wanted = list(wanted)
        self.meter.files += len(wanted)
        return [described(file) | facts for file, facts in zip(wanted, self.each(self.bring, wanted), strict=True)]

    def follow(self, file: File) -> tuple[Listed, list[dict]]:
        """Bring what a listing lists; what it lists, and what is known of its files and of what they make."""
        content = (self.folder / file.path).read_bytes()
        base_url = self.base_url or self.release.base_url
        listed = READERS[file.lists](Listing(file, content, base_url, self.release.version, self.client, self.each))
        self.meter.say(f"{file.path}: lists {len(listed.files)} files, {len(listed.absent)} names without a file")
        found = self.fetch(listed.files)
        # A listing that moves: its files may have been those of two versions.
        if not self.kept(file, resolve(self.release, self.base_url, file)):
            raise InputError(self.url(file.path), "changed while its files came", "run again")
        return listed, found + [self.database(made, found) for made in listed.made]

    def database(self, made: File, parts: list[dict]) -> dict:
        """What is known of a BLAST database made of files."""
        name = self.folder / made.path
        if not any(name.with_name(name.name + suffix).is_file() for suffix in (".nal", ".nin")):
            raise InputError(self.url(made.path), "has neither .nal nor .nin among its files", "check the source")
        size = sum(part["bytes"] for facts in parts for part in facts.get("members", [facts]))
        nothing = dict.fromkeys(("sha256", "etag", "last_modified"))
        return described(made) | {"url": self.url(made.path), "bytes": size} | nothing

    def bring(self, file: File) -> dict:
        """Bring one file to its place, or find that it is there already; what is known of it."""
        url, target = resolve(self.release, self.base_url, file), self.folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        task = self.meter.begin(target.name)
        try:
            if facts := self.kept(file, url):
                # One that was killed after the file had its name.
                discard(part_of(target))
                self.meter.say(f"{file.path}: unchanged")
            else:
                facts = self.renew(file, url, target, task)
                self.meter.say(f"{file.path}: {facts['bytes']:,} bytes")
            return facts
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise InputError(target, "does not fit on the disk", "make room and run again, it continues") from error
        finally:
            self.meter.end(task)

    def kept(self, file: File, url: str) -> dict | None:
        """What is recorded of a file that is in its place and whole, and that the source still has.

        A source that is not reached, or does not have the file any more, does not make it wrong.
        InputError: the source has a file of another size now
        """
        facts = self.journal.facts.get(file.path)
        if facts is None or not self.whole(facts) or unlike(file, facts):
            return None
        if source := local_path(url):
            same = not source.is_file() or files.sha256(source) == facts["sha256"]
            return facts if same else None
        found = self.client.version(url)
        if found is None:
            self.meter.say(f"{file.path}: {url} does not answer")
            return facts
        if found.bytes not in (None, facts["bytes"]):
            raise self.changed(url, f"{found.bytes} bytes, not {facts['bytes']}")
        # One of the two is enough: servers that share an address may give different ETags, mirrors different dates.
        marks = ("etag", "last_modified")
        return facts if any(facts[mark] and facts[mark] == getattr(found, mark) for mark in marks) else None

    def whole(self, facts: dict) -> bool:
        """Whether a file, or what was unpacked from it, is there as it was recorded."""
        for member in facts.get("members", [facts]):
            path = self.folder / member["path"]
            if not path.is_file() or path.stat().st_size != member["bytes"] or files.sha256(path) != member["sha256"]:
                return False
        return True

    def changed(self, url: str, how: str) -> InputError:
        problem = f"has changed under the same release name: {how}; the retrieved file is kept"
        return InputError(url, problem, f"pin it as a release of its own, or delete {self.folder} to take the new one")

    def renew(self, file: File, url: str, target: Path, task: int) -> dict:
        """Transfer a file, check it and give it its name."""
        expected_md5, most_records = self.published_md5(file), self.published_records(file)
        part = part_of(target)
        for tries_left in reversed(range(1 if local_path(url) else TRIES)):
            came = self.transfer(url, part, task)
            try:
                records = integrity.check(file, part, url, came.bytes, expected_md5)
                break
            except Damaged as error:
                discard(part)
                if not tries_left:
                    raise
                self.meter.say(f"{error}; trying once more")
        marks = {"etag": came.etag, "last_modified": came.last_modified}
        facts = {"path": file.path, "url": url, "bytes": part.stat().st_size, "sha256": files.sha256(part)} | marks
        facts |= {} if records is None else {"records": records}
        try:
            self.compare(file, facts, most_records)
        except InputError:
            discard(part)
            raise
        if file.format == "blast_part" and file.path.endswith(ARCHIVE):
            facts |= {"members": self.unpack(part, target)}
            self.journal.add(facts)
            discard(part)
        else:
            # Recorded first: what is killed in between is a whole part, not a file of unknown origin.
            self.journal.add(facts)
            os.replace(part, target)
            discard(part)
        return facts

    def transfer(self, url: str, part: Path, task: int) -> Version:
        def advance(number: int) -> None:
            self.meter.advance(task, number)

        if source := local_path(url):
            if not source.is_file():
                raise InputError(source, "does not exist", "check the base URL of this source")
            shutil.copyfile(source, part)
            advance(part.stat().st_size)
            return Version(url, source.stat().st_size, None, None)
        pool, stopped = self.pools.segments, self.pools.stopped
        return Transfer(self.client, pool, url, part, advance, self.meter.say, stopped).run()

    def compare(self, file: File, facts: dict, most_records: int | None) -> None:
        """InputError unless a file is the pinned one, and the one that was retrieved before."""
        if wrong := unlike(file, facts):
            raise InputError(facts["url"], f"has changed: {wrong}", "check the source, then pin it as another release")
        if most_records is not None and facts.get("records", 0) > most_records:
            problem = f"has {facts['records']:,} records, the release notes say {most_records:,}"
            raise InputError(facts["url"], problem, "check the source: it is of another release")
        earlier = self.journal.facts.get(file.path)
        if earlier and not file.sha256 and earlier["sha256"] != facts["sha256"]:
            raise self.changed(facts["url"], f"SHA-256 {facts['sha256']}, not {earlier['sha256']}")

    def published_md5(self, file: File) -> str | None:
        if file.md5_url is None:
            return None
        text = self.published(file.md5_url)
        return checksums.published_md5(text, Path(file.path).name, self.url(file.md5_url))

    def published_records(self, file: File) -> int | None:
        """How many records a file has at most, by the release notes. InputError if they are of another release."""
        if file.records_url is None:
            return None
        text, url = self.published(file.records_url), self.url(file.records_url)
        release, number = RELEASE.search(text), RECORDS.search(text)
        if not release or not number:
            raise InputError(url, "does not say which release it is of, and of how many sequences", "check the source")
        if not f"{release[1]}.0.".startswith(f"{self.release.version}."):
            raise InputError(url, f"is of release {release[1]}, not {self.release.version}", "check the release's URL")
        return int(number[1].replace(",", ""))

    def published(self, path: str) -> str:
        if (content := self.client.read(self.url(path))) is None:
            raise InputError(self.url(path), "cannot be read (there is none)", "check its URL in the lock")
        return content.decode("utf-8", errors="replace")

    def unpack(self, part: Path, target: Path) -> list[dict]:
        """Put the members of an archive beside it; {path relative to the folder, bytes, sha256} of each."""
        temporary, members = target.with_name(f".{target.name}.unpacked"), []
        shutil.rmtree(temporary, ignore_errors=True)
        with open_binary(part, target.suffix) as handle, tarfile.open(fileobj=handle, mode="r|") as archive:
            archive.extractall(temporary, filter="data")
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                final = target.parent / path.relative_to(temporary)
                final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, final)
                members.append(provenance.describe(final, self.folder))
        shutil.rmtree(temporary)
        return members


def described(file: File) -> dict:
    return {key: getattr(file, key) for key in DESCRIBED}


def unlike(file: File, facts: dict) -> str:
    """How a file differs from the pinned one; empty if it does not."""
    pinned = {"bytes": file.bytes, "sha256": file.sha256}
    return ", ".join(
        f"{key} {facts[key]}, pinned {value}" for key, value in pinned.items() if value not in (None, facts[key])
    )


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def discard(part: Path) -> None:
    """Remove a part, and the state of its transfer."""
    # Also what a killed process left when it wrote the state.
    files.beside(state_of(part))
    for path in (part, state_of(part)):
        path.unlink(missing_ok=True)
