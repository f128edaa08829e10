"""What is in a file, read again by the simplest code that can: no library, no code of the project.

`read` gives the records of a file as (accession, letters), Wrong where the file must be refused, or None where the
formats leave open what it says. `expected` applies the rules of normalisation to them.
"""

import hashlib
import re

WRONG = "wrong"
BASES, AMBIGUOUS = "ACGTI", "RYKMSWBDHV"
BLANKS = b" \t\v\f\r"


def read(data: bytes, format: str):
    return {"fasta": fasta, "stockholm": stockholm, "genbank": genbank}[format](data)


def fasta(data: bytes):
    lines = re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf"))
    while lines and not lines[0].strip(BLANKS):
        lines.pop(0)
    if lines:
        # Blanks before the first header are no part of the file.
        lines[0] = lines[0].lstrip(BLANKS)
    if not lines or not lines[0].startswith(b">"):
        return WRONG
    records = []
    for line in lines:
        if line.startswith(b">"):
            records.append([line[1:], b""])
        else:
            records[-1][1] += line
    return [(accession(header), letters) for header, letters in records]


def accession(header: bytes) -> str | None:
    """The first word; None where that is open, as a control byte or one beyond ASCII is near."""
    if re.search(rb"[^\x20-\x7e\x01\t]", header):
        return None
    word = re.split(rb"[ \t\x01]", header.strip(b" \t"))[0].decode()
    return None if "|" in word else word


def stockholm(data: bytes):
    """Rows of every alignment up to `//`; only plain files are clear enough."""
    if re.search(rb"[^\x20-\x7e\n]|\n +[^\n]", data.replace("Ü".encode(), b"")):
        return None
    blocks = plain(data).split("\n//\n")
    if blocks[-1].strip():
        return WRONG
    records = []
    for block in blocks[:-1]:
        lines = block.lstrip("\n").split("\n")
        if lines[0] != "# STOCKHOLM 1.0":
            return None
        rows = {}
        for line in lines[1:]:
            if line.strip() and not line.startswith("#"):
                words = line.split(" ", 1)
                if len(words) < 2 or not words[0] or not words[1].strip() or " " in words[1].strip():
                    return None
                rows[words[0]] = rows.get(words[0], "") + words[1].strip()
        records += [
            (None if "|" in name else name, row.replace("~", "").replace("_", "").encode())
            for name, row in rows.items()
        ]
    return records


def plain(data: bytes) -> str:
    """Text without blanks at the ends of its lines, of which the last has an end, too."""
    return "".join(f"{line.rstrip(' ')}\n" for line in data.decode().split("\n"))


def genbank(data: bytes):
    """The letters between ORIGIN and `//`; only the sequences, and only of plain files."""
    if re.search(rb"[^\x20-\x7e\n]", data):
        return None
    records = []
    for block in plain(data).split("\n//\n")[:-1]:
        parts = block.split("\nORIGIN")
        if len(parts) != 2 or block.count("LOCUS ") != 1:
            return None
        lines = parts[1].split("\n")
        if lines[0].strip() or not all(re.fullmatch(r" *\d+( [a-z]+)*", line) for line in lines[1:]):
            return None
        records.append((None, "".join(re.findall(r"[a-z]+", parts[1])).encode()))
    return records


def expected(records: list, min_length: int, max_length: int, max_n_fraction: float):
    """[(accession, digest or None if dropped)] of records; WRONG if one is no record, a protein or a structure."""
    found = []
    for name, raw in records:
        letters = [letter for letter in raw.decode("latin-1") if letter not in " \t\v\f\r\n-."]
        if name == "" or not letters:
            return None
        impossible = sum(letter in "EFLPQZOJeflpqzoj*" for letter in letters)
        brackets = sum(letter in "()[]{}<>" for letter in letters)
        if any(number and number >= 0.05 * len(letters) for number in (impossible, brackets)):
            return WRONG
        upper = [letter.upper().replace("U", "T") for letter in letters]
        sequence = "".join(letter if letter in BASES + AMBIGUOUS else "N" for letter in upper)
        dropped = not min_length <= len(sequence) <= max_length
        dropped |= sum(map(sequence.count, AMBIGUOUS)) > 0.5 * len(sequence)
        dropped |= sequence.count("N") > max_n_fraction * len(sequence)
        found.append((name, None if dropped else hashlib.md5(sequence.encode()).hexdigest()))
    return found
