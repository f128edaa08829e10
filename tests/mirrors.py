"""Small mirrors of the four databases, with the layouts, names, formats and checksum files of the real ones.

`write(folder)` lays out rnacentral/, rfam/, ensembl/, genomes/ (Ensembl Genomes) and ncbi/ as the servers do, so that
the shipped lock's entries work on them with another base URL. The RNAs are made up, from a seed.
"""

import gzip
import hashlib
import io
import json
import random
import subprocess
import tarfile
from pathlib import Path

SEED = 3
BLAST_DATE = "2023-04-26"
VERTEBRATES = "pub/release-109"
BACTERIA = "pub/bacteria/release-56"
WORM = "genomes/all/GCF/000/002/985/GCF_000002985.6_WBcel235"
YEAST = "genomes/all/GCF/000/146/045/GCF_000146045.2_R64"
# As the table of Ensembl 109 names its columns.
COLUMNS = (
    *("name", "species", "division", "taxonomy_id", "assembly", "assembly_accession", "genebuild", "variation"),
    *("microarray", "pan_compara", "peptide_compara", "genome_alignments", "other_alignments", "core_db", "species_id"),
)


def write(folder: Path) -> None:
    rng = random.Random(SEED)
    rnacentral(folder / "rnacentral", rng)
    rfam(folder / "rfam", rng)
    ensembl(folder / "ensembl", rng)
    genomes(folder / "genomes", rng)
    ncbi(folder / "ncbi", rng)


def rna(rng: random.Random, letters: str = "ACGT", shortest: int = 40, longest: int = 300) -> str:
    return "".join(rng.choices(letters, k=rng.randint(shortest, longest)))


def fasta(headers, rng: random.Random, letters: str = "ACGT", width: int | None = 60) -> bytes:
    """Records of made sequences under these headers, in lines of `width`."""
    lines = []
    for header in headers:
        sequence = rna(rng, letters)
        step = width or len(sequence)
        lines += [f">{header}", *(sequence[start : start + step] for start in range(0, len(sequence), step))]
    return ("\n".join(lines) + "\n").encode()


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    # The same bytes each time: no date in the gzip header.
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def rnacentral(folder: Path, rng: random.Random) -> None:
    kinds = ("rRNA", "tRNA", "miRNA", "lncRNA")
    active = [
        f"URS{rng.randrange(16**10):010X} {rng.choice(kinds)} from {rng.randint(1, 13)} species" for _ in range(60)
    ]
    release = folder / "releases/26.0"
    put(release / "sequences/rnacentral_active.fasta.gz", fasta(active, rng))
    put(release / "sequences/rnacentral_inactive.fasta.gz", fasta([f"URS{n:010X} misc_RNA" for n in range(9)], rng))
    mirbase = [f"URS{n:010X}_9606 Homo sapiens (human) hsa-miR-{n}, str. KOVÁČIK" for n in range(20)]
    put(release / "sequences/by-database/mirbase.fasta", fasta(mirbase, rng))
    notes = "\n".join(
        [
            "=" * 40,
            "RNAcentral Release {release}, 12/05/2025",
            "=" * 40,
            "This release consists of 1,069 unique RNA sequences with 4,000 cross-references to 56 Expert Databases.\n",
        ]
    )
    put(release / "release_notes.txt", notes.format(release="26"))
    put(folder / "current_release/release_notes.txt", notes.format(release="27"))


def rfam(folder: Path, rng: random.Random) -> None:
    put(folder / "CURRENT/README", "Rfam - RNA families database\n\nRelease 15.2\n------------\n4,300 families\n")
    families = {}
    for accession in ("RF00002", "RF00162"):
        headers = [f"AF{n:06d}.1/{rng.randint(1, 900)}-{n} Some genome, complete" for n in range(30)]
        families[accession] = fasta(headers, rng, letters="ACGU", width=None)
        put(folder / f"15.1/fasta_files/{accession}.fa.gz", families[accession])
    put(folder / "15.1/fasta_files/Rfam.fa.gz", b"".join(families.values()))
    seed = "# STOCKHOLM 1.0\n#=GF AC   RF00162\n#=GF ID   SAM\nA.1/1-8  ACGU..GU\n#=GC SS_cons <<....>>\n//\n"
    put(folder / "15.1/Rfam.seed.gz", seed)


