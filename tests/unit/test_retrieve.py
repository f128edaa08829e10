"""Retrieval: what comes, what a later run does, and the stage, killed and run again."""

import gzip
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time

import mirrors
import pytest
from faulty_server import Always, Drop, FaultyServer, Refuse, Slow
from retrieval import DEMO, LOCK, NAME, ROOT, SSU, fasta, fetch, names, ranges, release
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.sequences import meter, retrieve, transfer
from rnalm.sequences.releases import load_release

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
    shown = meter.Meter()
    shown.files, shown.bytes = 3, 5_000_000
    monkeypatch.setattr(meter, "INTERVAL", 0)
    shown.tell()
    assert capsys.readouterr().err.startswith("0 of 3 files, 5.0 MB, ")
