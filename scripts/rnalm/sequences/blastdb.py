"""BLAST nucleotide databases, version 5 (and 4), read by NCBI's own blastdbcmd.

A database is many files; blastdbcmd notices most damage by itself, but makes up sequences where their file is
cut, and ends well where the index is. So sizes and the number of records are checked here. A sequence that
several accessions share comes once for each of them, with its taxid and title.
"""

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rnalm.errors import InputError

BLOCK = 1 << 20  # bytes
# A database made without -parse_seqids has no accessions; its titles are the whole header lines.
BY_ACCESSION = ">%a %t [taxid=%T]\n%s"
BY_TITLE = ">%t [taxid=%T]\n%s"
NO_ACCESSION = b">BL_ORD_ID:"
SEQUENCES = re.compile(r"^\s*([\d,]+) sequences?; [\d,]+ total bases", re.MULTILINE)
REMEDY = "get the whole database again"


def blastdb_fasta(path) -> Iterator[bytes]:
    """Blocks of FASTA bytes of all records of a database, each sequence on one line, its taxid in the header.

    path: of the database without an extension, or of the folder that holds it and no other
    InputError: no such database, no blastdbcmd, a broken or incomplete database
    """
    database = find(Path(path))
    if shutil.which("blastdbcmd") is None:
        raise InputError(path, "is a BLAST database, and blastdbcmd is not installed", "install NCBI BLAST+")
    expected = check(database)
    blocks = dump(database, BY_ACCESSION)
    first = next(blocks, b"")
    if first.startswith(NO_ACCESSION):
        blocks.close()
        blocks = dump(database, BY_TITLE)
        first = next(blocks, b"")
    found = 0
    # The line end makes the first header count like the others, and the last byte one that a block has cut off.
    last = b"\n"
    while first:
        found += (last + first).count(b"\n>")
        last = first[-1:]
        yield first
        first = next(blocks, b"")
    if found < expected:
        raise InputError(path, f"is incomplete: {found:,} of its {expected:,} records came", REMEDY)


def find(path: Path) -> Path:
    """The path of a database without its extension."""
    if not path.is_dir():
        if named(path):
            return path
        raise InputError(path, "is no BLAST nucleotide database", "name its folder, or its path without an extension")
    names = {file.stem for kind in ("ndb", "nal") for file in path.glob(f"*.{kind}")}
    names = names or {file.stem for file in path.glob("*.nin")}
    if len(names) != 1:
        if not names:
            raise InputError(path, "is a folder without a BLAST nucleotide database", "name files, or another folder")
        listed = ", ".join(sorted(names))
        raise InputError(
            path, f"holds {len(names)} BLAST nucleotide databases ({listed})", "name one without extension"
        )
    return path / names.pop()


def parts(path: Path) -> list[Path]:
    """The files of a database: nt.nal, nt.ntf, nt.000.nsq, ..."""
    database = find(path)
    form = re.compile(rf"{re.escape(database.name)}(\.\d+)?\.n\w\w")
    return sorted(file for file in database.parent.iterdir() if form.fullmatch(file.name))


def named(path: Path) -> bool:
    """Whether a path is that of a database without its extension."""
    return any(path.with_name(f"{path.name}.{kind}").is_file() for kind in ("nin", "nal", "ndb"))


def check(database: Path) -> int:
    """The number of sequences in a database; InputError if there is none, or a volume is cut."""
    done = subprocess.run([*command(database), "-info"], capture_output=True, text=True, errors="replace")
    sequences = SEQUENCES.search(done.stdout)
    if done.returncode or not sequences:
        raise InputError(database, f"is no whole BLAST database ({said(done.stderr)})", REMEDY)
    for volume in done.stdout.partition("Volumes:")[2].split("\n"):
        if volume.strip():
            check_volume(Path(volume.strip()))
    count = int(sequences[1].replace(",", ""))
    if not count:
        raise InputError(database, "holds no sequence", REMEDY)
    return count


def check_volume(volume: Path) -> None:
    """InputError if the headers or the sequences of a volume are not as long as its index says."""
    index, headers, sequences = (volume.with_name(f"{volume.name}.{kind}") for kind in ("nin", "nhr", "nsq"))
    try:
        for file, end in zip((headers, sequences), ends(index), strict=True):
            if (size := file.stat().st_size) < end:
                raise InputError(file, f"has {size:,} of the {end:,} bytes of its index", REMEDY)
    except OSError as error:
        raise InputError(error.filename, f"cannot be read ({error.strerror})", REMEDY) from error
    except struct.error as error:
        raise InputError(index, f"is truncated or corrupt ({error})", REMEDY) from error


def ends(index: Path) -> tuple[int, int]:
    """Where the headers and the sequences of a volume end, in bytes: the last of the offsets that its index lists.

    Its fields: version, molecule, in version 5 the volume's number, texts (title, in version 5 a file's name, date)
    with their lengths, the number of sequences n, letters (8 bytes), the longest sequence; then, n + 1 each, the
    offsets of headers, sequences and ambiguities. Integers are big-endian, of 4 bytes.
    """
    with open(index, "rb") as handle:
        version, _ = struct.unpack(">2I", handle.read(8))
        handle.seek(4 if version == 5 else 0, os.SEEK_CUR)
        for _ in range(3 if version == 5 else 2):
            handle.seek(*struct.unpack(">I", handle.read(4)), os.SEEK_CUR)
        (count,) = struct.unpack(">I", handle.read(4))
        offsets = handle.seek(8 + 4, os.SEEK_CUR)
        handle.seek(offsets + 4 * count)
        (headers,) = struct.unpack(">I", handle.read(4))
        handle.seek(4 * count, os.SEEK_CUR)
        (sequences,) = struct.unpack(">I", handle.read(4))
    if os.stat(index).st_size < offsets + 3 * 4 * (count + 1):
        raise struct.error("it ends among the offsets")
    return headers, sequences


def dump(database: Path, outfmt: str) -> Iterator[bytes]:
    """What blastdbcmd prints of all records; InputError if it fails."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command(database), "-entry", "all", "-outfmt", outfmt], stdout=subprocess.PIPE, stderr=errors
        )
        try:
            while block := process.stdout.read(BLOCK):
                yield block
            status = process.wait()
        finally:
            process.stdout.close()
            process.kill()
            process.wait()
        if status:
            errors.seek(0)
            message = said(errors.read().decode(errors="replace"))
            raise InputError(database, f"cannot be read to its end: blastdbcmd ends with {status} ({message})", REMEDY)


def command(database: Path) -> list[str]:
    # blastdbcmd takes a list of databases, separated by spaces outside of quotes.
    return ["blastdbcmd", "-dbtype", "nucl", "-db", f'"{database.absolute()}"']


def said(stderr: str) -> str:
    """The last line of an error output that says something."""
    return next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "without a word")[:200]
