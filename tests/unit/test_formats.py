"""Every format as a stream of FASTA: real files against other readers, broken ones, and the memory it takes."""

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

import pyarrow
import pytest
from Bio import AlignIO, SeqIO, bgzf
from real_data import from_data
from rnalm.errors import InputError
from rnalm.sequences.formats import fasta_text
from rnalm.sequences.stockholm import rfam_type

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/rfam"
TRNA = DEMO / "fasta_files/tRNA.fa.gz"
FLAT_FILES = ("biomol_ncRNA_RNase_MRP_RNA", "biomol_ncRNA_RNase_P_RNA", "lncrna", "sno-rna")
needs_blast = pytest.mark.skipif(shutil.which("blastdbcmd") is None, reason="BLAST+ is not installed")


def text_of(path, format):
    return b"".join(fasta_text(path, format)).decode()


def records_of(path, format):
    """(header without `>`, sequence) of each record, as Biopython reads the stream."""
    return [(r.description, str(r.seq)) for r in SeqIO.parse(StringIO(text_of(path, format)), "fasta")]


def error_of(path, format):
    with pytest.raises(InputError) as caught:
        text_of(path, format)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


# FASTA


def blocked(content):
    """BGZF by another library."""
    with tempfile.NamedTemporaryFile() as file:
        with bgzf.open(file.name, "wb") as writer:
            writer.write(content)
        return file.read()


def in_members(content):
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


