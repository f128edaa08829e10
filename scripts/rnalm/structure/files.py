"""Files of secondary structures: dot-bracket `.dbn`, `.bpseq`, connect tables `.ct`, bpRNA's `.st`.

All four are read and written. In a connect table the last base is followed by no other (0); RiNALMo's
own writer names one beyond the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rnalm.errors import InputError
from rnalm.files import write_text
from rnalm.sequences.compression import BROKEN, broken, open_text
from rnalm.sequences.names import uncompressed
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


def from_one(pairs: Iterable[tuple[int, int]], length: int, where) -> list[tuple[int, int]]:
    """The pairs of a table that counts from 1; InputError naming `where` for a base that cannot be, or pairs twice."""
    found = sorted((min(pair) - 1, max(pair) - 1) for pair in pairs)
    bases = [base for pair in found for base in pair]
    if len(set(bases)) < len(bases) or not all(0 <= base < length for base in bases):
        raise InputError(where, f"pairs a base twice, or one outside of its {length} nt", "count positions from 1")
    return found


def read(path) -> list[Structure]:
    """The structures of a file; what its name ends in says its format. InputError names the file and what is wrong."""
    name = Path(uncompressed(path))
    if name.suffix not in READERS:
        kinds = ", ".join(f"*{suffix}" for suffix in READERS)
        raise InputError(path, "has no known kind of structures", f"name it {kinds}")
    try:
        with open_text(path) as handle:
            text = handle.read()
    except BROKEN as error:
        raise broken(path, "it ends too early", error) from error
    found = READERS[name.suffix](text, path)
    if not found:
        raise InputError(path, "is empty", "give at least one structure")
    return found


def parse_dbn(text: str, where) -> list[Structure]:
    """Records `>name`, sequence, brackets (an energy behind them is left out); without a name, one record."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip()) and not line.startswith("#")]
    if lines and not lines[0].startswith(">"):
        lines.insert(0, f">{Path(where).stem}")
    if len(lines) % 3:
        raise InputError(where, "does not consist of three lines per RNA", "give >name, sequence, dot-bracket")
    found = []
    for header, sequence, brackets in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        if not header.startswith(">"):
            raise InputError(where, f"has {header[:40]!r} where a '>' line is due", "give >name, sequence, dot-bracket")
        name = header[1:].strip()
        found.append(structure(name, sequence, brackets.split()[0], f"{where}, record {name}"))
    return found


def parse_bpseq(text: str, where) -> list[Structure]:
    """Lines `position base partner`, from 1, partner 0 where there is none; `#` and file headers are left out."""
    rows = [line.split() for line in text.splitlines() if line.strip() and line.strip()[0].isdigit()]
    return [table(Path(where).stem, [(row[0], row[1], row[2]) for row in rows if len(row) == 3], len(rows), where)]


def parse_ct(text: str, where) -> list[Structure]:
    """Connect tables one after the other: `length name`, then `position base before after partner position`."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found, start = [], 0
    while start < len(lines):
        head = lines[start]
        if not head[0].isdigit():
            raise InputError(where, f"has {' '.join(head)[:40]!r} where the length is due", "give a connect table")
        length = int(head[0])
        rows = lines[start + 1 : start + 1 + length]
        name = " ".join(head[1:]) or Path(where).stem
        # The partner is the last but one column, as in all dialects.
        found.append(table(name, [(row[0], row[1], row[-2]) for row in rows if len(row) >= 5], length, where))
        start += 1 + length
    return found


def table(name: str, rows: list[tuple[str, str, str]], length: int, where) -> Structure:
    """A Structure from (position, base, partner) rows; InputError unless they are complete and agree."""
    if len(rows) != length or not length:
        raise InputError(where, f"has {len(rows)} complete rows of {length} in {name}", "get the whole file again")
    try:
        partners = {int(position): int(partner) for position, _, partner in rows}
    except ValueError as error:
        raise InputError(where, f"has a row that is no number in {name} ({error})", "correct it") from None
    if list(partners) != list(range(1, length + 1)):
        raise InputError(where, f"does not number {name} from 1 to {length}", "correct the first column")
    for position, partner in partners.items():
        if partner and partners.get(partner) != position:
            raise InputError(where, f"pairs {position} with {partner}, but not {partner} with {position}", "correct it")
    pairs = [(position - 1, partner - 1) for position, partner in partners.items() if partner > position]
    return Structure(name, "".join(base for _, base, _ in rows), pairs)


READERS = {
    ".dbn": parse_dbn,
    ".bpseq": parse_bpseq,
    ".ct": parse_ct,
    ".st": lambda text, path: [parse_st(text, Path(path).stem, path)],
}


def write_bpseq(path, item: Structure) -> None:
    """Write one RNA as `position base partner` rows, atomically."""
    rows = (f"{position} {base} {partner}\n" for position, base, partner in numbered(item))
    write_text(path, "".join(rows))


def write_ct(path, structures: Iterable[Structure]) -> None:
    """Write connect tables, one after the other, atomically."""
    lines = []
    for item in structures:
        length = len(item.sequence)
        lines.append(f"{length} {item.name}\n")
        lines += [
            f"{position} {base} {position - 1} {(position + 1) % (length + 1)} {partner} {position}\n"
            for position, base, partner in numbered(item)
        ]
    write_text(path, "".join(lines))


def numbered(item: Structure) -> Iterable[tuple[int, str, int]]:
    """(position, base, partner) of every base, from 1; partner 0 where there is none."""
    partners = {i: j for pair in item.pairs for i, j in (pair, pair[::-1])}
    return ((n + 1, base, partners.get(n, -1) + 1) for n, base in enumerate(item.sequence))


def write_dbn(path, structures: Iterable[Structure]) -> None:
    """Write `>name`, sequence and dot-bracket of every RNA, atomically."""
    records = (f">{item.name}\n{item.sequence}\n{dot_bracket(item.pairs, len(item.sequence))}\n" for item in structures)
    write_text(path, "".join(records))


def write_st(path, item: Structure) -> None:
    """Write one RNA as bpRNA does, atomically: name and length as comments, sequence, dot-bracket; no annotations."""
    brackets = dot_bracket(item.pairs, len(item.sequence))
    write_text(path, f"#Name: {item.name}\n#Length: {len(item.sequence)}\n{item.sequence}\n{brackets}\n")


# Each takes a path and structures; a .bpseq or .st file holds one.
WRITERS = {
    ".dbn": write_dbn,
    ".ct": write_ct,
    ".bpseq": lambda path, structures: write_bpseq(path, *structures),
    ".st": lambda path, structures: write_st(path, *structures),
}
