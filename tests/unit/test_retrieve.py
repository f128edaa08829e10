"""Retrieval from a server that breaks off, stutters, changes and lies; from a folder; killed and run again."""

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mirrors
import pytest
import yaml
from faulty_server import Always, Drop, FaultyServer, Instead, NoRanges, Refuse, Slow, WrongLength
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.sequences import checksums, progress, retrieve, transfer
from rnalm.sequences.releases import File, Release, load_lock, load_release, local_path, resolve

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "config/releases.lock.yaml"
DEMO = ROOT / "resources/demo/rfam"
SSU = (DEMO / "fasta_files/SSU_bact.fa.gz").read_bytes()
NAME = "a.fa.gz"
# (source, release of the shipped lock, where it lies on the mirrors, the corpus's files or databases)
RELEASES = (
    ("rnacentral", "26.0", "rnacentral/releases/26.0", ["sequences/rnacentral_active.fasta.gz"]),
    ("rnacentral", "26.0-mirbase", "rnacentral/releases/26.0", ["sequences/by-database/mirbase.fasta"]),
    ("rfam", "15.1", "rfam/15.1", ["fasta_files/Rfam.fa.gz"]),
    ("rfam", "15.1-small", "rfam/15.1", ["fasta_files/RF00002.fa.gz", "fasta_files/RF00162.fa.gz"]),
    (
        "ensembl",
        "109",
        f"ensembl/{mirrors.VERTEBRATES}",
        [
            "fasta/caenorhabditis_elegans/ncrna/Caenorhabditis_elegans.WBcel235.ncrna.fa.gz",
            "fasta/homo_sapiens/ncrna/Homo_sapiens.GRCh38.ncrna.fa.gz",
            "fasta/mus_musculus/ncrna/Mus_musculus.GRCm39.ncrna.fa.gz",
        ],
    ),
    (
        "ensembl",
        "109-small",
        f"ensembl/{mirrors.VERTEBRATES}",
        ["fasta/caenorhabditis_elegans/ncrna/Caenorhabditis_elegans.WBcel235.ncrna.fa.gz"],
    ),
    (
        "ensembl_bacteria",
        "56",
        f"genomes/{mirrors.BACTERIA}",
        [
            "fasta/bacteria_0_collection/escherichia_coli_str_k_12_substr_mg1655_gca_000005845/ncrna/"
            "Escherichia_coli_str_k_12_substr_mg1655_gca_000005845.ASM584v2.ncrna.fa.gz"
        ],
    ),
    ("nt", "fasta-2024", "ncbi/blast/db/FASTA", ["nt.gz"]),
    ("nt", mirrors.BLAST_DATE, "ncbi/blast/db", ["nt"]),
    ("refseq", "GCF_000002985.6_WBcel235", f"ncbi/{mirrors.WORM}", ["GCF_000002985.6_WBcel235_rna.fna.gz"]),
)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE", 0.001)


@pytest.fixture
def server():
    with FaultyServer() as server:
        yield server


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    """A folder with a mirror of every database."""
    folder = tmp_path_factory.mktemp("databases")
    mirrors.write(folder)
    return folder


def release(*files, **known):
    return Release("http://unused.invalid", "", "", files, **known)


def fasta(path=NAME, **pinned):
    return File(path, "fasta", "corpus", **pinned)