def bsd_sum(content: bytes) -> tuple[int, int]:
    """(sum, blocks) by the definition of the algorithm, a byte at a time."""
    total = 0
    for byte in content:
        total = ((total >> 1) + ((total & 1) << 15) + byte) & 0xFFFF
    return total, -(-len(content) // 1024)


def ncrna(release: Path, folder: str, name: str, rng: random.Random, form: str) -> None:
    """A species' folder of RNAs, with CHECKSUMS in one of the writers' forms."""
    headers = [
        f"ENST{n:011d}.1 ncrna chromosome:A1:6:{n}:{n + 83}:1 gene:ENSG{n:011d}.1 gene_biotype:snoRNA "
        f"transcript_biotype:snoRNA gene_symbol:SNORD{n} description:small nucleolar RNA [Source:HGNC Symbol;Acc:{n}]"
        for n in range(15)
    ]
    place = release / "fasta" / folder / "ncrna"
    put(place / name, fasta(headers, rng))
    put(place / "README", "The RNAs.\n")
    lines = [form.format(*bsd_sum((place / file).read_bytes()), file) for file in ("README", name)]
    packed = form.startswith("{0:05d}")
    put(place / ("CHECKSUMS.gz" if packed else "CHECKSUMS"), "\n".join(lines) + "\n")


def table(species: dict[str, str], division: str) -> str:
    """A table of species, {species: core database}; rows end in a tab more than the header, as the real ones."""
    lines = ["#" + "\t".join(COLUMNS)]
    for number, (name, core) in enumerate(species.items(), 1):
        values = [name.replace("_", " ").capitalize(), name, division, "9606", "A1", "GCA_1.1", "2020-01-Ensembl"]
        lines.append("\t".join([*values, *"NNNYYY", core, str(number), ""]))
    return "\n".join(lines) + "\n"


def ensembl(folder: Path, rng: random.Random) -> None:
    release = folder / VERTEBRATES
    put(folder / "pub/VERSION", "115\n")
    species = ("caenorhabditis_elegans", "homo_sapiens", "mus_musculus", "ciona_savignyi")
    put(
        release / "species_EnsemblVertebrates.txt",
        table({name: f"{name}_core_109_38" for name in species}, "EnsemblVertebrates"),
    )
    ncrna(release, species[0], "Caenorhabditis_elegans.WBcel235.ncrna.fa.gz", rng, "{0} {1}\t{2}")
    ncrna(release, species[1], "Homo_sapiens.GRCh38.ncrna.fa.gz", rng, "{0} {1} {2}")
    ncrna(release, species[2], "Mus_musculus.GRCm39.ncrna.fa.gz", rng, "{0:05d} {1:5d} {2}")
    # ciona_savignyi has no RNAs and so no folder.


def genomes(folder: Path, rng: random.Random) -> None:
    release, coli = folder / BACTERIA, "escherichia_coli_str_k_12_substr_mg1655_gca_000005845"
    put(folder / "pub/VERSION", "62\n")
    put(
        release / "species_EnsemblBacteria.txt",
        table({coli: "bacteria_0_collection_core_56_109_1"}, "EnsemblBacteria"),
    )
    name = f"{coli.capitalize()}.ASM584v2.ncrna.fa.gz"
    ncrna(release, f"bacteria_0_collection/{coli}", name, rng, "{0} {1}\t{2}")


def ncbi(folder: Path, rng: random.Random) -> None:
    titles = ["16S ribosomal RNA, partial sequence", "mRNA for a protein", "chromosome 3, complete sequence"]
    records = fasta([f"X{n:05d}.1 {titles[n % 3]}" for n in range(40)], rng, width=80)
    blast = folder / "blast/db"
    put(blast / "FASTA/nt.gz", records)
    put(blast / "FASTA/nt.gz.md5", f"{hashlib.md5((blast / 'FASTA/nt.gz').read_bytes()).hexdigest()}  nt.gz\n")
    volumes = []
    for number in range(2):
        name = f"nt.{number:03d}.tar.gz"
        members = {f"nt.{number:03d}.{suffix}": rng.randbytes(3000) for suffix in ("nhr", "nin", "nsq")}
        # Volumes share the files of the whole database.
        put(blast / name, archive(members | {"nt.nal": b"TITLE nt\nDBLIST nt.000 nt.001\n", "nt.ndb": b"database"}))
        put(blast / f"{name}.md5", f"{hashlib.md5((blast / name).read_bytes()).hexdigest()}  {name}\n")
        volumes.append(name)
    put(blast / "nt-nucl-metadata.json", metadata(volumes))
    for place, taxon in {WORM: "Caenorhabditis elegans", YEAST: "Saccharomyces cerevisiae"}.items():
        assembly = Path(place).name
        name = f"{assembly}_rna.fna.gz"
        transcripts = [f"N{kind}_{n:06d}.1 {taxon} RNA" for n, kind in enumerate("RMR" * 8)]
        put(folder / place / name, fasta(transcripts, rng, width=80))
        digest = hashlib.md5((folder / place / name).read_bytes()).hexdigest()
        put(
            folder / place / "md5checksums.txt",
            f"{'0' * 32}  ./{assembly}_genomic.fna.gz\n{digest}  ./{name}\n",
        )


def metadata(files: list[str], date: str = BLAST_DATE, name: str = "nt") -> str:
    """NCBI's description of a BLAST database."""
    content = {
        "version": "1.2",
        "dbname": name,
        "dbtype": "Nucleotide",
        "db-version": 5,
        "description": "Nucleotide collection (nt)",
        "number-of-letters": 9000,
        "number-of-sequences": 40,
        "files": [f"ftp://ftp.ncbi.nlm.nih.gov/blast/db/{file}" for file in files],
        "last-updated": f"{date}T00:00:00",
        "number-of-volumes": len(files),
    }
    return json.dumps(content, indent=2)


def archive(members: dict[str, bytes]) -> bytes:
    """A tar archive, not compressed."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return target.getvalue()


def blast_volume(folder: Path, records: bytes, name: str = "nt") -> dict[str, bytes]:
    """{file name: content} of a real BLAST database of these records, by makeblastdb."""
    source = folder / f"{name}.fasta"
    source.write_bytes(records)
    command = ["makeblastdb", "-in", source, "-dbtype", "nucl", "-parse_seqids", "-out", folder / name]
    subprocess.run(command, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in sorted(folder.glob(f"{name}.n*"))}
