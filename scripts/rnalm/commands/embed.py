"""FASTA -> .npz with one (tokens, d) array per record: of L + 2 tokens, of L for RNAret."""

import zipfile
from pathlib import Path

import numpy as np

from rnalm import files
from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.errors import InputError

LONGEST = 2**16 - 1 - len(".npy")  # bytes of a name in a zip file


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True, help="embeddings (.npz)")
    help = "of matrix products; bf16 is faster where the processor has it, but exact to about a percent only"
    command.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help=help)


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output, arguments.fasta)
    check_names(arguments.fasta, {record.accession for record in records})
    from rnalm.inference import LanguageModel

    model = LanguageModel.from_directory(arguments.model, arguments.precision)
    states = model.hidden_states([record.sequence for record in records])
    # Not np.savez: it takes names as keyword arguments, where a record must not be called `file`.
    path = arguments.output
    with writing(path), files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for record, state in zip(records, states, strict=True):
            with archive.open(f"{record.accession}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, state)


def check_names(fasta: Path, names: set[str]) -> None:
    """InputError for a record that would not be found under its name in a .npz file."""
    for name in sorted(names):
        if "\0" in name or len(name.encode()) > LONGEST or f"{name}.npy" in names:
            problem = "has a name that does not tell it from others in a .npz file"
            raise InputError(f"{fasta}, record {name[:40]!r}", problem, "give it a plain, short name")
