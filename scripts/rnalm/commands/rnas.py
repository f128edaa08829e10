"""What the commands that take a user's FASTA file share: reading it whole, and refusing an output that cannot be."""

import contextlib
import tempfile
from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.alphabet import is_protein, normalise
from rnalm.sequences.readers import read_fasta


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


def check_output(path: Path, *sources: Path) -> None:
    """InputError if `path` cannot become a file, or is an input, before anything is computed; makes its folder."""
    with writing(path):
        if path.exists() and any(source.exists() and path.samefile(source) for source in sources):
            raise InputError(path, "is the input itself", "name another output file")
        if path.exists() and not path.is_file():
            raise InputError(path, "is a folder or a device", "name an output file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
