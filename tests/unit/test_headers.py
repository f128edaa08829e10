"""What whole columns of headers say: every source's real forms, and nothing where they do not say it."""

import re
import string
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from Bio import SeqIO
from hypothesis import given
from hypothesis import strategies as st
from real_data import from_data
from rnalm.sequences import fasta, headers
from rnalm.sequences.formats import fasta_text
from rnalm.sequences.readers import read_fasta

ROOT = Path(__file__).parents[2]
FLAT_FILES = ("biomol_ncRNA_RNase_MRP_RNA", "biomol_ncRNA_RNase_P_RNA", "lncrna", "sno-rna")


def parse(lines, source):
    text = "".join(f">{line}\nA\n" for line in lines)
    records = fasta.parse(np.frombuffer(bytearray(text.encode()), np.uint8))
    return headers.parse(records.identifiers, records.descriptions, source)


def headers_of(path, format):
    lines = b"".join(fasta_text(path, format)).decode().split("\n")
    return pl.Series([line[1:] for line in lines if line.startswith(">")])


def said(header, source):
    """{column: value} of one header, without what is not known."""
    (row,) = parse(pl.Series([header]), source).rows(named=True)
    return {name: value for name, value in row.items() if value is not None}


def type_of(header, source):
    return said(header, source).get("rna_type")


@pytest.mark.parametrize(
    ("header", "accession", "description"),
    [
        ("URS00008314B2 rRNA from 13 species", "URS00008314B2", "rRNA from 13 species"),
        ("id", "id", ""),
        (" id with a space first", "id", "with a space first"),
        ("id\ttab", "id", "tab"),
        ("id carriage return\r", "id", "carriage return"),
        ("URS1 str. KOVÁČIK 1990/54", "URS1", "str. KOVÁČIK 1990/54"),
        ("KOVÁČIK\tstr.", "KOVÁČIK", "str."),
        ("gi|631252343|ref|NR_113541.1| Bacillus 16S", "NR_113541.1", "Bacillus 16S"),
        ("gb|KC674542.1| 18S", "KC674542.1", "18S"),
        ("ref|NR_1.1", "NR_1.1", ""),
        ("gb||X", "gb||X", ""),
        ("lcl|mine", "lcl|mine", ""),
        ("ENST00000364460.1|ENSG1|SNORD32B|snoRNA|", "ENST00000364460.1|ENSG1|SNORD32B|snoRNA|", ""),
        ("X17276.1 first title\x01X17277.1 second", "X17276.1", "first title\x01X17277.1 second"),
        ("X1\x01X2 second", "X1", "\x01X2 second"),
        ("", "", ""),
        (" \t", "", ""),
    ],
)
def test_header_forms(header, accession, description):
    assert said(header, "nt") == {"accession": accession, "description": description}


@given(st.lists(st.text(string.printable.replace("\n", "").replace("\r", "") + "é\x01| ", max_size=30), max_size=5))
def test_columns_say_what_the_reader_of_single_records_says(tmp_path_factory, lines):
    lines = [f"x{line}" for line in lines]
    path = tmp_path_factory.getbasetemp() / "headers.fa"
    path.write_text("".join(f">{line}\nACGU\n" for line in lines) + ">last\nACGU\n")
    columns = parse(pl.Series([*lines, "last"]), "rfam").select("accession", "description")
    assert columns.rows() == [(record.accession, record.description) for record in read_fasta(path)]


def test_no_headers_at_all():
    empty = parse(pl.Series([], dtype=pl.String), "rnacentral")
    assert empty.is_empty()
    assert empty.schema == parse(pl.Series(["URS0000005270_10090 x"]), "nt").schema
    assert empty.schema["taxid"] == pl.Int32


@pytest.mark.parametrize("source", ["rnacentral", "ensembl", "nt", "refseq", "rfam", "a laboratory"])
def test_tags_of_our_own_formats_stand_before_what_the_title_says(source):
    header = "NR_1.1 Homo sapiens X [organism=H] [moltype=transcribed RNA] [rna_type=SRP_RNA] [taxid=9606]"
    assert said(header, source) == {
        "accession": "NR_1.1",
        "description": "Homo sapiens X [organism=H]",
        "rna_type": "SRP_RNA",
        "taxid": 9606,
        "molecule_type": "transcribed RNA",
    }
    assert said("X1 [taxid=0]", source) == {"accession": "X1", "description": ""}
    assert "taxid" not in said("X1 a [taxid=99999999999]", source)
    # In the middle of a title it is not ours.
    assert said("X1 a [taxid=9606] b", source) == {"accession": "X1", "description": "a [taxid=9606] b"}


