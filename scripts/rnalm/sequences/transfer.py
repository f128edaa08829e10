"""Bytes from a URL to a part file: in several range requests at once, continued after anything that breaks.

A file is taken in segments. The first request asks for the first one; its answer tells the whole size, the version
(ETag, date) and whether the server knows ranges at all. The others follow in parallel, each only valid for the
same version (`If-Range`). Beside the part file stands which segments are whole, so that a killed transfer continues
with the missing ones, and one whose file changed on the server starts again. Without ranges, or without anything
that names a version, a file comes in one piece, anew each time.
`requests` asks again where a server was busy or not reached (429, 5xx, with its `Retry-After`); here is only what
breaks in the middle.
"""

import contextlib
import os
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
import urllib3

from rnalm import files
from rnalm.errors import InputError
from rnalm.sequences.releases import local_path

CHUNK = 1 << 20
SEGMENT = 64 << 20  # bytes
CONNECTIONS = 8  # at once, over all files
TIMEOUT = (30, 120)  # seconds to connect, and between two packets
ATTEMPTS = 5  # requests in a row without one new byte before a file is given up
PAUSE = 1.0  # seconds before the second attempt, doubled for each further one
RETRIED = (429, 500, 502, 503, 504)
TRANSFER_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


@dataclass(frozen=True)
class Version:
    """What a server says of a file: its URL, size in bytes, ETag and date; None where it says nothing."""

    url: str
    bytes: int | None
    etag: str | None
    last_modified: str | None

    @property
    def mark(self) -> str | None:
        """What stands for exactly these bytes. A weak ETag does not promise the same bytes."""
        return next((mark for mark in (self.etag, self.last_modified) if mark and not mark.startswith("W/")), None)


class Changed(Exception):
    """The server has another version than the one that was begun."""


class Broken(Exception):
    """An answer that broke off, or did not come: where to go on, and why."""

    def __init__(self, position: int, cause: Exception):
        super().__init__(reason(cause))
        self.position = position


class Client(threading.local):
    """One session per thread, as requests' sessions are not made to be shared."""

    def __init__(self):
        # Connections and reads that fail are repeated here, where it is known what came already.
        retry = urllib3.Retry(None, 0, 0, status=ATTEMPTS, status_forcelist=RETRIED, backoff_factor=PAUSE / 2)
        retry.raise_on_status = False
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
        # The file as it lies on the server, not compressed again on the way.
        self.session.headers["Accept-Encoding"] = "identity"

    def get(self, url: str, **headers) -> requests.Response:
        return self.session.get(url, headers=headers, stream=True, timeout=TIMEOUT)

    def read(self, url: str, attempts: int = ATTEMPTS) -> bytes | None:
        """The content of a small file; None if there is no such file. InputError if it cannot be read."""
        if source := local_path(url):
            return source.read_bytes() if source.is_file() else None
        for attempt in range(attempts):
            try:
                with self.get(url) as reply:
                    if reply.status_code == requests.codes.not_found:
                        return None
                    refuse(reply, url)
                    return reply.content
            except TRANSFER_ERRORS as error:
                broken = error
                time.sleep(PAUSE * 2**attempt)
        raise InputError(url, f"cannot be read ({reason(broken)})", "check the address and the network, then run again")

    def version(self, url: str) -> Version | None:
        """What the server says of a file; None if it cannot be reached or does not have it."""
        try:
            with self.get(url, Range="bytes=0-0") as reply:
                return version(reply, url) if reply.ok else None
        except TRANSFER_ERRORS:
            return None


def reason(error: Exception) -> str:
    """What broke a transfer, which the libraries wrap several times."""
    while causes := [cause for cause in (*error.args, getattr(error, "reason", None)) if isinstance(cause, Exception)]:
        error = causes[-1]
    return str(error)


def refuse(reply: requests.Response, url: str) -> None:
    if not reply.ok:
        raise InputError(url, f"the server answers {reply.status_code} {reply.reason}", "check the release's URL")


def version(reply: requests.Response, url: str) -> Version:
    if reply.status_code == requests.codes.partial_content:
        size = reply.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        size = reply.headers.get("Content-Length", "")
    size = int(size) if size.isdecimal() else None
    return Version(url, size, reply.headers.get("ETag"), reply.headers.get("Last-Modified"))


