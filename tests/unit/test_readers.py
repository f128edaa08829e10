"""FASTA as it comes: every header form, every wrapping, every compression, and every way to be broken."""

import bz2
import gzip
import lzma
from pathlib import Path

import needletail
import pyarrow
import pytest
from real_data import from_data
from rnalm.errors import InputError
from rnalm.sequences.readers import FastaRecord, read_fasta

ROOT = Path(__file__).parents[2]
DEMO = sorted((ROOT / "resources/demo/rfam/fasta_files").glob("*.fa.gz"))
TRNA = next(path for path in DEMO if path.name == "tRNA.fa.gz")


def error_of(path):
    with pytest.raises(InputError) as caught:
        list(read_fasta(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def oracle(path):
    """needletail's reading of a file; it shares no code with ours."""
    return [(record.id.strip(), record.seq) for record in needletail.parse_fastx_file(str(path))]


def ours(path):
    return [(f"{r.accession} {r.description}".strip(), r.sequence) for r in read_fasta(path)]


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.name)
def test_demo_files_read_as_by_another_parser(path):
    assert ours(path) == oracle(path)


@pytest.mark.parametrize("name", ["rnacentral/rnacentral_active.sample.fasta", "rfam/mrum-genome.fa.gz"])
def test_real_files_read_as_by_another_parser(name):
    path = from_data(name)
    assert ours(path) == oracle(path)


def test_old_ncbi_headers():
    path = from_data("ncbi/fungi-ssu.r100.fa")
    records = list(read_fasta(path))
    assert len(records) == 100
    assert records[0].accession == "KC674542.1"
    assert records[0].description.startswith("Uncultured fungus clone nco131c09c1 18S ribosomal RNA gene")
    assert not any("|" in record.accession for record in records)


@pytest.mark.parametrize("width", [50, 60, 70, 80, 10_000])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_wrapping_and_line_ends_change_nothing(tmp_path, width, newline):
    records = list(read_fasta(TRNA))[:50]
    path = tmp_path / "wrapped.fa"
    with open(path, "w", newline="") as handle:
        for record in records:
            lines = [record.sequence[i : i + width] for i in range(0, len(record.sequence), width)]
            handle.write(newline.join([f">{record.accession} {record.description}", *lines, ""]))
    assert list(read_fasta(path)) == records


@pytest.mark.parametrize("suffix", [".fa", ".fa.gz", ".fa.bgz", ".fa.zst"])
def test_compressions(tmp_path, suffix):
    content = gzip.decompress(TRNA.read_bytes())
    half = content.index(b"\n>", len(content) // 2) + 1
    path = tmp_path / f"x{suffix}"
    if suffix in (".fa.gz", ".fa.bgz"):
        # Blocked gzip is many members one after another.
        path.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))
    elif suffix == ".fa.zst":
        path.write_bytes(pyarrow.compress(content, codec="zstd", asbytes=True))
    else:
        path.write_bytes(content)
    assert list(read_fasta(path)) == list(read_fasta(TRNA))


@pytest.mark.parametrize(
    ("header", "accession", "description"),
    [
        (b">URS00008314B2 rRNA from 13 species", "URS00008314B2", "rRNA from 13 species"),
        (b"> id with a space first", "id", "with a space first"),
        (b">id\ttab", "id", "tab"),
        ("> URS1 str. KOVÁČIK 1990/54".encode(), "URS1", "str. KOVÁČIK 1990/54"),
        (b">X1 Universit\xe4t", "X1", "Universität"),
        (b">gi|631252343|ref|NR_113541.1| Bacillus 16S", "NR_113541.1", "Bacillus 16S"),
        (b">gb|KC674542.1| 18S", "KC674542.1", "18S"),
        (b">X17276.1 first title\x01X17277.1 second", "X17276.1", "first title\x01X17277.1 second"),
        (b">lcl|mine", "lcl|mine", ""),
    ],
)
def test_headers(tmp_path, header, accession, description):
    path = tmp_path / "x.fa"
    path.write_bytes(header + b"\nGGAU\nCC\n")
    assert list(read_fasta(path)) == [FastaRecord(accession, description, "GGAUCC")]


def test_a_file_with_a_byte_order_mark_and_blank_lines(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(b"\xef\xbb\xbf>a\n\nGG\n\nAU\n\n")
    assert [record.sequence for record in read_fasta(path)] == ["GGAU"]


@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz"])
def test_an_empty_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    assert "is empty" in error_of(path)


def test_a_missing_file(tmp_path):
    assert "does not exist" in error_of(tmp_path / "none.fa")


@pytest.mark.parametrize(
    "content", ["hello world\n", "<!DOCTYPE html>\n", "@read\nACGT\n+\nIIII\n", "# STOCKHOLM 1.0\n"]
)
def test_no_fasta_at_all(tmp_path, content):
    path = tmp_path / "x.fa"
    path.write_text(content)
    assert "is not FASTA" in error_of(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_whose_name_does_not_say_so(tmp_path, pack):
    path = tmp_path / "x.fa"
    path.write_bytes(pack(b">a\nGGAU\n"))
    assert "x.fa: is compressed; let its name end in .gz or .zst" in error_of(path)


def test_a_header_without_sequence_is_a_truncated_download(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">first\nGGAU\n>second\n")
    assert "record second: has a header but no sequence" in error_of(path)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9999])
def test_truncated_gzip_names_the_last_whole_record(tmp_path, kept):
    content = TRNA.read_bytes()
    path = tmp_path / "cut.fa.gz"
    path.write_bytes(content[: int(kept * len(content))])
    message = error_of(path)
    assert "truncated or corrupt" in message
    assert "after record" in message


def test_corrupt_gzip(tmp_path):
    content = bytearray(TRNA.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "bad.fa.gz"
    path.write_bytes(content)
    error_of(path)


def test_plain_text_named_gz_and_truncated_zstd(tmp_path):
    path = tmp_path / "plain.fa.gz"
    path.write_text(">a\nGGAU\n")
    assert "truncated or corrupt" in error_of(path)
    path = tmp_path / "cut.fa.zst"
    path.write_bytes(pyarrow.compress(gzip.decompress(TRNA.read_bytes()), codec="zstd", asbytes=True)[:-100])
    assert "truncated or corrupt" in error_of(path)


def test_one_line_of_several_million_letters(tmp_path):
    path = tmp_path / "long.fa"
    path.write_text(">chromosome\n" + "ACGT" * 1_000_000 + "\n>next\nGG\n")
    assert [len(record.sequence) for record in read_fasta(path)] == [4_000_000, 2]