# RNAcentral


def test_all_types_of_rnacentral_active():
    headers = headers_of(from_data("rnacentral/rnacentral_active.sample.fasta"), "fasta")
    parsed = parse(headers, "rnacentral")
    assert parsed["rna_type"].to_list() == [re.search(r" (\S+) from ", header)[1] for header in headers]
    assert parsed["rna_type"].n_unique() == 28
    assert parsed["taxid"].null_count() == 1400


@pytest.mark.parametrize(
    ("header", "rna_type", "taxid"),
    [
        ("URS000149A9AF rRNA from 1 species", "rRNA", None),
        ("URS0000005270_10090 5.8S ribosomal RNA from Mus musculus (PDB 6SWA, chain r)", "rRNA", 10090),
        ("URS0000000055_9606 Homo sapiens (human) ZNF451 regulatory antisense RNA", None, 9606),
        ("URS0000000055_9606 Homo sapiens (human) hsa-miR-21-5p", "miRNA", 9606),
        ("URS0000000055_9606 Homo sapiens (human) microRNA hsa-mir-21 precursor", "pre_miRNA", 9606),
        ("URS0000000055_9606 Homo sapiens (human) hsa-let-7a-1", None, 9606),
        ("URS0000000055_9606 Homo sapiens (human) tRNA-Ala (AGC)", "tRNA", 9606),
        ("URS0000000055_9606 Homo sapiens (human) tRNA-Ala synthetase divergent transcript", None, 9606),
        ("URS0000000055_9606 Homo sapiens (human) small nucleolar RNA, C/D box 17 (SNORD17)", "snoRNA", 9606),
        ("URS0000000055_9606 Homo sapiens (human) small nucleolar RNA host gene 1 (SNHG1)", None, 9606),
        ("URS0000000055_9606 Homo sapiens (human) SNHG1 (SNHG1), long non-coding RNA", "lncRNA", 9606),
        ("URS0000000055_77133 uncultured bacterium partial 16S ribosomal RNA", "rRNA", 77133),
        ("URS0000000055_9606 Homo sapiens (human) ribosomal RNA processing 1 antisense RNA", None, 9606),
        ("URS0000000055_9606", None, 9606),
        ("URS0000000055_x rRNA", "rRNA", None),
        ("URSXYZ_9606 something", None, None),
    ],
)
def test_rnacentral(header, rna_type, taxid):
    assert type_of(header, "rnacentral") == rna_type
    assert said(header, "rnacentral").get("taxid") == taxid


# Ensembl


ENSEMBL = "ncrna chromosome:GRCh38:6:29550026:29550109:1 gene:ENSG00000201330.1"
DESCRIBED = "gene_symbol:SNORD32B description:small nucleolar RNA, C/D box 32B [Source:HGNC Symbol;Acc:32719]"


@pytest.mark.parametrize(
    ("header", "rna_type"),
    [
        (f"ENST00000364460.1 {ENSEMBL} gene_biotype:snoRNA transcript_biotype:snoRNA {DESCRIBED}", "snoRNA"),
        (f"ENST00000364460.1 {ENSEMBL} gene_biotype:snoRNA transcript_biotype:scaRNA {DESCRIBED}", "scaRNA"),
        (f"ENST00000364460.1 {ENSEMBL} gene_biotype:Mt_rRNA", "Mt_rRNA"),
        ("CNE01750-1 ncrna chromosome:ASM9104v1:5:1:90:1 gene:CNE01750 transcript_biotype:tRNA", "tRNA"),
        ("FBtr0347114 ncrna primary_assembly:BDGP6.54:2L:1:90:1 gene_biotype:ncRNA", "ncRNA"),
        ("X ncrna:miRNA chromosome:AGI:1:1:90:1", "miRNA"),
        ("X ncrna:known chromosome:AGI:1:1:90:1", None),
        ("X ncrna:KNOWN_BY_PROJECTION chromosome:AGI:1:1:90:1", None),
        ("AT1G01010.1", None),
        (f"ENST00000364460.1 {ENSEMBL}", None),
    ],
)
def test_ensembl(header, rna_type):
    assert type_of(header, "ensembl") == rna_type


