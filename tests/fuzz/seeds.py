"""Small intact files of every format, from the demo's RNAs: what the mutations start from."""

import functools
import gzip
import io
import random
import subprocess
from pathlib import Path

from Bio import AlignIO, SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import FeatureLocation, SeqFeature
from Bio.SeqRecord import SeqRecord

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/rfam"
HEADERS = (
    "URS{number:010X} rRNA from 13 species",
    "URS{number:010X}_9606 Homo sapiens (human) ZNF451 regulatory antisense RNA",
    " X{number:05d}.1/11-99 with a space first",
    "gi|{number}|ref|NR_{number:06d}.1| Bacillus subtilis 16S ribosomal RNA, partial sequence",
    "X{number:05d}.1 Mus musculus small nucleolar RNA\x01Y{number:05d}.1 Rattus norvegicus small nucleolar RNA",
    "ENST{number:011d}.1 ncrna chromosome:GRCh38:6:1:90:1 gene_biotype:snoRNA transcript_biotype:snoRNA",
    "V{number:05d}.1 str. KOVÁČIK 1990/54",
    "plain{number}",
)


@functools.cache
def sequences() -> list[str]:
    """Some hundred of the demo's sequences of at most 400 nt, with U, gapless."""
    found = []
    for path in sorted((DEMO / "fasta_files").glob("*.fa.gz")):
        with gzip.open(path, "rt") as handle:
            found += [str(record.seq) for record in list(SeqIO.parse(handle, "fasta"))[:40]]
    return [sequence for sequence in found if len(sequence) <= 400]


def fasta(rng: random.Random) -> bytes:
    """One to eight records in any style of header, wrapping, letters and case; some repeat another."""
    chosen = rng.choices(sequences(), k=rng.randint(1, 8))
    if rng.random() < 0.3:
        chosen += [rng.choice(chosen)]
    text = []
    for sequence in chosen:
        width = rng.choice([20, 60, 70, 80, 1000])
        style = rng.choice([str, str, lambda s: s.replace("U", "T"), str.lower])
        lines = [style(sequence)[at : at + width] for at in range(0, len(sequence), width)]
        text += [">" + rng.choice(HEADERS).format(number=rng.randint(1, 99_999)), *lines]
    return ("\n".join(text) + "\n").encode()


@functools.cache
def alignments() -> list:
    with gzip.open(DEMO / "Rfam.seed.gz", "rt") as handle:
        return [alignment for alignment in AlignIO.parse(handle, "stockholm") if alignment.get_alignment_length() < 500]


def stockholm(rng: random.Random) -> bytes:
    """One to three alignments of a few rows, in one block of lines or several."""
    text = []
    for number in range(rng.randint(1, 3)):
        alignment = rng.choice(alignments())
        first = rng.randrange(len(alignment) - 1)
        rows = {row.id: str(row.seq) for row in alignment[first : first + rng.randint(1, 6)]}
        rows["#=GC SS_cons"] = alignment.column_annotations["secondary_structure"]
        width = rng.choice([60, 5000])
        text += ["# STOCKHOLM 1.0", f"#=GF AC   RF{number:05d}", f"#=GF ID   family{number}"]
        text += ["#=GF DE   Vault RNA of Übersee", "#=GF TP   Gene; snRNA; snoRNA; CD-box;", ""]
        for at in range(0, alignment.get_alignment_length(), width):
            text += [*(f"{name:40} {row[at : at + width]}" for name, row in rows.items()), ""]
        text.append("//")
    return ("\n".join(text) + "\n").encode()


def genbank(rng: random.Random) -> bytes:
    """One to three records as RefSeq writes them."""
    records = []
    for sequence in rng.choices(sequences(), k=rng.randint(1, 3)):
        dna = sequence.upper().replace("U", "T")
        number = rng.randint(1, 999_999)
        record = SeqRecord(
            Seq(dna), f"NR_{number:06d}.1", f"NR_{number:06d}", "Homo sapiens RNase MRP RNA (RMRP), ncRNA."
        )
        record.annotations = {"molecule_type": "RNA", "organism": "Homo sapiens", "accessions": [f"NR_{number:06d}"]}
        whole = FeatureLocation(0, len(dna), 1)
        source = {"organism": ["Homo sapiens"], "mol_type": ["transcribed RNA"], "db_xref": ["taxon:9606"]}
        record.features = [SeqFeature(whole, "source", qualifiers=source)]
        record.features += [SeqFeature(whole, "ncRNA", qualifiers={"ncRNA_class": ["RNase_MRP_RNA"]})]
        records.append(record)
    target = io.StringIO()
    SeqIO.write(records, target, "genbank")
    return target.getvalue().encode()


def blast_database(folder: Path) -> Path:
    """A database of 40 records, made by makeblastdb; returns its path without an extension."""
    folder.mkdir(parents=True)
    source = folder / "source.fasta"
    source.write_text("".join(f">X{n:05d}.1 record {n}\n{s.upper()}\n" for n, s in enumerate(sequences()[:40])))
    command = ["makeblastdb", "-dbtype", "nucl", "-parse_seqids", "-in", source.name, "-out", "made", "-title", "made"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    source.unlink()
    return folder / "made"
