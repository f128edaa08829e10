"""Listings of files that mislead: species tables, volumes of a BLAST database."""

import gzip
import hashlib

import mirrors
import pytest
from faulty_server import Always, Instead
from retrieval import LOCK
from rnalm.errors import InputError
from rnalm.sequences import retrieve
from rnalm.sequences.releases import File, Release, load_release


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
