"""Retrieval from a server that breaks off, stutters, changes and lies: success after all, or one line."""

import gzip
import hashlib
import os
import random

import mirrors
import pytest
from faulty_server import Always, Drop, Instead, NoRanges, Refuse, Slow, WrongLength
from retrieval import LOCK, NAME, SSU, fasta, fetch, names, ranges, release
from rnalm.errors import InputError
from rnalm.sequences import retrieve, transfer
from rnalm.sequences.releases import load_release


def test_a_large_file_comes_in_segments(server, tmp_path, small_segments):
    server.files = {NAME: SSU}
    fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == SSU
    starts = range(0, len(SSU), 4096)
    assert sorted(ranges(server)) == sorted(f"bytes={n}-{min(n + 4096, len(SSU)) - 1}" for n in starts)[: len(starts)]


@pytest.mark.parametrize(
    "faults",
    [
        [Drop(5000), Drop(0), Drop(3000)],
        [Drop(5000), NoRanges()],
        [Drop(0)] * 4,
        [NoRanges(Drop(100))],
        [NoRanges(WrongLength(10))],
        [NoRanges(WrongLength(-10))],
        [Refuse(503)] * 2,
        [Refuse(429), Drop(1), Refuse(500), Refuse(502), Drop(1)],
        [WrongLength(10)],
        [WrongLength(-10)],
        [Instead(SSU[:-200])],
        [Instead(SSU[:-8] + bytes(8))],
        [Instead(b"<html>maintenance</html>")],
        [Slow(4000, 0.001)],
    ],
    ids=lambda faults: "-".join(type(fault).__name__ for fault in faults),
)
@pytest.mark.parametrize("segment", [4096, 64 << 20], ids=["segments", "whole"])
def test_what_breaks_on_the_way_is_made_good(server, tmp_path, monkeypatch, faults, segment):
    monkeypatch.setattr(transfer, "SEGMENT", segment)
    server.files, server.faults = {NAME: SSU}, {NAME: list(faults)}
    (facts,) = fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == SSU
    assert facts["sha256"] == hashlib.sha256(SSU).hexdigest()
    assert server.faults[NAME] == []
    assert names(tmp_path) == [NAME]


def test_a_broken_transfer_continues_where_it_stopped(server, tmp_path):
    server.files, server.faults = {NAME: SSU}, {NAME: [Drop(5000), Drop(3000)]}
    fetch(server, tmp_path)
    starts = [int(asked.range[6:].split("-")[0]) for asked in server.asked]
    assert starts == [0, 5000, 8000]


def test_a_server_without_ranges_is_asked_once_for_all(server, tmp_path, small_segments):
    server.files, server.faults = {NAME: SSU}, {NAME: [Always(NoRanges())]}
    fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == SSU
    assert [asked.status for asked in server.asked] == [200]


def test_faults_everywhere(server, databases, tmp_path, monkeypatch, small_segments):
    """Every third answer of a server with many files fails in some way."""
    monkeypatch.setattr(transfer, "SEGMENT", 700)
    server.serve(databases / f"ensembl/{mirrors.VERTEBRATES}")
    rng = random.Random(1)
    kinds = (Drop(100), Refuse(503), Refuse(429), WrongLength(5), None, None, None, None, None)
    server.faults = {path: rng.choices(kinds, k=12) for path in server.files}
    found = retrieve.retrieve(load_release(LOCK, "ensembl", "109"), server.url, tmp_path)
    assert len(found.outputs) == 4
    for path in found.outputs:
        assert (tmp_path / path).read_bytes() == server.files[path]


# Faults that end in one line


