"""What is newest, from servers that answer or do not; pinning a newer release in the lock."""

import json
import subprocess
import sys
from pathlib import Path

import mirrors
import pytest
import yaml
from faulty_server import Always, Drop, FaultyServer, Refuse
from rnalm import cli
from rnalm.errors import InputError
from rnalm.sequences import newest, transfer
from rnalm.sequences.newest import pin, standings
from rnalm.sequences.releases import load_lock, load_release
from rnalm.sequences.retrieve import retrieve

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "config/releases.lock.yaml"
PINNED = {
    "rnacentral": "26.0",
    "rfam": "15.1",
    "ensembl": "109",
    "ensembl_bacteria": "56",
    "nt": mirrors.BLAST_DATE,
    "refseq": "GCF_000002985.6_WBcel235",
}
NEWEST = PINNED | {"rnacentral": "27.0", "rfam": "15.2", "ensembl": "115", "ensembl_bacteria": "62"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The databases' mirrors; the lock's addresses are theirs, see `lock`."""
    monkeypatch.setattr(transfer, "PAUSE", 0.001)
    mirrors.write(tmp_path / "databases")
    with FaultyServer() as server:
        server.serve(tmp_path / "databases")
        yield server


@pytest.fixture
def lock(server, tmp_path):
    """The shipped lock with the test server in place of the databases'."""
    servers = {
        "https://ftp.ebi.ac.uk/pub/databases/RNAcentral": "rnacentral",
        "https://ftp.ebi.ac.uk/pub/databases/Rfam": "rfam",
        "https://ftp.ensembl.org": "ensembl",
        "https://ftp.ensemblgenomes.ebi.ac.uk": "genomes",
        "https://ftp.ncbi.nlm.nih.gov": "ncbi",
        "https://rest.ensembl.org": "rest",
    }
    text = LOCK.read_text()
    for address, folder in servers.items():
        text = text.replace(address, f"{server.url}/{folder}")
    (tmp_path / "lock.yaml").write_text(text)
    return tmp_path / "lock.yaml"


def by_source(found):
    return {standing.source: standing for standing in reversed(found)}


def test_every_database_is_compared_with_its_newest_release(lock):
    found = by_source(standings(lock))
    assert {source: found[source].newest for source in NEWEST} == NEWEST
    assert {source: found[source].pinned for source in PINNED} == PINNED
    assert {source for source in NEWEST if found[source].state == "behind"} == {
        "rnacentral",
        "rfam",
        "ensembl",
        "ensembl_bacteria",
    }
    assert found["nt"].state == found["refseq"].state == "newest"
    assert "bprna" not in found


def test_a_second_address_is_asked_when_the_first_does_not_say(server, lock):
    del server.files["ensembl/pub/VERSION"]
    server.files["genomes/pub/VERSION"] = b"<html>moved</html>"
    server.files["rest/info/data/?content-type=application/json"] = b'{"releases":[116]}'
    server.files["rest/info/eg_version?content-type=application/json"] = b'{"version":"63"}'
    found = by_source(standings(lock))
    assert (found["ensembl"].newest, found["ensembl_plants"].newest) == ("116", "63")


@pytest.mark.parametrize("fault", [Refuse(404), Refuse(503), Drop(0)])
def test_a_server_that_does_not_answer_is_named(server, lock, capsys, fault):
    server.faults["rfam/CURRENT/README"] = [Always(fault)]
    cli.main(["releases", "--lock", str(lock)])
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("rfam")]
    assert line.split()[1:3] == ["15.1", "?"]
    assert f"{server.url}/rfam/CURRENT/README" in line
    assert any(line.split() == ["rnacentral", "26.0", "27.0", "behind"] for line in lines)


def test_no_server_at_all_is_exit_code_1(server, lock, capsys):
    server.files.clear()
    with pytest.raises(SystemExit) as caught:
        cli.main(["releases", "--lock", str(lock), "--json"])
    assert caught.value.code == 1
    assert {standing["state"] for standing in json.loads(capsys.readouterr().out)} == {"unknown"}


def test_the_output_for_machines(lock, capsys, server):
    cli.main(["releases", "--lock", str(lock), "--json"])
    first = json.loads(capsys.readouterr().out)[0]
    assert first == {
        "source": "rnacentral",
        "pinned": "26.0",
        "version": "26.0",
        "newest": "27.0",
        "address": f"{server.url}/rnacentral/current_release/release_notes.txt",
        "problem": None,
        "state": "behind",
    }


@pytest.mark.parametrize(
    ("text", "database", "found"),
    [
        ("15\n", "ensembl", ["15"]),
        ('{"releases":[115]}', "ensembl", ["115"]),
        ('{"version": "62"}', "ensembl", ["62"]),
        ("<html>Error 404</html>", "ensembl", []),
        ("RNAcentral Release 26, 12/05/2025", "rnacentral", ["26"]),
        ("RNAcentral Release 26.1, 12/05/2025", "rnacentral", ["26.1"]),
        ("  Release 15.1\n", "rfam", ["15.1"]),
        ('"last-updated": "2026-07-19T03:10:00"', "nt", ["2026-07-19"]),
        ('<a href="GCF_000002985.6_WBcel235/">GCF...</a>', "refseq", ["GCF_000002985.6_WBcel235"]),
    ],
)
def test_how_databases_name_their_releases(text, database, found):
    assert newest.re.findall(newest.VERSIONS[database], text) == found


