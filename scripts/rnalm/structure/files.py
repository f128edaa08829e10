"""Files of secondary structures: bpRNA's `.st` and three-line dot-bracket `.dbn`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnalm.errors import InputError
from rnalm.files import atomic
from rnalm.structure.notation import dot_bracket, parse_dot_bracket


@dataclass(frozen=True)
class Structure:
    """One RNA and its base pairs: (i, j) with i < j, 0-based, sorted. The sequence is as in the file."""

    name: str
    sequence: str
    pairs: list[tuple[int, int]]


def read_st(path) -> Structure:
    """The structure of a `.st` file, named after the file."""
    path = Path(path)
    return parse_st(path.read_text(encoding="utf-8"), path.stem, path)


def parse_st(text: str, name: str, where) -> Structure:
    """The structure in the text of a `.st` file: `#` comments, a sequence line, a structure line, annotations."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise InputError(where, "has no sequence and structure line", "give bpRNA's .st format")
    return structure(name, lines[0], lines[1], where)


def read_dbn(path) -> Iterator[Structure]:
    """Structures of a file of `>name`, sequence and dot-bracket lines; what follows the brackets is ignored."""
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines or len(lines) % 3:
        raise InputError(path, "is not made of three lines per RNA", "give >name, sequence and dot-bracket lines")
    for header, sequence, brackets in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        if not header.startswith(">"):
            raise InputError(path, f"expected a > line, found {header[:40]!r}", "give three lines per RNA")
        name = header[1:].strip()
        yield structure(name, sequence, brackets.split()[0], f"{path}, {name}")


def structure(name: str, sequence: str, brackets: str, where) -> Structure:
    """A Structure from a sequence and its dot-bracket; InputError naming `where` if they do not fit."""
    if len(sequence) != len(brackets):
        problem = f"{len(sequence)} letters but {len(brackets)} structure symbols"
        raise InputError(where, problem, "give one symbol per nucleotide")
    try:
        return Structure(name, sequence, parse_dot_bracket(brackets))
    except InputError as error:
        raise InputError(where, str(error), "correct the record") from error


def write_dbn(path, structures: Iterable[Structure]) -> None:
    """Write three lines per RNA, atomically."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        for item in structures:
            handle.write(f">{item.name}\n{item.sequence}\n{dot_bracket(item.pairs, len(item.sequence))}\n")
