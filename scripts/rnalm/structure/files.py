"""Files of secondary structures: bpRNA's `.st` is read, three-line dot-bracket `.dbn` is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from rnalm.errors import InputError
from rnalm.files import atomic
from rnalm.structure.notation import dot_bracket, parse_dot_bracket


@dataclass(frozen=True)
class Structure:
    """One RNA and its base pairs: (i, j) with i < j, 0-based, sorted. The sequence is as in the file."""

    name: str
    sequence: str
    pairs: list[tuple[int, int]]


def parse_st(text: str, name: str, where) -> Structure:
    """The structure in the text of a `.st` file: `#` comments, a sequence line, a structure line, annotations."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise InputError(where, "has no sequence and structure line", "give bpRNA's .st format")
    return structure(name, lines[0], lines[1], where)


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
    """Write `>name`, sequence and dot-bracket of every RNA, atomically."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        for item in structures:
            handle.write(f">{item.name}\n{item.sequence}\n{dot_bracket(item.pairs, len(item.sequence))}\n")
