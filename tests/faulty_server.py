"""A local HTTP server of files that breaks off, stutters, changes and lies on demand.

    with FaultyServer() as server:
        server.files["pub/a.fa.gz"] = content                  # or server.serve(folder)
        server.faults["pub/a.fa.gz"] = [Refuse(503), Drop(1000)]
        ... server.url, server.asked

A fault is used up by one answer, in order; `Always(fault)` is not. What is not in `files` is a 404.
Answers carry an ETag and a date of their content, and ranges are served, as by the databases' servers.
"""

import hashlib
import http.server
import re
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote


@dataclass(frozen=True)
class Refuse:
    """Answer with this status instead of the file."""

    status: int


@dataclass(frozen=True)
class Drop:
    """Announce the whole answer, send so many bytes of it, and hang up."""

    after: int


@dataclass(frozen=True)
class Instead:
    """Serve these bytes, as if they were the file: truncated, damaged, an error page."""

    content: bytes


@dataclass(frozen=True)
class WrongLength:
    """Announce so many bytes more than are sent, or fewer."""

    off: int


@dataclass(frozen=True)
class NoRanges:
    """Answer a request for a range with the whole file, with another fault on it."""

    fault: object = None


@dataclass(frozen=True)
class Slow:
    """Send in pieces of so many bytes, with a pause in seconds after each."""

    piece: int
    pause: float


@dataclass(frozen=True)
class Always:
    """A fault that is not used up."""

    fault: object


class Asked(NamedTuple):
    """A request as it was answered."""

    path: str
    range: str | None
    status: int


class FaultyServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = {}
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hangs up is what the tests want."""

    def serve(self, folder) -> None:
        """Serve all files below a folder."""
        for path in Path(folder).rglob("*"):
            if path.is_file():
                self.files[path.relative_to(folder).as_posix()] = path.read_bytes()

    def index(self, folder: str) -> list[str]:
        """What is in a folder; folders end in `/`."""
        below = [name.removeprefix(folder) for name in self.files if name.startswith(folder)]
        return sorted({"".join(name.partition("/")[:2]) for name in below})

    def fault(self, path: str):
        """The fault of the next answer, or None."""
        with self.lock:
            faults = self.faults.get(path)
            if not faults:
                return None
            return faults[0].fault if isinstance(faults[0], Always) else faults.pop(0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = unquote(self.path).lstrip("/")
        fault = self.server.fault(path)
        content = fault.content if isinstance(fault, Instead) else self.server.files.get(path)
        if isinstance(fault, Refuse):
            self.reply(path, fault.status, b"", {"Retry-After": "0"})
        elif content is not None:
            self.serve(path, content, fault)
        elif path.endswith("/") and (names := self.server.index(path)):
            self.reply(path, 200, "".join(f'<a href="{name}">{name}</a>\n' for name in names).encode(), {})
        else:
            self.reply(path, 404, b"not here", {})

    def serve(self, path: str, content: bytes, fault) -> None:
        digest = hashlib.md5(content).digest()
        # A date that depends on the content alone, within a day.
        date = formatdate(1_700_000_000 + int.from_bytes(digest[:2]), usegmt=True)
        marks = {"ETag": f'"{digest.hex()}"', "Last-Modified": date}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if isinstance(fault, NoRanges):
            return self.reply(path, 200, content, marks, fault.fault)
        if not wanted or condition not in (None, *marks.values()):
            return self.reply(path, 200, content, marks, fault)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if start >= len(content):
            return self.reply(path, 416, b"", marks | {"Content-Range": f"bytes */{len(content)}"})
        span = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
        return self.reply(path, 206, content[start : end + 1], marks | span, fault)

    def reply(self, path: str, status: int, body: bytes, headers: dict, fault=None) -> None:
        with self.server.lock:
            self.server.asked.append(Asked(path, self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        off = fault.off if isinstance(fault, WrongLength) else 0
        self.send_header("Content-Length", str(len(body) + off))
        self.end_headers()
        match fault:
            case Drop(after):
                self.wfile.write(body[:after])
            case Slow(piece, pause):
                for start in range(0, len(body), piece):
                    self.wfile.write(body[start : start + piece])
                    time.sleep(pause)
            case _:
                self.wfile.write(body)
        self.close_connection = isinstance(fault, Drop | WrongLength)
