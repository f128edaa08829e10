"""Damaged copies of sequence files: what editors, transfers, old databases and broken disks make of them.

A mutation is a function (random.Random, bytes) -> bytes. All are pure functions of the generator's state, so that an
input can be made again from its number.
"""

import gzip
import random
import re
import zlib

SPECIAL = [
    # Control bytes, line ends of other systems, and separators that `str.splitlines` takes for line ends.
    *(bytes([byte]) for byte in (*range(32), 0x7F, 0x85)),
    *(b"\r\n", b"\n\n", b"\n\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\x1c\n"),
    # UTF-8, whole and broken, a byte order mark, Latin-1, the replacement character.
    *(b"\xc3\xa9", b"\xc3", b"\xa9", b"\xe2\x80", b"\xf0\x9f\xa7\xac", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
    # What means something in one of the formats.
    *(b">", b"\n>", b"\n> ", b"\n>\n", b">>", b"\n>x\n>y\n", b"\n;comment\n", b"*", b"-", b".", b"~", b"|", b"\x01"),
    *(b"gi|1|ref|X.1|", b"\n//\n", b"//", b"# STOCKHOLM 1.0\n", b"#=GC SS_cons <<>>\n", b"#=GF ID x\n", b"LOCUS "),
    *(
        b"\nORIGIN\n",
        b"\x1f\x8b\x08\x00",
        b"%s",
        b"{}",
        b"\\n",
        b'"',
        b"'",
        b"[taxid=9606]",
        b"[rna_type=]",
        b",",
        b"\t",
    ),
]
LETTERS = b"ACGTUNacgtunRYKMSWBDHVIX-.*EFLPQ"
LONG = 100_000  # bytes of one line; longer than most blocks of a reader that the inputs are read with


def place(rng: random.Random, data: bytes) -> int:
    """A place in the data; half of the time next to a line end, where formats break."""
    ends = [match.start() + rng.randint(0, 1) for match in re.finditer(rb"\n", data)] if rng.random() < 0.5 else []
    return rng.choice(ends) if ends else rng.randint(0, len(data))


def span(rng: random.Random, data: bytes) -> tuple[int, int]:
    """A stretch of the data, mostly short."""
    start = place(rng, data)
    return start, min(len(data), start + int(rng.expovariate(1 / 40)) + 1)


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: place(rng, data)]


def behead(rng: random.Random, data: bytes) -> bytes:
    return data[place(rng, data) :]


def lose(rng: random.Random, data: bytes) -> bytes:
    start, end = span(rng, data)
    return data[:start] + data[end:]


def repeat(rng: random.Random, data: bytes) -> bytes:
    start, end = span(rng, data)
    return data[:end] + data[start:end] * rng.choice([1, 1, 2, 50]) + data[end:]


def swap(rng: random.Random, data: bytes) -> bytes:
    first, second = sorted([span(rng, data), span(rng, data)])
    if first[1] > second[0]:
        return data
    (a, b), (c, d) = first, second
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def insert(rng: random.Random, data: bytes) -> bytes:
    at = place(rng, data)
    return data[:at] + rng.choice(SPECIAL) * rng.choice([1, 1, 1, 3]) + data[at:]


def insert_letters(rng: random.Random, data: bytes) -> bytes:
    at = place(rng, data)
    return data[:at] + bytes(rng.choices(LETTERS, k=rng.randint(1, 60))) + data[at:]


def flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def other_line_ends(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r\n", b"\r", b"\n\n", b" \n", b"\t\n", b"\n "]))


def some_line_ends(rng: random.Random, data: bytes) -> bytes:
    """A different line end for each line."""
    return b"".join(line + rng.choice([b"\n", b"\n", b"\r\n", b"\n\n", b" \r\n"]) for line in data.split(b"\n"))


def one_line(rng: random.Random, data: bytes) -> bytes:
    start, end = sorted((place(rng, data), place(rng, data)))
    return data[:start] + data[start:end].replace(b"\n", b"") + data[end:]


def long_line(rng: random.Random, data: bytes) -> bytes:
    at = place(rng, data)
    return data[:at] + rng.choice([b"ACGU", b"N", b"x", b">", b"-", b" ", b"\xc3\xa9"]) * (LONG // 4) + data[at:]


def no_last_line_end(rng: random.Random, data: bytes) -> bytes:
    return data.rstrip(b"\n")


def same(rng: random.Random, data: bytes) -> bytes:
    return data


COMMON = (cut, lose, repeat, swap, insert, insert, insert, insert_letters, flip, same)
RARE = (behead, other_line_ends, some_line_ends, one_line, long_line, no_last_line_end)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """A copy with one to four mutations."""
    for _ in range(rng.choice([1, 1, 2, 3, 4])):
        data = rng.choice(RARE if rng.random() < 0.15 else COMMON)(rng, data)
    return data


def compressed(rng: random.Random, data: bytes) -> bytes:
    """gzip in one or several members, as bgzip and `cat a.gz b.gz` write it, whole or damaged."""
    at = rng.randint(0, len(data))
    packed = gzip.compress(data, rng.choice([1, 6])) if rng.random() < 0.5 else b""
    packed = packed or gzip.compress(data[:at], 1) + gzip.compress(data[at:], 1)
    return rng.choice([same, same, cut, flip, lose, insert, trailing])(rng, packed)


def trailing(rng: random.Random, packed: bytes) -> bytes:
    return packed + rng.choice([b"\0" * 512, b"garbage", b"\x1f\x8b", gzip.compress(b""), packed[:30]])


def decompressed(packed: bytes) -> bytes | None:
    """What zlib makes of gzip members, zeros after the last one passed over; None if they are not whole.

    Reserved flags of a member are passed over, as isal does: its checksum proves what is in it.
    """
    parts = []
    while packed.strip(b"\0"):
        if packed.startswith(b"\x1f\x8b\x08"):
            packed = packed[:3] + bytes(flags & 0x1F for flags in packed[3:4]) + packed[4:]
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(packed) + member.flush())
        except zlib.error:
            return None
        if not member.eof:
            return None
        packed = member.unused_data
    return b"".join(parts)