COMPRESSED = {
    "gzip.fa.gz": gzip.compress,
    "members.fa.gz": in_members,
    "blocked.fa.gz": blocked,
    "blocked.fa.bgz": blocked,
    "zstd.fa.zst": lambda content: pyarrow.compress(content, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("name", ["plain.fa", *COMPRESSED])
def test_the_bytes_of_fasta_pass_untouched(tmp_path, name):
    content = gzip.decompress(TRNA.read_bytes()) * 10 + b"> \xe9 no UTF-8\r\n\r\nAC GU\x01"
    path = tmp_path / name
    path.write_bytes(COMPRESSED.get(name, bytes)(content))
    assert b"".join(fasta_text(path, "fasta")) == content


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_fasta_that_is_cut_anywhere(tmp_path, name):
    content = COMPRESSED[name](gzip.decompress(TRNA.read_bytes()) * 4)
    path = tmp_path / name
    # The last cut takes the end of blocked gzip and leaves whole blocks.
    for size in (10, len(content) // 3, len(content) - 1, len(content) - 28):
        path.write_bytes(content[:size])
        message = error_of(path, "fasta")
        assert message.startswith(f"{path}: is truncated or corrupt")


def test_a_format_that_is_none(tmp_path):
    with pytest.raises(InputError, match="unknown format 'genebank'; the nearest known one is 'genbank'"):
        fasta_text(tmp_path, "genebank")


@pytest.mark.parametrize("format", ["fasta", "stockholm", "genbank"])
def test_a_missing_file_and_a_folder(tmp_path, format):
    assert "does not exist" in error_of(tmp_path / "none", format)
    assert "is a folder" in error_of(tmp_path, format)


CHILD = """
import json, resource, sys
from rnalm.sequences.formats import fasta_text
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = sum(map(len, fasta_text(sys.argv[1], "fasta")))
print(json.dumps([total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


@pytest.mark.parametrize("name", ["long.fa", "long.fa.gz"])
def test_a_chromosome_on_one_line_takes_no_memory(tmp_path, name):
    size, path = 160_000_000, tmp_path / name
    with gzip.open(path, "wb", 1) if name.endswith("gz") else open(path, "wb") as handle:
        handle.write(b">chromosome\n")
        for _ in range(size // 1_000_000):
            handle.write(b"ACGTTGCAAC" * 100_000)
    done = subprocess.run([sys.executable, "-c", CHILD, path], capture_output=True, text=True, check=True)
    total, kibibytes = json.loads(done.stdout)
    assert total == size + len(">chromosome\n")
    assert kibibytes < 40_000


# Stockholm


def test_rows_of_stockholm_with_gaps_and_their_family():
    with gzip.open(DEMO / "Rfam.seed.gz", "rt") as handle:
        rows = [(row.id, str(row.seq)) for family in AlignIO.parse(handle, "stockholm") for row in family]
    read = records_of(DEMO / "Rfam.seed.gz", "stockholm")
    assert [(header.split()[0], sequence) for header, sequence in read] == rows
    assert len(read) == 3251
    assert read[0][0].split()[1:3] == ["RF00005", "tRNA"]


def test_rfam_seeds_as_released_agree_with_their_fasta_and_labels():
    seeds = records_of(from_data("rfam/Rfam.14.2.seed.gz"), "stockholm")
    fasta = records_of(from_data("rfam/Rfam.14.2.seed_sequences.fa.gz"), "fasta")
    ungapped = [(header.split()[0], sequence.replace("-", "")) for header, sequence in seeds]
    assert ungapped == [(header.split()[0], sequence) for header, sequence in fasta]
    with gzip.open(from_data("rfam/Rfam.14.2.seed_sequences.labels.tsv.gz"), "rt") as handle:
        labels = list(csv.DictReader(handle, delimiter="\t"))
    for (header, _), label in zip(seeds, labels, strict=True):
        assert header.split()[1:3] == [label["rfam_acc"], label["rfam_id"]]
        rna_type = rfam_type(label["type"])
        assert header.endswith(f" [rna_type={rna_type}]") == (rna_type is not None)


@pytest.mark.parametrize(
    ("kind", "rna_type"),
    [
        ("Gene; rRNA;", "rRNA"),
        ("Gene; sRNA", "sRNA"),
        ("Gene; antisense; ", "antisense"),
        ("Gene; snRNA; snoRNA; CD-box;", "snoRNA"),
        ("Gene; snRNA; snoRNA; scaRNA;", "scaRNA"),
        ("Gene; snRNA; splicing;", "snRNA"),
        ("Cis-reg; riboswitch;", "riboswitch"),
        ("Cis-reg;", "Cis-reg"),
        ("Intron;", "Intron"),
        ("Gene;", None),
        ("", None),
    ],
)
def test_types_of_rfam_families(kind, rna_type):
    assert rfam_type(kind) == rna_type


def test_a_row_of_other_gaps_only_is_still_a_record(tmp_path):
    path = tmp_path / "x.sto"
    path.write_text("# STOCKHOLM 1.0\none AC~GU_.\ntwo ~~.--__\n//\n")
    assert records_of(path, "stockholm") == [("one", "AC-GU--"), ("two", "-------")]


# GenBank


@pytest.mark.parametrize("name", FLAT_FILES)
def test_genbank_as_biopython_reads_it(name):
    path = from_data(f"ncbi/refseq_gbff/{name}.gbff")
    expected = []
    for record in SeqIO.parse(path, "genbank"):
        source = record.features[0].qualifiers
        (rna,) = [feature.qualifiers for feature in record.features if feature.type == "ncRNA"]
        (taxid,) = [name.removeprefix("taxon:") for name in source["db_xref"] if name.startswith("taxon:")]
        tags = f"[moltype={source['mol_type'][0]}] [rna_type={rna['ncRNA_class'][0]}] [taxid={taxid}]"
        expected.append((f"{record.id} {record.description.removesuffix('.')} {tags}", str(record.seq)))
    assert records_of(path, "genbank") == expected


def test_genbank_in_one_compressed_file_after_a_page_of_text(tmp_path):
    texts = [from_data(f"ncbi/refseq_gbff/{name}.gbff").read_text().rstrip("\n") + "\n" for name in FLAT_FILES]
    path = tmp_path / "all.seq.gz"
    path.write_bytes(gzip.compress("".join(["GBPRI1.SEQ   Genetic Sequence Data Bank\n\n", *texts]).encode()))
    read = records_of(path, "genbank")
    assert len(read) == 15
    assert sum(len(sequence) for _, sequence in read) == sum(
        len(record) for text in texts for record in SeqIO.parse(StringIO(text), "genbank")
    )


RECORD = """LOCUS       X1                        12 bp    {locus}     linear   PRI 22-JAN-2018
DEFINITION  A record
            of two lines.
ACCESSION   X1
VERSION     X1.1
FEATURES             Location/Qualifiers
     source          1..12
                     /mol_type="{locus}"
                     /db_xref="taxon:9606"
{features}ORIGIN
        1 acguacguac gu
//
"""


def feature(key, location, *qualifiers):
    lines = "".join(f"                     {qualifier}\n" for qualifier in qualifiers)
    return f"     {key:<16}{location}\n{lines}"


@pytest.mark.parametrize(
    ("features", "rna_type"),
    [
        (feature("ncRNA", "1..12", '/ncRNA_class="SRP_RNA"'), "SRP_RNA"),
        (feature("ncRNA", "1..12", '/ncRNA_class="other"'), "ncRNA"),
        (feature("rRNA", "<1..>12", '/product="16S ribosomal RNA"'), "rRNA"),
        (feature("precursor_RNA", "1..12") + feature("ncRNA", "2..5", '/ncRNA_class="miRNA"'), "precursor_RNA"),
        (feature("tRNA", "1..5") + feature("tRNA", "7..12"), None),
        (feature("tRNA", "complement(1..12)"), None),
        (feature("tRNA", "1..12") + feature("rRNA", "1..12"), None),
        (feature("CDS", "1..12"), None),
    ],
)
def test_the_rna_type_of_genbank_is_that_of_the_whole_record(tmp_path, features, rna_type):
    path = tmp_path / "x.gb"
    path.write_text(RECORD.format(locus="RNA", features=features))
    tag = f"[rna_type={rna_type}] " if rna_type else ""
    assert records_of(path, "genbank") == [
        (f"X1.1 A record of two lines [moltype=RNA] {tag}[taxid=9606]", "ACGUACGUACGU")
    ]


def broken_flat_files():
    whole = RECORD.format(locus="RNA", features="")
    return {
        "empty": ("", "holds no record"),
        "text": ("hello\n", "holds no record"),
        "fasta": (">a\nACGU\n", "holds no record"),
        "no end": (whole + whole.removesuffix("//\n"), "record X1: does not end in '//'"),
        "cut in a feature": (whole + whole[:300], "record X1: does not end in '//'"),
        "a record in a record": (whole.partition("ORIGIN")[0] + whole, "record X1: does not end in '//'"),
        "a letter lost": (whole.replace("ac gu", "ac g"), "record X1: has 11 of the 12 letters"),
        "no letters": (whole.replace("        1 acguacguac gu\n", ""), "record X1: has no sequence of its own"),
        "a lost LOCUS": (whole + whole.replace("LOCUS  ", "LUCAS  "), "has a line between records: 'LUCAS"),
        "no name": (re.sub("(ACCESSION|VERSION) .*\n", "", whole), "record X1: has no accession"),
        "a lost first LOCUS": (whole.replace("LOCUS  ", "LUCAS  ") + whole, "has a line between records: '//'"),
        "garbled": (whole.replace('/mol_type="RNA"', "mol_type"), "record X1: is no valid GenBank record"),
        "a length that is none": (whole.replace(" 12 bp", " ?? bp"), "record X1: has 12 of the ?? letters"),
    }


@pytest.mark.parametrize("name", broken_flat_files())
def test_broken_flat_files_end_in_one_line(tmp_path, name):
    content, problem = broken_flat_files()[name]
    path = tmp_path / "x.gb"
    path.write_text(content)
    assert problem in error_of(path, "genbank")


def test_truncated_compressed_flat_file(tmp_path):
    content = gzip.compress(RECORD.format(locus="RNA", features="").encode() * 500)
    path = tmp_path / "x.gb.gz"
    path.write_bytes(content[: len(content) // 2])
    assert "is truncated or corrupt: breaks off after" in error_of(path, "genbank")


# BLAST databases


@pytest.fixture
def database(tmp_path):
    """A copy of a real database that can be damaged."""
    folder = tmp_path / "nt mini"
    shutil.copytree(from_data("ncbi/blastdb_v5_nt_mini"), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder / "test_nucl"


def made_database(tmp_path, fasta, *options):
    (tmp_path / "in.fa").write_bytes(fasta)
    command = ["makeblastdb", "-in", tmp_path / "in.fa", "-dbtype", "nucl", *options]
    subprocess.run([*command, "-out", tmp_path / "db" / "made"], check=True, capture_output=True)
    return tmp_path / "db"


@needs_blast
def test_a_real_blast_database_against_its_fasta_and_its_taxids():
    folder = from_data("ncbi/blastdb_v5_nt_mini")
    titles = [line.split("\t") for line in (folder / "nt_mini.acc_taxid_len_title.tsv").read_text().splitlines()]
    sequences = [str(record.seq) for record in SeqIO.parse(folder / "nt_mini.blastdbcmd.fasta", "fasta")]
    headers = [f"{accession} {title.strip()} [taxid={taxid}]" for accession, taxid, _, title in titles]
    assert records_of(folder, "blastdb") == list(zip(headers, sequences, strict=True))
    assert [len(sequence) for sequence in sequences] == [int(length) for _, _, length, _ in titles]
    assert records_of(folder / "test_nucl", "blastdb") == records_of(folder, "blastdb")


FASTA = b">NR_1.1 one title\x01NR_2.1 second\nACGTACGTAA\n>X1.1 plain\nACGNNRYTT\n>lcl|mine of a lab\nACGT\n"


@needs_blast
def test_a_shared_sequence_comes_once_for_each_accession(tmp_path):
    assert records_of(made_database(tmp_path, FASTA, "-parse_seqids"), "blastdb") == [
        ("NR_1.1 one title [taxid=0]", "ACGTACGTAA"),
        ("NR_2.1 second [taxid=0]", "ACGTACGTAA"),
        ("X1.1 plain [taxid=0]", "ACGNNRYTT"),
        ("mine of a lab [taxid=0]", "ACGT"),
    ]


@needs_blast
def test_a_database_without_accessions_has_them_in_its_titles(tmp_path):
    assert [header for header, _ in records_of(made_database(tmp_path, FASTA), "blastdb")] == [
        "NR_1.1 one title NR_2.1 second [taxid=0]",
        "X1.1 plain [taxid=0]",
        "lcl|mine of a lab [taxid=0]",
    ]


@needs_blast
def test_a_database_of_several_volumes_and_one_of_version_4(tmp_path):
    for name, version in (("one", "5"), ("two", "5"), ("old", "4")):
        (tmp_path / name).mkdir()
        made_database(tmp_path / name, FASTA.replace(b"1 ", name.encode() + b" "), "-blastdb_version", version)
    both = ["-dblist", f"{tmp_path}/one/db/made {tmp_path}/two/db/made", "-dbtype", "nucl"]
    subprocess.run(["blastdb_aliastool", *both, "-out", "both", "-title", "both"], check=True, cwd=tmp_path)
    one, two = (records_of(tmp_path / name / "db", "blastdb") for name in ("one", "two"))
    assert records_of(tmp_path, "blastdb") == one + two
    assert len(records_of(tmp_path / "old" / "db", "blastdb")) == 3
    os.truncate(tmp_path / "two" / "db" / "made.nsq", 5)
    assert "two/db/made.nsq: has 5 of the" in error_of(tmp_path, "blastdb")


@needs_blast
def test_a_sequence_of_several_blocks(tmp_path):
    sequence = b"ACGTTGCAAC" * 400_000
    folder = made_database(tmp_path, b">long\n" + sequence + b"\n>short\nACGT\n")
    assert text_of(folder, "blastdb") == f">long [taxid=0]\n{sequence.decode()}\n>short [taxid=0]\nACGT\n"


@needs_blast
@pytest.mark.parametrize(
    ("kind", "kept", "problem"),
    [
        # blastdbcmd itself ends well on these three: with sequences of A only, with a title that is cut, with nothing.
        ("nsq", 2000, r"test_nucl\.nsq: has 2,000 of the 3,044 bytes of its index"),
        ("nin", 12, r"test_nucl\.nin: is truncated or corrupt"),
        ("nin", 40, r"test_nucl\.nin: is truncated or corrupt"),
        ("nhr", 1054, r"test_nucl\.nhr: has 1,054 of the 1,075 bytes of its index"),
        ("ndb", 100, "is no whole BLAST database"),
        ("ndb", None, "test_nucl"),
        ("nsq", None, "test_nucl"),
        ("nin", None, "test_nucl"),
    ],
)
def test_broken_databases_end_in_one_line(database, kind, kept, problem):
    file = database.with_suffix(f".{kind}")
    if kept is None:
        file.unlink()
    else:
        os.truncate(file, kept)
    with pytest.raises(InputError, match=problem) as caught:
        text_of(database, "blastdb")
    assert "\n" not in str(caught.value)
    assert "test_nucl" in str(caught.value)


def test_no_database_and_two(database, tmp_path):
    assert "is no BLAST nucleotide database" in error_of(tmp_path / "none", "blastdb")
    (tmp_path / "empty").mkdir()
    assert "is a folder without a BLAST nucleotide database" in error_of(tmp_path / "empty", "blastdb")
    shutil.copyfile(database.with_suffix(".ndb"), database.with_name("other.ndb"))
    assert "holds 2 BLAST nucleotide databases (other, test_nucl)" in error_of(database.parent, "blastdb")


def test_without_blast(database, monkeypatch):
    monkeypatch.setenv("PATH", str(database.parent))
    assert "blastdbcmd is not installed; install NCBI BLAST+" in error_of(database, "blastdb")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("printf '>a\\nACGT\\n'; echo out of memory >&2; exit 3", r"blastdbcmd ends with 3 \(out of memory\)"),
        ("printf '>a\\nACGT\\n'; kill -9 $$", "blastdbcmd ends with -9"),
        ("printf '>a\\nACGT\\n'", "is incomplete: 1 of its 11 records came"),
    ],
)
def test_a_stream_that_ends_early_is_an_error(database, tmp_path, monkeypatch, script, problem):
    stand_in(tmp_path, script, monkeypatch)
    with pytest.raises(InputError, match=problem):
        text_of(database, "blastdb")


def test_to_close_the_stream_ends_blastdbcmd(database, tmp_path, monkeypatch):
    stand_in(tmp_path, f"echo $$ > '{tmp_path}/pid'; while :; do echo '>a'; echo ACGT; done", monkeypatch)
    stream = fasta_text(database, "blastdb")
    assert next(stream).startswith(b">a\nACGT\n")
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def stand_in(folder, script, monkeypatch):
    """A blastdbcmd that knows its database and then does as told."""
    command = folder / "blastdbcmd"
    told = 'case "$*" in *-info) echo "	11 sequences; 12,143 total bases";'
    command.write_text(f"#!/bin/sh\n{told} ;; *) {script} ;; esac\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
