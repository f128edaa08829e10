"""Relatives of your sequences in a corpus: which of them, or how much of a test set, a model has seen.

Every file is a set. Leaves OUT/nearest.parquet, the nearest relative of each sequence, forward and reverse;
summary.csv, the share of a set that has relatives at identities from 0.5 to 1; hits.parquet, all relatives; and
manifest.json. A killed search goes on where it was. Below an identity of about 0.7 a search of nucleotides sees little:
no relative found is no proof that there is none.
"""

import os
import shutil
from pathlib import Path

from rnalm.commands import folders
from rnalm.errors import InputError


def add(command) -> None:
    command.add_argument("queries", nargs="+", type=Path, metavar="QUERIES.fasta")
    command.add_argument("--corpus", type=Path, required=True, help="folder that `rnalm corpus` made")
    command.add_argument("--out", type=Path, required=True, help="folder")
    command.add_argument(
        "--coverage",
        type=float,
        default=0.8,
        help="of a sequence by its nearest relative, from 0.5 to 1 (default: 0.8)",
    )


def run(arguments) -> None:
    if not 0.5 <= arguments.coverage <= 1:
        raise InputError("--coverage", f"is {arguments.coverage:g}", "give a number from 0.5 to 1")
    stems = [path.name.split(".")[0] for path in arguments.queries]
    for path, name in zip(arguments.queries, stems, strict=True):
        if stems.count(name) > 1:
            raise InputError(path, f"is not the only set of name {name}", "rename the file")

    folders.check_path(arguments.out)
    sequences, out = folders.manifest_of(arguments.corpus), arguments.out

    import polars as pl

    from rnalm import provenance
    from rnalm.commands.rnas import read_rnas, writing
    from rnalm.corpus import leakage, mmseqs, search
    from rnalm.sequences.alphabet import normalise

    rows = [
        (name, "queries", record.accession, normalise(record.sequence))
        for path, name in zip(arguments.queries, stems, strict=True)
        for record in read_rnas(path)
    ]
    items = pl.DataFrame(rows, schema=["split", "part", "id", "sequence"], orient="row")
    items = leakage.with_digests(items)
    training = items.clear().select("split", "digest", "sequence")
    parameters = {"task": "queries", "coverage": arguments.coverage, "search": search.description()}
    inputs = [*arguments.queries, sequences]
    with writing(out), provenance.stage("leakage", out / "manifest.json", inputs, parameters) as record:
        record.outputs, record.counts = leakage.audit(
            items, training, sequences, out / ".state", out, arguments.coverage, os.cpu_count()
        )
        record.notes["mmseqs"] = mmseqs.version()
    shutil.rmtree(out / ".state")
    summary = pl.read_csv(out / "summary.csv").filter(pl.col("strand") == "forward")
    for name, rows in summary.group_by("split", maintain_order=True):
        shares = ", ".join(
            f"{share:.1%} at {identity:g}" for identity, share in rows.select("identity", "fraction").rows()
        )
        print(f"{name[0]}: of {rows['items'][0]:,} sequences {shares}")
