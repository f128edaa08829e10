"""Retrieval from a server that breaks off, stutters, changes and lies; and from a folder."""

import gzip
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.sequences import retrieve as library
from rnalm.sequences.releases import File, Release, load_release, local_path, resolve

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "config/releases.lock.yaml"
DEMO = ROOT / "resources/demo/rfam"
SSU = (DEMO / "fasta_files/SSU_bact.fa.gz").read_bytes()


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (name -> bytes) with ranges and ETags.

    breaks: how many more answers stop half way; refusals: how many more answers are a 503
    asked:  (method, name, Range header, status) of every request so far
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.breaks, self.refusals = {}, [], 0, 0
        self.url = f"http://127.0.0.1:{self.server_port}/pub"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        server, name = self.server, self.path.removeprefix("/pub/")
        wanted, content = self.headers.get("Range"), server.files.get(name)
        if server.refusals:
            server.refusals -= 1
            return self.reply(503, b"")
        if content is None:
            return self.reply(404, b"not here")
        etag, status, start = f'"{hashlib.md5(content).hexdigest()}"', 200, 0
        if wanted and self.headers.get("If-Range") == etag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            status = 206 if start < len(content) else 416
        headers = {"ETag": etag}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if status == 416:
            headers["Content-Range"] = f"bytes */{len(content)}"
        return self.reply(status, content[start:], headers)

    def reply(self, status, body, headers=()):
        self.server.asked.append((self.command, self.path.removeprefix("/pub/"), self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.breaks and status in (200, 206):
            self.server.breaks -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(library, "PAUSE", 0.01)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def release(*files):
    return Release("http://unused.invalid", "", "", files)


def fasta(path="a.fa.gz", **pinned):
    return File(path, "fasta", "corpus", **pinned)


def names(folder):
    """Files under their final names."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def test_a_download_is_whole_and_traceable(server, tmp_path):
    server.files = {"sub/a.fa.gz": SSU}
    (facts,) = library.retrieve(release(fasta("sub/a.fa.gz")), server.url, tmp_path)
    assert (tmp_path / "sub/a.fa.gz").read_bytes() == SSU
    assert facts == {
        "path": "sub/a.fa.gz",
        "url": f"{server.url}/sub/a.fa.gz",
        "etag": f'"{hashlib.md5(SSU).hexdigest()}"',
        "last_modified": None,
        "bytes": len(SSU),
        "sha256": hashlib.sha256(SSU).hexdigest(),
    }
    assert names(tmp_path) == ["a.fa.gz"]


def test_broken_transfers_continue_where_they_stopped(server, tmp_path):
    server.files, server.breaks = {"a.fa.gz": SSU}, 3
    library.retrieve(release(fasta()), server.url, tmp_path)
    assert (tmp_path / "a.fa.gz").read_bytes() == SSU
    starts = [int(wanted[6:-1]) for _, _, wanted, status in server.asked if status == 206]
    half = len(SSU) // 2
    assert starts[0] == half
    assert len(starts) == 3
    assert starts == sorted(starts)


def test_a_later_run_continues(server, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "ATTEMPTS", 1)
    server.files, server.breaks = {"a.fa.gz": SSU}, 1
    with pytest.raises(InputError, match="transfer broke"):
        library.retrieve(release(fasta()), server.url, tmp_path)
    assert names(tmp_path) == ["a.fa.gz.part"]
    library.retrieve(release(fasta()), server.url, tmp_path)
    assert (tmp_path / "a.fa.gz").read_bytes() == SSU
    assert server.asked[-1][2:] == (f"bytes={len(SSU) // 2}-", 206)


def test_a_whole_part_that_was_never_renamed_is_not_transferred_again(server, tmp_path, monkeypatch):
    server.files = {"a.fa.gz": SSU}
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(library, "decompress", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        library.retrieve(release(fasta()), server.url, tmp_path)
    assert names(tmp_path) == ["a.fa.gz.part"]
    library.retrieve(release(fasta()), server.url, tmp_path)
    assert [status for *_, status in server.asked] == [200, 416]
    assert (tmp_path / "a.fa.gz").read_bytes() == SSU


def test_a_file_that_changed_between_two_halves_starts_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "ATTEMPTS", 1)
    server.files, server.breaks = {"a.fa.gz": SSU}, 1
    with pytest.raises(InputError):
        library.retrieve(release(fasta()), server.url, tmp_path)
    new = gzip.compress(gzip.decompress(SSU)[:100_000])
    server.files = {"a.fa.gz": new}
    library.retrieve(release(fasta()), server.url, tmp_path)
    assert (tmp_path / "a.fa.gz").read_bytes() == new


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.files, server.refusals = {"a.fa.gz": SSU}, 2
    library.retrieve(release(fasta()), server.url, tmp_path)
    assert [status for *_, status in server.asked] == [503, 503, 200]


def test_an_unchanged_file_is_not_transferred_again(server, tmp_path):
    server.files = {"a.fa.gz": SSU}
    first = library.retrieve(release(fasta()), server.url, tmp_path)
    assert library.retrieve(release(fasta()), server.url, tmp_path) == first
    assert [method for method, *_ in server.asked] == ["GET", "HEAD"]
    (tmp_path / "a.fa.gz").write_bytes(b"damaged")
    assert library.retrieve(release(fasta()), server.url, tmp_path) == first
    assert (tmp_path / "a.fa.gz").read_bytes() == SSU


def wrong(pinned, content):
    return {
        "missing": ({}, None, "answers 404"),
        "empty": ({}, b"", "is empty"),
        "cut": ({}, content[:-200], "truncated or corrupt"),
        "damaged": ({}, content[:-8] + b"\0" * 8, "truncated or corrupt"),
        "page": ({}, b"<html>we moved</html>", "truncated or corrupt"),
        "size": ({"bytes": len(content) + 1}, content, "has changed: bytes"),
        "hash": ({"sha256": "0" * 64}, content, "has changed: sha256"),
        "md5": ({"md5_url": "sums.md5"}, content, "does not have the published MD5"),
        "no md5": ({"md5_url": "none.md5"}, content, "none.md5: cannot be read"),
    }[pinned]


@pytest.mark.parametrize("case", ["missing", "empty", "cut", "damaged", "page", "size", "hash", "md5", "no md5"])
def test_a_wrong_file_never_gets_its_final_name(server, tmp_path, case):
    pinned, content, problem = wrong(case, SSU)
    server.files = {"sums.md5": b"0123  a.fa.gz\n", "good.fa.gz": SSU} | (
        {} if content is None else {"a.fa.gz": content}
    )
    with pytest.raises(InputError, match=problem) as caught:
        library.retrieve(release(fasta("good.fa.gz"), fasta(**pinned)), server.url, tmp_path)
    assert "\n" not in str(caught.value)
    # What was finished before stays; nothing stands under the other name, nothing waits to be continued.
    assert names(tmp_path) == ["good.fa.gz"]


def test_the_published_md5_is_accepted(server, tmp_path):
    server.files = {"a.fa.gz": SSU, "a.fa.gz.md5": f"{hashlib.md5(SSU).hexdigest()}  a.fa.gz\n".encode()}
    library.retrieve(release(fasta(md5_url="a.fa.gz.md5")), server.url, tmp_path)
    assert names(tmp_path) == ["a.fa.gz"]


def test_an_old_file_survives_a_failed_renewal(server, tmp_path):
    server.files = {"a.fa.gz": SSU}
    library.retrieve(release(fasta()), server.url, tmp_path)
    server.files = {"a.fa.gz": SSU[:-100]}
    with pytest.raises(InputError):
        library.retrieve(release(fasta()), server.url, tmp_path)
    assert (tmp_path / "a.fa.gz").read_bytes() == SSU


def test_urls():
    elsewhere = File("a/b.fa.gz", "fasta", "corpus", url="https://other/x/b.fa.gz")
    assert resolve(release(), None, elsewhere) == "https://other/x/b.fa.gz"
    assert resolve(release(), "file:mirror/", elsewhere) == "file:mirror/a/b.fa.gz"
    assert resolve(release(), None, fasta()) == "http://unused.invalid/a.fa.gz"
    assert local_path("file:///data/x%20y.fa") == Path("/data/x y.fa")
    assert local_path("file:resources/x.fa") == Path("resources/x.fa")
    assert local_path("https://a/b") is None


def test_the_shipped_lock():
    content = yaml.safe_load(LOCK.read_text())
    for source, releases in content.items():
        for name in releases:
            found = load_release(LOCK, source, str(name))
            assert found.base_url.startswith(("https://", "file:"))
            for file in found.files:
                assert file.format in ("fasta", "stockholm", "archive")
                assert file.use in ("corpus", "task")
    assert {"rnacentral", "rfam", "nt", "ensembl"} <= set(content)


def run(*arguments, cwd=ROOT):
    command = [sys.executable, ROOT / "scripts/retrieve.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def refused(result, *words):
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert result.stderr.count("error: ") == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in last


@pytest.mark.parametrize("base", ["relative", "absolute"])
def test_the_stage_brings_the_demo_release(tmp_path, base):
    shutil.copytree(DEMO, tmp_path / "mirror")
    url = "file:mirror" if base == "relative" else (tmp_path / "mirror").as_uri()
    manifest = tmp_path / "resources/rfam/demo/manifest.json"
    arguments = ["--source", "rfam", "--release", "demo", "--lock", LOCK, "--base-url", url, "--manifest", manifest]
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert provenance.outputs(manifest, ".seed.gz")[0].read_bytes() == (DEMO / "Rfam.seed.gz").read_bytes()
    content = json.loads(manifest.read_text())
    assert content["counts"]["files"] == 12
    assert {file["sha256"] for file in content["notes"]["files"]} == {item["sha256"] for item in content["outputs"]}


def test_the_stage_refuses_in_one_line(tmp_path):
    common = ["--lock", LOCK, "--manifest", tmp_path / "out/manifest.json"]
    refused(run("--source", "rfan", "--release", "demo", *common), "releases.lock.yaml", "'rfan'", "'rfam'")
    refused(run("--source", "rfam", "--release", "demos", *common), "'demo'")
    mirror = tmp_path / "mirror"
    shutil.copytree(DEMO, mirror)
    (mirror / "fasta_files/U2.fa.gz").unlink()
    demo = ["--source", "rfam", "--release", "demo", "--base-url", mirror.as_uri(), *common]
    refused(run(*demo), "U2.fa.gz", "does not exist")
    shutil.copy(DEMO / "fasta_files/U1.fa.gz", mirror / "fasta_files/U2.fa.gz")
    refused(run(*demo), "U2.fa.gz", "has changed")
    assert not (tmp_path / "out/manifest.json").exists()
    assert not (tmp_path / "out/fasta_files/U2.fa.gz").exists()
    assert not list(tmp_path.glob("out/**/*.part"))


def test_progress_is_plain_lines_in_a_log(server, tmp_path, capsys):
    server.files = {"a.fa.gz": SSU}
    library.retrieve(release(fasta()), server.url, tmp_path)
    assert capsys.readouterr().err == f"a.fa.gz: {len(SSU):,} bytes\n"