def test_genuine_headers_of_ensembl():
    mouse = parse(headers_of(from_data("ensembl/mouse.ensembl.81.partial.cdna.fa"), "fasta"), "ensembl")
    assert mouse["accession"].to_list() == ["ENSMUST00000138942", "ENSMUST00000103109"]
    assert mouse["rna_type"].to_list() == ["processed_transcript", "protein_coding"]
    bare = parse(headers_of(from_data("ensembl/arabidopsis.tair10.partial.cdna.fa"), "fasta"), "ensembl")
    assert bare["accession"].to_list() == ["AT1G01010.1", "AT1G03325.1", "AT1G24475.1", "AT1G42615.1"]
    assert bare["rna_type"].null_count() == 4


# NCBI


@pytest.mark.parametrize(
    ("title", "rna_type"),
    [
        ("Homo sapiens microRNA 21 (MIR21), microRNA", "miRNA"),
        ("Homo sapiens small nucleolar RNA, C/D box 32B (SNORD32B), small nucleolar RNA", "snoRNA"),
        ("Homo sapiens RNA, U6 small nuclear 1 (RNU6-1), small nuclear RNA", "snRNA"),
        ("Homo sapiens HOXA11 antisense RNA (HOXA11-AS), transcript variant 1, long non-coding RNA", "lncRNA"),
        ("Homo sapiens BACE1 antisense RNA (BACE1-AS), antisense RNA", "antisense_RNA"),
        ("Homo sapiens BACE1 antisense RNA", None),
        ("Homo sapiens vault RNA 1-1 (VTRNA1-1), vault RNA", "vault_RNA"),
        ("Pan troglodytes uncharacterized LOC1 (LOC1), transcript variant X1, ncRNA", "ncRNA"),
        ("Pan troglodytes uncharacterized LOC1 (LOC1), misc_RNA", "misc_RNA"),
        ("Bacillus subtilis strain 168 16S ribosomal RNA, partial sequence", "rRNA"),
        ("Uncultured fungus 18S ribosomal RNA gene, partial sequence", "rRNA"),
        ("Panthera leo 12S ribosomal RNA gene, partial sequence; mitochondrial", "rRNA"),
        ("X tRNA-Ile gene, partial sequence; and 23S ribosomal RNA gene, partial sequence", None),
        ("X 16S ribosomal RNA gene, partial sequence; tRNA-Ile gene; 23S ribosomal RNA gene, partial sequence", None),
        ("X 16S-23S ribosomal RNA intergenic spacer, 23S ribosomal RNA gene, partial sequence", None),
        ("Homo sapiens 18S ribosomal RNA pseudogene 1", None),
        ("Homo sapiens ribosomal RNA processing 1 (RRP1), mRNA", None),
        ("Giant Panda satellite 1 DNA", None),
    ],
)
@pytest.mark.parametrize("source", ["nt", "refseq"])
def test_titles_of_ncbi(title, rna_type, source):
    assert type_of(f"NR_1.1 {title}", source) == rna_type


def test_old_headers_of_real_rrna():
    path = from_data("ncbi/fungi-ssu.r100.fa")
    parsed = parse(headers_of(path, "fasta"), "nt")
    assert parsed["accession"].to_list() == [record.id.split("|")[3] for record in SeqIO.parse(path, "fasta")]
    assert set(parsed["rna_type"]) <= {"rRNA", None}
    assert parsed["rna_type"].null_count() < 50


@pytest.mark.parametrize("name", FLAT_FILES)
def test_titles_of_refseq_agree_with_their_classes(name):
    tagged = headers_of(from_data(f"ncbi/refseq_gbff/{name}.gbff"), "genbank")
    parsed = parse(tagged, "refseq")
    titles = parse(tagged.str.replace(r" \[moltype.*", ""), "refseq")
    assert titles["rna_type"].to_list() == parsed["rna_type"].to_list()
    assert titles["description"].to_list() == parsed["description"].to_list()
    assert set(parsed["molecule_type"]) == {"transcribed RNA"}
    assert parsed["taxid"].null_count() == 0


def test_families_of_stockholm():
    parsed = parse(headers_of(from_data("rfam/Rfam.14.2.seed.gz"), "stockholm"), "rfam")
    assert parsed.height == 72_262
    assert parsed.row(0) == ("X01556.1/3-118", "RF00001 5S_rRNA 5S ribosomal RNA", "rRNA", None, None)
    counts = dict(parsed["rna_type"].value_counts().rows())
    assert counts["tRNA"] > 900
    assert set(counts) >= {"rRNA", "miRNA", "snoRNA", "scaRNA", "snRNA", "lncRNA", "riboswitch", "ribozyme", None}
