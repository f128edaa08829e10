"""The `rnalm` command: use a trained model on a FASTA file, check a run."""

import argparse
from pathlib import Path

import numpy as np

from rnalm import __version__, files
from rnalm.errors import InputError, exits
from rnalm.provenance import verify
from rnalm.sequences.readers import read_fasta


@exits
def main(argv=None):
    parser = argparse.ArgumentParser(prog="rnalm", description=__doc__)
    parser.add_argument("--version", action="version", version=f"rnalm {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("embed", help="FASTA -> .npz with one (length + 2, d) array per record")
    model_and_fasta(command, "embeddings (.npz)")
    command.set_defaults(run=embed)

    command = commands.add_parser("fold", help="FASTA -> dot-bracket structures")
    model_and_fasta(command, "structures (.dbn)")
    command.set_defaults(run=fold)

    command = commands.add_parser("verify", help="re-hash every file that manifests name")
    command.add_argument("manifests", type=Path, nargs="+", help="manifest files, or folders to look for them in")
    command.set_defaults(run=verify_manifests)

    arguments = parser.parse_args(argv)
    arguments.run(arguments)


def model_and_fasta(command, output: str) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True, help=output)


def read_unique(path: Path) -> list:
    """Records of a FASTA file; InputError where two have one name, which would be one key of the result."""
    records, names = list(read_fasta(path)), set()
    for record in records:
        if record.accession in names:
            raise InputError(f"{path}, {record.accession}", "is the name of two records", "give every record its own")
        names.add(record.accession)
    return records


def embed(arguments) -> None:
    from rnalm.inference import LanguageModel

    records = read_unique(arguments.fasta)
    states = LanguageModel.from_directory(arguments.model).hidden_states([record.sequence for record in records])
    with files.atomic(arguments.output) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **{record.accession: state for record, state in zip(records, states, strict=True)})


def fold(arguments) -> None:
    from rnalm.inference import LanguageModel
    from rnalm.sequences.alphabet import normalise
    from rnalm.structure.notation import dot_bracket

    records = read_unique(arguments.fasta)
    folded = LanguageModel.from_directory(arguments.model).fold([record.sequence for record in records])
    lines = []
    for record, pairs in zip(records, folded, strict=True):
        sequence = normalise(record.sequence).replace("T", "U")
        lines += [f">{record.accession}", sequence, dot_bracket(pairs, len(sequence))]
    files.write_text(arguments.output, "\n".join(lines) + "\n")


def verify_manifests(arguments) -> None:
    manifests = []
    for path in arguments.manifests:
        manifests += sorted(path.rglob("*manifest.json")) if path.is_dir() else [path]
    if not manifests:
        raise InputError(arguments.manifests[0], "holds no manifest", "name a run's folder, such as results/demo")
    wrong = [line for manifest in manifests for line in verify(manifest)]
    print("\n".join([*wrong, f"{len(manifests)} manifests, {len(wrong)} files missing or changed"]))
    if wrong:
        raise SystemExit(1)