# Pinning


def test_a_newer_release_is_one_more_entry_and_nothing_else(lock):
    before, known = lock.read_text(), load_lock(lock)
    assert pin(lock, "rnacentral") == ["27.0"]
    lines, old = lock.read_text().splitlines(), before.splitlines()
    added = [line for line in lines if line not in old]
    assert added == [
        '  "27.0":',
        next(line for line in old if "releases/26.0" in line).replace("26.0", "27.0"),
        "    note: Made from 26.0 by rnalm releases --pin.",
    ]
    now = load_lock(lock)
    new = now["rnacentral"].pop("27.0")
    assert now == known
    assert new.version == "27.0"
    assert [file.path for file in new.files] == ["sequences/rnacentral_active.fasta.gz"]
    # Every line that was there is still there, in its order.
    rest = iter(lines)
    assert all(line in rest for line in old)
    assert by_source(standings(lock))["rnacentral"].state == "newest"


def test_a_new_day_of_nt_is_pinned_and_retrieved(server, lock, tmp_path):
    metadata = "ncbi/blast/db/nt-nucl-metadata.json"
    server.files[metadata] = server.files[metadata].replace(mirrors.BLAST_DATE.encode(), b"2026-11-05")
    with pytest.raises(InputError, match=r"is of 2026-11-05 now, pinned is 2023-04-26; .*--pin"):
        retrieve(load_release(lock, "nt", mirrors.BLAST_DATE), None, tmp_path / "old")
    assert pin(lock, "nt") == ["2026-11-05"]
    found = retrieve(load_release(lock, "nt", "2026-11-05"), None, tmp_path / "new")
    assert [facts["path"] for facts in found.files if facts["use"] == "corpus"] == ["nt"]


def test_a_new_assembly_changes_folder_and_files(server, lock):
    server.files[f"ncbi/{mirrors.WORM.replace('5.6_WBcel235', '5.10_WBcel300')}/x"] = b""
    # Of the two taxa, one has a newer assembly; once pinned, none has.
    assert [pin(lock, "refseq") for _ in range(2)] == [["GCF_000002985.10_WBcel300"], []]
    new = load_release(lock, "refseq", "GCF_000002985.10_WBcel300")
    assert new.base_url.endswith("/GCF/000/002/985/GCF_000002985.10_WBcel300")
    assert new.files[0].path == "GCF_000002985.10_WBcel300_rna.fna.gz"


def test_what_cannot_be_pinned_is_one_line(server, lock):
    before = lock.read_text()
    with pytest.raises(InputError, match="has no release of 'bprna' with a `newest` address"):
        pin(lock, "bprna")
    del server.files["rfam/CURRENT/README"]
    with pytest.raises(InputError, match="rfam: what is newest is not known"):
        pin(lock, "rfam")
    assert lock.read_text() == before


def test_sizes_and_hashes_of_the_old_files_are_not_taken_over(server, tmp_path):
    entry = """\
# All sources.
rfam:
  "15.1":  # the first
    base_url: URL/rfam/15.1
    newest: [../CURRENT/README]
    note: >-
      Release 15.1 of 2025,
      in two lines.
    licence: CC0-1.0
    files:
      # One file.
      - path: Rfam_15.1.fa.gz
        bytes: 15
        sha256: "HASH"
        format: fasta
        use: corpus

  # Another one.
  demo: {base_url: "file:x", note: n, licence: l, files: [{path: x, format: fasta, use: corpus}]}
"""
    (tmp_path / "lock.yaml").write_text(entry.replace("URL", server.url).replace("HASH", "0" * 64))
    assert pin(tmp_path / "lock.yaml", "rfam") == ["15.2"]
    text = (tmp_path / "lock.yaml").read_text()
    assert list(yaml.safe_load(text)["rfam"]) == ["15.1", "15.2", "demo"]
    new = yaml.safe_load(text)["rfam"]["15.2"]
    assert new == {
        "base_url": f"{server.url}/rfam/15.2",
        "newest": ["../CURRENT/README"],
        "note": "Made from 15.1 by rnalm releases --pin.",
        "licence": "CC0-1.0",
        "files": [{"path": "Rfam_15.2.fa.gz", "format": "fasta", "use": "corpus"}],
    }
    assert text.count("# One file.") == 2
    assert text.index("# Another one.") < text.index("demo:")


def test_the_check_as_a_stage(lock, tmp_path):
    manifest = tmp_path / "results/manifest.json"
    command = [sys.executable, ROOT / "scripts/check_releases.py", "--lock", lock, "--manifest", manifest]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((manifest.parent / "releases.json").read_text())
    assert found == [standing.content() for standing in standings(lock)]
    assert json.loads(manifest.read_text())["counts"]["unknown"] == 0
