"""The `rnalm` command: use a trained model on a FASTA file, check a run."""

import argparse
import contextlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from rnalm import __version__, files
from rnalm.errors import InputError, exits
from rnalm.provenance import load, verify
from rnalm.sequences.alphabet import is_protein, normalise
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


def read_rnas(path: Path) -> list:
    """Records of a FASTA file; InputError for a protein, for nothing but gaps, and where two have one name."""
    records, names = list(read_fasta(path)), set()
    for record in records:
        where = f"{path}, record {record.accession}"
        if is_protein(record.sequence):
            raise InputError(where, "is a protein", "give RNA or DNA sequences only")
        if not normalise(record.sequence):
            raise InputError(where, "has gaps only", "remove it")
        if record.accession in names:
            raise InputError(where, "is not the only one of this name", "give every record its own")
        names.add(record.accession)
    return records


@contextlib.contextmanager
def writing(path: Path):
    """Where writing `path` fails, an InputError instead of a traceback."""
    try:
        yield
    except OSError as error:
        raise InputError(path, f"cannot be written ({error.strerror})", "name another output file") from error


def check_output(path: Path) -> None:
    """InputError if `path` cannot become a file, before anything is computed for it; makes its folder."""
    with writing(path):
        if path.exists() and not path.is_file():
            raise InputError(path, "is a folder or a device", "name an output file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass


def embed(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output)
    from rnalm.inference import LanguageModel

    states = LanguageModel.from_directory(arguments.model).hidden_states([record.sequence for record in records])
    # Not np.savez: it takes names as keyword arguments, where a record must not be called `file`.
    path = arguments.output
    with writing(path), files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for record, state in zip(records, states, strict=True):
            with archive.open(f"{record.accession}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, state)


def fold(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output)
    from rnalm.inference import LanguageModel
    from rnalm.structure.files import Structure, write_dbn

    folded = LanguageModel.from_directory(arguments.model).fold([record.sequence for record in records])
    structures = [
        Structure(record.accession, normalise(record.sequence).replace("T", "U"), pairs)
        for record, pairs in zip(records, folded, strict=True)
    ]
    with writing(arguments.output):
        write_dbn(arguments.output, structures)


def verify_manifests(arguments) -> None:
    manifests = []
    for path in arguments.manifests:
        manifests += sorted(path.rglob("*manifest.json")) if path.is_dir() else [path]
    if not manifests:
        raise InputError(arguments.manifests[0], "holds no manifest", "name a run's folder, such as results/demo")
    wrong = [line for manifest in manifests for line in verify(manifest, run_folder(manifest))]
    print("\n".join([*wrong, f"{len(manifests)} manifests, {len(wrong)} files missing or changed"]))
    if wrong:
        raise SystemExit(1)


def run_folder(manifest: Path) -> Path:
    """The folder a run was started in, which inputs are relative to: the nearest above `manifest` that holds them.

    Of several the one that holds most of them, as files may be missing; the working directory where none holds any.
    """
    inputs = [path for item in load(manifest)["inputs"] if not (path := Path(item["path"])).is_absolute()]

    def found(folder: Path) -> int:
        return sum((folder / path).is_file() for path in inputs)

    best = max(manifest.absolute().parents, key=found)
    return best if found(best) else Path.cwd()
