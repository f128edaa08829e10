"""Make resources/demo/rfam/ from the Stockholm alignments of Infernal's test suite.

    python resources/demo/make_demo_data.py FOLDER

FOLDER holds the nine files named below, from the test suite of Infernal 1.1.4
(Debian source package `infernal`). Written is what Rfam publishes: one Stockholm file of all families,
`Rfam.seed.gz`, and one FASTA file per family. Running it again gives the same bytes.
"""

import argparse
import gzip
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))

from rnalm.errors import InputError, exits  # noqa: E402
from rnalm.files import atomic  # noqa: E402
from rnalm.sequences.readers import StockholmFamily, read_stockholm  # noqa: E402
from rnalm.sequences.stockholm import project  # noqa: E402

# (file, how many-th alignment in it) -> (identifier, description)
FAMILIES = {
    ("tRNA.sto", 0): ("tRNA", "tRNA"),
    ("tRNA1415G.sto", 0): ("tRNA_1415", "tRNA, a second alignment of 1,415"),
    ("Vault.sto", 0): ("Vault", "Vault RNA"),
    ("snR75.sto", 0): ("snR75", "Small nucleolar RNA snR75"),
    ("Plant_SRP.sto", 0): ("SRP_plant", "Plant signal recognition particle RNA"),
    ("srp-euk.sto", 0): ("SRP_euk", "Eukaryotic signal recognition particle RNA"),
    ("rnaseP-eubact.sto", 0): ("RNaseP_bact", "Bacterial RNase P RNA"),
    ("3.4.12.rf.stk", 0): ("U1", "U1 spliceosomal RNA"),
    ("3.4.12.rf.stk", 1): ("U2", "U2 spliceosomal RNA"),
    ("3.4.12.rf.stk", 2): ("U3", "Small nucleolar RNA U3"),
    ("bug-i15.sto", 0): ("SSU_bact", "Bacterial small subunit ribosomal RNA"),
}


def stockholm(family: StockholmFamily, identifier: str, description: str) -> str:
    """One Stockholm block, rows not wrapped."""
    accession = [f"#=GF AC   {family.accession}"] if family.accession else []
    width = max(len(name) for name, _ in family.rows) + 1
    width = max(width, len("#=GC SS_cons "))
    return "\n".join(
        [
            "# STOCKHOLM 1.0",
            *accession,
            f"#=GF ID   {identifier}",
            f"#=GF DE   {description}",
            f"#=GF SQ   {len(family.rows)}",
            *(f"{name:<{width}}{aligned}" for name, aligned in family.rows),
            f"{'#=GC SS_cons':<{width}}{family.ss_cons}",
            "//\n",
        ]
    )


def fasta(family: StockholmFamily, description: str) -> str:
    """Rfam's FASTA: `>accession/start-end description`, then the whole sequence on one line."""
    lines = []
    for name, aligned in family.rows:
        sequence, _ = project(aligned, [])
        region = name if "/" in name else f"{name}/1-{len(sequence)}"
        lines.append(f">{region} {description}\n{sequence}\n")
    return "".join(lines)


def write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        # No time stamp: the same input gives the same bytes.
        temporary.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


@exits
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the nine Stockholm files")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "give the folder with the nine Stockholm files")
    alignments = {name: list(read_stockholm(folder / name)) for name in dict.fromkeys(name for name, _ in FAMILIES)}
    families = [(alignments[name][index], *naming) for (name, index), naming in FAMILIES.items()]
    write(HERE / "rfam" / "Rfam.seed.gz", "".join(stockholm(*family) for family in families))
    for family, identifier, description in families:
        write(HERE / "rfam" / "fasta_files" / f"{identifier}.fa.gz", fasta(family, description))


if __name__ == "__main__":
    main()