class Transfer:
    """One file on its way to `part`.

    client, pool: for its requests, and for the segments after the first; shared with other files
    advance:      called with the number of bytes that came, and negative ones that are void
    say:          called with a line about what broke
    stopped:      once it is set, the transfer ends at the next chunk
    """

    def __init__(self, client: Client, pool: Executor, url: str, part: Path, advance, say, stopped: threading.Event):
        self.client, self.pool, self.url, self.part = client, pool, url, part
        self.report, self.say, self.stopped = advance, say, stopped
        self.state, self.lock = state_of(part), threading.Lock()
        self.version, self.done, self.came = None, set(), 0

    def run(self) -> Version:
        """Bring the whole file; InputError if the server does not have it, or breaks off again and again."""
        for attempt in range(ATTEMPTS):
            self.advance(-self.came)
            try:
                return self.resume() or self.start()
            except (Broken, Changed, *TRANSFER_ERRORS) as error:
                broken = error
                self.say(f"{self.part.name}: transfer broke ({reason(error)})")
                if isinstance(error, Changed):
                    self.discard()
                time.sleep(PAUSE * 2**attempt)
        problem = f"transfer broke {ATTEMPTS} times ({reason(broken)})"
        raise InputError(self.url, problem, "run again, it continues where it broke off")

    def advance(self, number: int) -> None:
        with self.lock:
            self.came += number
        self.report(number)

    def resume(self) -> Version | None:
        """Bring the segments that an earlier transfer left out; None if there is nothing to continue."""
        known = (self.part.is_file() and files.read_state(self.state)) or {}
        if known.get("segment") != SEGMENT or known["version"]["url"] != self.url:
            return None
        self.version, self.done = Version(**known["version"]), set(known["done"])
        self.advance(sum(map(self.length, self.done)))
        if not self.missing():
            # Whole, but is it still what the server has?
            self.ask(0, 1).close()
        with open(self.part, "r+b") as handle, self.segments(handle.fileno(), self.missing()):
            return self.version

    def start(self) -> Version:
        """Bring the file from its first byte on."""
        self.discard()
        with self.client.get(self.url, Range=f"bytes=0-{SEGMENT - 1}") as reply:
            empty = reply.status_code == requests.codes.requested_range_not_satisfiable
            if not empty:
                refuse(reply, self.url)
            self.version = version(reply, self.url)
            with open(self.part, "wb") as handle:
                if reply.status_code == requests.codes.partial_content and self.version.bytes:
                    handle.truncate(self.version.bytes)
                    with self.segments(handle.fileno(), self.missing()[1:]):
                        self.segment(handle.fileno(), 0, reply)
                elif not empty:
                    self.write(handle.fileno(), reply, 0, None)
        return self.version

    @contextlib.contextmanager
    def segments(self, handle: int, numbers: list[int]):
        """Bring segments meanwhile. At the end wait for all of them; after an error, for those that are under way."""
        futures = [self.pool.submit(self.segment, handle, number) for number in numbers]
        try:
            yield
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def missing(self) -> list[int]:
        return [number for number in range(-(-self.version.bytes // SEGMENT)) if number not in self.done]

    def length(self, number: int) -> int:
        return min(SEGMENT, self.version.bytes - number * SEGMENT)

    def segment(self, handle: int, number: int, reply: requests.Response | None = None) -> None:
        """Bring one segment, continuing inside it; `reply` is the first answer if it is there already."""
        position, broken = number * SEGMENT, 0
        end = position + self.length(number)
        while position < end:
            before = position
            try:
                answer, reply = self.ask(position, end) if reply is None else reply, None
                with answer:
                    position = self.write(handle, answer, position, end)
            except Broken as error:
                position = error.position
                broken = 0 if position > before else broken + 1
                if broken == ATTEMPTS:
                    raise
                self.say(f"{self.part.name}: transfer broke ({error}), continuing")
                time.sleep(PAUSE * 2**broken)
        # On the disk before it counts as done.
        os.fdatasync(handle)
        with self.lock:
            self.done.add(number)
            if self.version.mark:
                state = {"segment": SEGMENT, "version": asdict(self.version), "done": sorted(self.done)}
                files.write_json(self.state, state)

    def ask(self, start: int, end: int) -> requests.Response:
        """The answer to a request for a range. Changed: the server has another version now; Broken: it gives none."""
        condition = {"If-Range": self.version.mark} if self.version.mark else {}
        try:
            reply = self.client.get(self.url, Range=f"bytes={start}-{end - 1}", **condition)
        except TRANSFER_ERRORS as error:
            raise Broken(start, error) from error
        found = version(reply, self.url)
        given = reply.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if reply.status_code == requests.codes.partial_content and given and found == self.version:
            return reply
        reply.close()
        if reply.ok or reply.status_code == requests.codes.requested_range_not_satisfiable:
            raise Changed("the file is another one now")
        if reply.status_code in RETRIED:
            raise Broken(start, requests.HTTPError(f"the server answers {reply.status_code} {reply.reason}"))
        refuse(reply, self.url)

    def write(self, handle: int, reply: requests.Response, position: int, end: int | None) -> int:
        """Write an answer's body from `position` on; the position after it."""
        try:
            for chunk in reply.raw.stream(CHUNK, decode_content=False):
                if self.stopped.is_set():
                    raise InputError(self.url, "transfer was stopped", "run again, it continues where it broke off")
                chunk = chunk if end is None else chunk[: end - position]
                os.pwrite(handle, chunk, position)
                position += len(chunk)
                self.advance(len(chunk))
        except TRANSFER_ERRORS as error:
            raise Broken(position, error) from error
        if end is not None and position < end:
            raise Broken(position, requests.ConnectionError("the answer ended early"))
        return position

    def discard(self) -> None:
        self.done = set()
        for path in (self.state, self.part):
            path.unlink(missing_ok=True)


def state_of(part: Path) -> Path:
    return part.with_name(f".{part.name}.json")
