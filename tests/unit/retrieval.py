"""What the tests of retrieval share: one file to bring, and how to ask for it."""

from pathlib import Path

from rnalm.sequences import retrieve
from rnalm.sequences.releases import File, Release

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "config/releases.lock.yaml"
DEMO = ROOT / "resources/demo/rfam"
SSU = (DEMO / "fasta_files/SSU_bact.fa.gz").read_bytes()
NAME = "a.fa.gz"


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