def wrong(case, content):
    """(what is pinned, the file or None, the complaint)"""
    return {
        "missing": ({}, None, "answers 404"),
        "empty": ({}, b"", "is empty"),
        "cut": ({}, content[:-200], "truncated or corrupt"),
        "damaged": ({}, content[:-8] + b"\0" * 8, "truncated or corrupt"),
        "page": ({}, b"<html>we moved</html>", "truncated or corrupt"),
        "packed page": ({}, gzip.compress(b"<html>we moved</html>"), "is no fasta: it begins with b'<html>"),
        "size": ({"bytes": len(content) + 1}, content, "has changed: bytes"),
        "hash": ({"sha256": "0" * 64}, content, "has changed: sha256"),
        "md5": ({"md5_url": "sums.md5"}, content, "does not have the published MD5"),
        "no md5": ({"md5_url": "none.md5"}, content, "none.md5: cannot be read"),
        "md5 of others": ({"md5_url": "others.md5"}, content, "others.md5: holds no MD5 of a.fa.gz"),
        "sum": ({"bsd_sum": (1, 21)}, content, "not the published 1 21"),
        "records": ({"records_url": "notes.txt"}, content, "has 93 records, the release notes say 92"),
        "other notes": ({"records_url": "old.txt"}, content, "is of release 25, not 26.0"),
        "no notes": ({"records_url": "sums.md5"}, content, "does not say which release it is of"),
    }[case]


CASES = ["missing", "empty", "cut", "damaged", "page", "packed page", "size", "hash", "md5", "no md5", "md5 of others"]
NOTES = "RNAcentral Release {}, 01/01/2025\nThis release consists of 92 unique RNA sequences with 1 cross-references"


@pytest.mark.parametrize("case", [*CASES, "sum", "records", "other notes", "no notes"])
def test_a_wrong_file_never_gets_its_final_name(server, tmp_path, case):
    pinned, content, problem = wrong(case, SSU)
    server.files = {
        "sums.md5": f"{'0' * 32}  {NAME}\n".encode(),
        "others.md5": f"{'0' * 32}  other.gz\n".encode(),
        "notes.txt": NOTES.format(26).encode(),
        "old.txt": NOTES.format(25).encode(),
        "good.fa.gz": SSU,
    } | ({} if content is None else {NAME: content})
    with pytest.raises(InputError, match=problem) as caught:
        files = fasta("good.fa.gz"), fasta(**pinned)
        retrieve.retrieve(release(*files, version="26.0"), server.url, tmp_path)
    assert "\n" not in str(caught.value)
    # What was finished before stays; nothing stands under the other name, nothing waits to be continued.
    assert names(tmp_path) == ["good.fa.gz"]


@pytest.mark.parametrize("fault", [Drop(0), NoRanges(Drop(5)), NoRanges(WrongLength(7)), Refuse(503), Refuse(403)])
def test_a_server_that_never_recovers_is_given_up_in_one_line(server, tmp_path, fault):
    server.files, server.faults = {"a.fasta": b">a\nACGT\n"}, {"a.fasta": [Always(fault)]}
    with pytest.raises(InputError, match=r"a\.fasta: ") as caught:
        fetch(server, tmp_path, fasta("a.fasta"))
    assert "\n" not in str(caught.value)
    assert "a.fasta" not in names(tmp_path)


def test_the_published_md5_is_accepted(server, tmp_path):
    server.files = {NAME: SSU, "a.fa.gz.md5": f"{hashlib.md5(SSU).hexdigest()}  a.fa.gz\n".encode()}
    fetch(server, tmp_path, fasta(md5_url="a.fa.gz.md5"))
    assert names(tmp_path) == [NAME]


def test_a_full_disk_is_one_line_and_nothing_is_lost(server, tmp_path, monkeypatch, small_segments):
    server.files, before = {NAME: SSU}, os.pwrite

    def full(handle, chunk, position):
        if position > 10_000:
            raise OSError(28, "No space left on device")
        return before(handle, chunk, position)

    with monkeypatch.context() as disk:
        disk.setattr(transfer.os, "pwrite", full)
        with pytest.raises(InputError, match="does not fit on the disk; make room and run again"):
            fetch(server, tmp_path)
    asked = len(server.asked)
    fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == SSU
    assert len(server.asked) - asked < asked


def test_two_retrievals_do_not_write_into_one_folder(server, tmp_path):
    server.files = {NAME: SSU}
    with retrieve.exclusive(tmp_path), pytest.raises(InputError, match="by another process"):
        fetch(server, tmp_path)