def names(folder):
    """Files under their final names."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def fetch(server, folder, *files):
    return retrieve.retrieve(release(*(files or [fasta()])), server.url, folder).files


def ranges(server):
    return [asked.range for asked in server.asked]


# What comes


def test_a_download_is_whole_and_traceable(server, tmp_path):
    server.files = {"sub/a.fa.gz": SSU}
    (facts,) = fetch(server, tmp_path, fasta("sub/a.fa.gz", rna_type="SSU", select="refseq_rna"))
    assert (tmp_path / "sub/a.fa.gz").read_bytes() == SSU
    assert facts.pop("last_modified").endswith("GMT")
    assert facts == {
        "path": "sub/a.fa.gz",
        "format": "fasta",
        "use": "corpus",
        "rna_type": "SSU",
        "select": "refseq_rna",
        "url": f"{server.url}/sub/a.fa.gz",
        "etag": f'"{hashlib.md5(SSU).hexdigest()}"',
        "bytes": len(SSU),
        "sha256": hashlib.sha256(SSU).hexdigest(),
        "records": gzip.decompress(SSU).count(b">"),
    }
    assert names(tmp_path) == ["a.fa.gz"]
    assert [asked.status for asked in server.asked] == [206]


@pytest.mark.parametrize(("source", "name", "place", "corpus"), RELEASES, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_shipped_releases_come_from_mirrors_of_their_databases(
    server, databases, tmp_path, source, name, place, corpus, scheme
):
    server.serve(databases)
    base_url = f"{server.url}/{place}" if scheme == "http" else (databases / place).as_uri()
    pinned = load_release(LOCK, source, name)
    found = retrieve.retrieve(pinned, base_url, tmp_path)
    assert [facts["path"] for facts in found.files if facts["use"] == "corpus"] == corpus
    for path in found.outputs:
        same = databases / place / path
        assert not same.is_file() or (tmp_path / path).read_bytes() == same.read_bytes()
    assert found.absent == (["ciona_savignyi"] if name == "109" else [])
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
    again = retrieve.retrieve(pinned, base_url, tmp_path)
    assert again == found


def test_volumes_become_one_database(server, databases, tmp_path):
    server.serve(databases / "ncbi/blast/db")
    found = retrieve.retrieve(load_release(LOCK, "nt", mirrors.BLAST_DATE), server.url, tmp_path)
    (database,) = [facts for facts in found.files if facts["format"] == "blastdb"]
    volumes = [f"nt.{number:03d}.{suffix}" for number in range(2) for suffix in ("nhr", "nin", "nsq")]
    assert set(found.outputs) == {"nt-nucl-metadata.json", "nt.nal", "nt.ndb", *volumes}
    assert (database["path"], database["use"], database["select"]) == ("nt", "corpus", "nt_titles")
    assert names(tmp_path) == sorted(found.outputs)


@pytest.mark.skipif(shutil.which("makeblastdb") is None, reason="needs NCBI BLAST+")
def test_a_blast_database_on_this_machine_can_be_read_after_retrieval(tmp_path):
    (tmp_path / "own").mkdir()
    records = gzip.decompress((DEMO / "fasta_files/U2.fa.gz").read_bytes())
    mirrors.blast_volume(tmp_path / "own", records)
    retrieve.retrieve(load_release(LOCK, "nt", "local-blast"), (tmp_path / "own").as_uri(), tmp_path / "here")
    command = ["blastdbcmd", "-db", tmp_path / "here/nt", "-entry", "all", "-outfmt", "%s"]
    read = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(read) == records.count(b">")


# Faults that end in success


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(transfer, "SEGMENT", 4096)


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


# A later run


def test_a_later_run_continues(server, tmp_path, small_segments):
    server.files = {NAME: SSU}
    server.faults = {NAME: [None, None, Always(Drop(0))]}
    with pytest.raises(InputError, match="transfer broke 5 times"):
        fetch(server, tmp_path)
    assert names(tmp_path) == [f"{NAME}.part"]
    server.faults, server.asked = {}, []
    fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == SSU
    assert len(server.asked) == -(-len(SSU) // 4096) - 2
    assert names(tmp_path) == [NAME]


def test_a_damaged_state_of_a_transfer_starts_again(server, tmp_path, small_segments):
    server.files, server.faults = {NAME: SSU}, {NAME: [None, None, Always(Drop(0))]}
    with pytest.raises(InputError):
        fetch(server, tmp_path)
    (tmp_path / f".{NAME}.part.json").write_text("{")
    server.faults, server.asked = {}, []
    fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == SSU
    assert len(server.asked) == -(-len(SSU) // 4096)


def test_a_whole_part_that_was_never_renamed_is_not_transferred_again(server, tmp_path, monkeypatch):
    server.files = {NAME: SSU}
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(retrieve.integrity, "check", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        fetch(server, tmp_path)
    assert names(tmp_path) == [f"{NAME}.part"]
    fetch(server, tmp_path)
    assert ranges(server)[1:] == ["bytes=0-0"]
    assert (tmp_path / NAME).read_bytes() == SSU


def test_a_file_that_changed_between_two_halves_starts_again(server, tmp_path, small_segments):
    server.files, server.faults = {NAME: SSU}, {NAME: [None, None, Always(Drop(0))]}
    with pytest.raises(InputError):
        fetch(server, tmp_path)
    new = gzip.compress(gzip.decompress(SSU)[:100_000])
    server.files, server.faults = {NAME: new}, {}
    fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == new


def test_an_unchanged_file_is_not_transferred_again(server, tmp_path):
    server.files = {NAME: SSU}
    first = fetch(server, tmp_path)
    assert fetch(server, tmp_path) == first
    assert ranges(server)[1:] == ["bytes=0-0"]
    (tmp_path / NAME).write_bytes(b"damaged")
    assert fetch(server, tmp_path) == first
    assert (tmp_path / NAME).read_bytes() == SSU


@pytest.mark.parametrize("answer", [Refuse(404), Refuse(403), Drop(0)], ids=["gone", "forbidden", "dead"])
def test_what_is_whole_stays_when_the_source_does_not_give_it_any_more(server, tmp_path, answer):
    server.files = {NAME: SSU}
    first = fetch(server, tmp_path)
    server.faults = {NAME: [Always(answer)]}
    assert fetch(server, tmp_path) == first


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_file_that_changes_under_the_same_name_is_an_error_and_the_old_one_stays(server, tmp_path, same_size, scheme):
    new = gzip.compress(gzip.decompress(SSU)[:100_000])
    # Stored, not packed: the same number of bytes whatever the letters.
    stored = (gzip.compress(letters * 500, 0) for letters in (b">a\nACGT\n", b">b\nACGT\n"))
    old, new = stored if same_size else (SSU, new)

    def bring(content):
        server.files = {NAME: content}
        (tmp_path / "mirror").mkdir(exist_ok=True)
        (tmp_path / "mirror" / NAME).write_bytes(content)
        base_url = server.url if scheme == "http" else (tmp_path / "mirror").as_uri()
        return retrieve.retrieve(release(fasta()), base_url, tmp_path / "here")

    first = bring(old)
    for _ in range(2):
        with pytest.raises(InputError, match=r"a.fa.gz: has changed under the same release name: .*pin it"):
            bring(new)
        assert (tmp_path / "here" / NAME).read_bytes() == old
        assert names(tmp_path / "here") == [NAME]
    assert bring(old) == first


def test_the_same_bytes_with_another_date_are_no_change(server, tmp_path, monkeypatch):
    server.files = {NAME: SSU}
    first = fetch(server, tmp_path)
    with FaultyServer() as other:
        other.files = {NAME: SSU}
        marks = transfer.version
        monkeypatch.setattr(
            transfer, "version", lambda reply, url: transfer.Version(url, marks(reply, url).bytes, '"other"', None)
        )
        (facts,) = fetch(other, tmp_path)
    assert facts["sha256"] == first[0]["sha256"]
    assert facts["etag"] == '"other"'


def test_a_newly_pinned_hash_replaces_the_file(server, tmp_path):
    server.files = {NAME: SSU}
    fetch(server, tmp_path)
    new = gzip.compress(gzip.decompress(SSU)[:100_000])
    server.files = {NAME: new}
    fetch(server, tmp_path, fasta(sha256=hashlib.sha256(new).hexdigest()))
    assert (tmp_path / NAME).read_bytes() == new


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


# Listings


def listed(server, folder, source, name, **changed):
    found = load_release(LOCK, source, name)
    files = tuple(File(**{**vars(file), **changed}) for file in found.files)
    return retrieve.retrieve(Release(**{**vars(found), "files": files}), server.url, folder)


@pytest.fixture
def vertebrates(server, databases):
    server.serve(databases / f"ensembl/{mirrors.VERTEBRATES}")
    return server


def test_patterns_take_some_species(vertebrates, tmp_path):
    found = listed(vertebrates, tmp_path, "ensembl", "109", only=("mus_*", "ciona_savignyi", "homo_sapiens"))
    assert [path.split("/")[1] for path in found.outputs[:-1]] == ["homo_sapiens", "mus_musculus"]
    assert found.absent == ["ciona_savignyi"]


@pytest.mark.parametrize(
    ("changed", "files", "said"),
    [
        ({"only": ("homo_sapien",)}, {}, "has no species 'homo_sapien'; the nearest one is 'homo_sapiens'"),
        (
            {},
            {"species_EnsemblVertebrates.txt": b"<html>moved</html>"},
            "is no table of species, it begins with '<html>",
        ),
        ({}, {"species_EnsemblVertebrates.txt": b"#name\tspecies\nx\t../../etc\n"}, "has a row without a species"),
        ({"only": ("ciona_savignyi",)}, {}, "none of 1 species has RNAs below fasta/"),
        ({}, {"fasta/ciona_savignyi/ncrna/X.ncrna.fa.gz": b""}, "fasta/ciona_savignyi/ncrna: has no CHECKSUMS"),
        ({}, {"fasta/homo_sapiens/ncrna/CHECKSUMS": b"1 2 README\n"}, "CHECKSUMS: names no file *.ncrna.fa.gz"),
        ({}, {"fasta/homo_sapiens/ncrna/CHECKSUMS": b"7 1 A.ncrna.fa.gz"}, "A.ncrna.fa.gz: the server answers 404"),
        (
            {},
            {"fasta/homo_sapiens/ncrna/CHECKSUMS": b"7 1 Homo_sapiens.GRCh38.ncrna.fa.gz"},
            "Homo_sapiens.GRCh38.ncrna.fa.gz: has the sum",
        ),
    ],
)
def test_a_table_of_species_that_misleads_is_one_line(vertebrates, tmp_path, changed, files, said):
    vertebrates.files |= files
    with pytest.raises(InputError) as caught:
        listed(vertebrates, tmp_path, "ensembl", "109", **changed)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"nt-nucl-metadata.json": mirrors.metadata(["nt.000.tar.gz"], "2026-01-31")},
            "is of 2026-01-31 now, pinned is",
        ),
        ({"nt-nucl-metadata.json": "{}"}, "does not describe a BLAST database"),
        ({"nt-nucl-metadata.json": "<html>"}, "does not describe a BLAST database"),
        ({"nt-nucl-metadata.json": mirrors.metadata(["..", "x"])}, "have no proper names"),
        ({"nt-nucl-metadata.json": mirrors.metadata([])}, "lists no files"),
        ({"nt.000.tar.gz.md5": f"{'0' * 32}  nt.000.tar.gz"}, "does not have the published MD5"),
        ({"nt.001.tar.gz": None}, "nt.001.tar.gz: the server answers 404"),
        ({"nt.001.tar.gz.md5": None}, "nt.001.tar.gz.md5: cannot be read"),
    ],
)
def test_volumes_that_mislead_are_one_line(server, databases, tmp_path, files, said):
    server.serve(databases / "ncbi/blast/db")
    for path, content in files.items():
        server.files[path] = content and content.encode()
    with pytest.raises(InputError) as caught:
        listed(server, tmp_path, "nt", mirrors.BLAST_DATE)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.part"))


def test_an_archive_without_a_database_is_refused(server, databases, tmp_path):
    server.serve(databases / "ncbi/blast/db")
    packed = gzip.compress(mirrors.archive({"readme": b"nothing"}))
    server.files |= {
        "nt-nucl-metadata.json": mirrors.metadata(["nt.000.tar.gz"]).encode(),
        "nt.000.tar.gz": packed,
        "nt.000.tar.gz.md5": hashlib.md5(packed).hexdigest().encode(),
    }
    with pytest.raises(InputError, match=r"has neither \.nal nor \.nin among its files"):
        listed(server, tmp_path, "nt", mirrors.BLAST_DATE)


def test_a_listing_that_moves_while_its_files_come_is_an_error(server, databases, tmp_path):
    server.serve(databases / "ncbi/blast/db")
    name = "nt-nucl-metadata.json"
    server.faults = {name: [None, Always(Instead(server.files[name] + b"\n"))]}
    with pytest.raises(InputError, match=r"nt-nucl-metadata\.json: has changed"):
        listed(server, tmp_path, "nt", mirrors.BLAST_DATE)


# Checksums


@pytest.mark.parametrize("content", [b"", b"a", b"\xff" * 70_000, SSU])
def test_the_sum_is_the_classic_one(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert checksums.bsd_sum(tmp_path / "x") == mirrors.bsd_sum(content)


def test_checksum_files_in_the_forms_of_their_writers():
    digest = "0123456789abcdefABCDEF0123456789"
    forms = (
        digest,
        f"{digest}  nt.gz\n",
        f"{digest} *nt.gz",
        f"{'0' * 32}  ./x\n{digest}  ./nt.gz\n",
        f"{digest}\tnt.gz\r\n",
    )
    assert {checksums.published_md5(form, "nt.gz", "here") for form in forms} == {digest.lower()}
    text = "00123    45 A.ncrna.fa.gz\n6 7\tB.ncrna.fa.gz\n8 9 ./C.fa.gz\r\nno sum\n"
    assert checksums.published_sums(text) == {"A.ncrna.fa.gz": (123, 45), "B.ncrna.fa.gz": (6, 7), "C.fa.gz": (8, 9)}


# The lock


def test_urls():
    elsewhere = File("a/b.fa.gz", "fasta", "corpus", url="https://other/x/b.fa.gz")
    assert resolve(release(), None, elsewhere) == "https://other/x/b.fa.gz"
    assert resolve(release(), "file:mirror/", elsewhere) == "file:mirror/a/b.fa.gz"
    assert resolve(release(), None, fasta()) == "http://unused.invalid/a.fa.gz"
    assert local_path("file:///data/x%20y.fa") == Path("/data/x y.fa")
    assert local_path("file:resources/x.fa") == Path("resources/x.fa")
    assert local_path("https://a/b") is None


def test_the_shipped_lock():
    found = load_lock(LOCK)
    sets = yaml.safe_load((ROOT / "resources/nt_rules.yaml").read_text())
    assert {"rnacentral", "rfam", "nt", "ensembl", "ensembl_bacteria", "refseq", "bprna"} <= set(found)
    for releases in found.values():
        for pinned in releases.values():
            assert {file.select for file in pinned.files} <= {None, *sets}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_uri": "file:x"}, "unknown key 'base_uri'; the nearest known key is 'base_url'"),
        ({"base_url": "ftp://x"}, "key 'base_url' is wrong"),
        ({"files": []}, "key 'files' is wrong"),
        ({"files": [{"path": "../x", "format": "fasta", "use": "corpus"}]}, "key 'files.0.path' is wrong"),
        ({"files": [{"path": "x", "format": "fata", "use": "corpus"}]}, "key 'files.0.format' is wrong"),
        ({"files": [{"path": "x", "use": "corpus"}]}, "key 'files.0.format' is missing"),
    ],
)
def test_a_mistake_in_the_lock_is_one_line(tmp_path, change, said):
    entry = {"base_url": "file:x", "note": "", "licence": "", "files": [vars(fasta()) | {"only": ["*"]}]}
    entry["files"] = [{"path": "x", "format": "fasta", "use": "corpus"}]
    (tmp_path / "lock.yaml").write_text(yaml.safe_dump({"rfam": {"1": entry | change}}))
    with pytest.raises(InputError) as caught:
        load_release(tmp_path / "lock.yaml", "rfam", "1")
    assert said in str(caught.value)
    assert "lock.yaml, rfam 1" in str(caught.value)


# The stage


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
    assert content["counts"] == {"files": 12, "bytes": sum(item["bytes"] for item in content["outputs"]), "absent": 0}
    assert {file["sha256"] for file in content["notes"]["files"]} == {item["sha256"] for item in content["outputs"]}
    assert content["notes"]["database"] == "rfam"


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


def test_killed_at_any_moment_and_run_again_the_bytes_are_the_same(server, databases, tmp_path):
    """Six kills of one retrieval at moments of a slow transfer; then it ends as if nothing had happened."""
    rng = random.Random(5)
    server.serve(databases / "ncbi/blast/db")
    server.files["nt-nucl-metadata.json"] = mirrors.metadata(["nt.000.tar.gz", "nt.001.tar.gz"]).encode()
    server.faults = {path: [Always(Slow(500, 0.01))] for path in server.files}
    arguments = ["--source", "nt", "--release", mirrors.BLAST_DATE, "--lock", LOCK, "--base-url", server.url]
    manifest = tmp_path / "out/manifest.json"
    command = [sys.executable, ROOT / "scripts/retrieve.py", *map(str, arguments), "--manifest", manifest]
    for _ in range(6):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1.0))
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        # What has a final name is whole at every moment.
        assert not killed or not manifest.exists() or provenance.verify(manifest) == []
    server.faults = {}
    result = run(*arguments, "--manifest", manifest)
    assert result.returncode == 0, result.stderr
    whole = retrieve.retrieve(load_release(LOCK, "nt", mirrors.BLAST_DATE), server.url, tmp_path / "whole")
    assert names(tmp_path / "out") == sorted([*whole.outputs, "manifest.json"])
    for path in whole.outputs:
        assert (tmp_path / "out" / path).read_bytes() == (tmp_path / "whole" / path).read_bytes()
    assert json.loads(manifest.read_text())["notes"]["files"] == whole.files
    hidden = [sorted(path.name for path in (tmp_path / run).glob(".*")) for run in ("out", "whole")]
    assert hidden[0] == hidden[1] == [".lock", retrieve.JOURNAL]


def test_progress_is_plain_lines_in_a_log(server, tmp_path, capsys, monkeypatch):
    server.files = {NAME: SSU}
    fetch(server, tmp_path)
    assert capsys.readouterr().err == f"a.fa.gz: {len(SSU):,} bytes\n"
    meter = progress.Meter()
    meter.files, meter.bytes = 3, 5_000_000
    monkeypatch.setattr(progress, "INTERVAL", 0)
    meter.tell()
    assert capsys.readouterr().err.startswith("0 of 3 files, 5.0 MB, ")
