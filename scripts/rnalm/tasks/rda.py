"""Named sequences in a file that R's `save` wrote: Biostrings' DNAStringSet and RNAStringSet, without R.

The format is R's serialisation, versions 2 and 3, in its binary form (R Internals, section 1.8), also gzip, bzip2 or
xz. A DNAStringSet keeps the letters of all its sequences in a few pools, coded by Biostrings, and for each sequence
the pool's number, start and width. The pool is what an external pointer is tagged with: readers of R data for Python
that were tried stop there.
"""

import bz2
import gzip
import io
import lzma
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rnalm.errors import InputError

MAGIC = {b"RDX2\n": 2, b"RDX3\n": 3}
COMPRESSIONS = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ": lzma}
LARGEST = 2_000_000_000  # bytes unpacked, far above any benchmark
# Letters by Biostrings' code: a bit each for A, C, G and T, their sums for the IUPAC codes, then gaps.
LETTERS = {1 << n: letter for n, letter in enumerate("ACGT")} | {16: "-", 32: "+", 64: "."}
LETTERS |= {3: "M", 5: "R", 9: "W", 6: "S", 10: "Y", 12: "K", 7: "V", 11: "H", 13: "D", 14: "B", 15: "N"}
CODES = np.full(256, ord("?"), np.uint8)
CODES[list(LETTERS)] = [ord(letter) for letter in LETTERS.values()]

SYMBOL, PAIRLIST, CLOSURE, ENVIRONMENT, PROMISE, LANGUAGE, SPECIAL, BUILTIN, CHARACTER = 1, 2, 3, 4, 5, 6, 7, 8, 9
LOGICAL, INTEGER, REAL, COMPLEX, STRINGS, DOTS, LIST, EXPRESSION = 10, 13, 14, 15, 16, 17, 19, 20
POINTER, WEAK, RAW, S4, ALTERNATIVE, REFERENCE = 22, 23, 24, 25, 238, 255
PACKAGE, NAMESPACE, PERSISTENT = 248, 249, 247
# The base and global environments, what is missing or unbound, and NULL.
CONSTANTS = {241, 242, 250, 251, 252, 253, 254}
ARRAYS = {LOGICAL: ">i4", INTEGER: ">i4", REAL: ">f8", COMPLEX: ">c16", RAW: "u1"}


@dataclass
class Thing:
    """An object of R: its value (an array, a text, a list, or of a pairlist {tag: Thing}), and its attributes."""

    value: object = None
    attributes: dict = field(default_factory=dict)


def read_string_sets(path) -> dict[str, list[tuple[str, str]]]:
    """{object: (name, sequence) of each of its sequences} of an .RDa file. InputError if it holds anything else."""
    content = unpacked(path)
    version = MAGIC.get(content[:5])
    if version is None or content[5:7] != b"X\n":
        raise InputError(path, "is no data file of R in its binary form", "save it again by R's save()")
    try:
        objects = Reader(content, version).read().value
        return {name: string_set(thing, f"{path}, object {name}") for name, thing in objects.items()}
    except (
        struct.error,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise InputError(path, f"is damaged, or no data file of R ({error!r})", "get the whole file again") from error


def unpacked(path) -> bytes:
    content = Path(path).read_bytes()
    for magic, module in COMPRESSIONS.items():
        if content.startswith(magic):
            try:
                content = module.open(io.BytesIO(content)).read(LARGEST + 1)
            except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
                raise InputError(path, f"is truncated or corrupt ({error})", "get the whole file again") from error
            if len(content) > LARGEST:
                raise InputError(path, f"unpacks to more than {LARGEST} bytes", "get the file from its publisher")
            break
    return content


def string_set(thing: Thing, where: str) -> list[tuple[str, str]]:
    """(name, sequence) of each sequence of a DNAStringSet or RNAStringSet, in T letters."""
    kind = thing.attributes["class"].value[0] if "class" in thing.attributes else "another object"
    if kind not in ("DNAStringSet", "RNAStringSet"):
        raise InputError(where, f"is {kind}", "keep only sets of DNA or RNA sequences in the file")
    pools = [letters(pool) for pool in thing.attributes["pool"].attributes["xp_list"].value]
    ranges = thing.attributes["ranges"].attributes
    columns = [ranges[name].value.tolist() for name in ("group", "start", "width")]
    if not isinstance(ranges["NAMES"].value, list):  # of sequences without names, a symbol that stands for NULL
        raise InputError(where, "has sequences without names", "give every sequence the name of its family")
    rows = zip(ranges["NAMES"].value, *columns, strict=True)
    return [(name, pools[group - 1][start - 1 : start - 1 + width]) for name, group, start, width in rows]


def letters(pool: Thing) -> str:
    return CODES[pool.value].tobytes().decode("ascii")


class Reader:
    """Reads things one after another from the serialised bytes; `references` are those that later ones point to."""

    def __init__(self, content: bytes, version: int):
        self.content, self.place, self.references = content, 7 + 12, []
        if version == 3:
            self.take(self.integer())  # the native encoding

    def take(self, number: int) -> bytes:
        if number < 0 or self.place + number > len(self.content):
            raise IndexError(f"{number} bytes at {self.place} of {len(self.content)}")
        self.place += number
        return self.content[self.place - number : self.place]

    def integer(self) -> int:
        return struct.unpack(">i", self.take(4))[0]

    def length(self) -> int:
        found = self.integer()
        return found if found != -1 else (self.integer() << 32) + (self.integer() & 0xFFFFFFFF)

    def read(self) -> Thing:
        flags = self.integer()
        kind, has_attributes = flags & 0xFF, bool(flags & 0x200)
        if kind in (PAIRLIST, LANGUAGE, CLOSURE, PROMISE, DOTS):
            return self.pairlist(flags)
        if kind in ARRAYS:
            data_type = np.dtype(ARRAYS[kind])
            thing = Thing(np.frombuffer(self.take(self.length() * data_type.itemsize), data_type))
        elif kind == CHARACTER:
            size = self.integer()
            thing = Thing(None if size == -1 else self.take(size).decode("utf-8", "replace"))
        elif kind == STRINGS:
            thing = Thing([self.read().value for _ in range(self.length())])
        elif kind in (LIST, EXPRESSION):
            thing = Thing([self.read() for _ in range(self.length())])
        elif kind == S4 or kind in CONSTANTS:
            thing = Thing()
        elif kind in (SPECIAL, BUILTIN):
            thing = Thing(self.take(self.integer()).decode())
        elif kind == REFERENCE:
            return self.references[(flags >> 8 or self.integer()) - 1]
        elif kind == ALTERNATIVE:
            return self.alternative()
        else:
            return self.referenced(kind, has_attributes)
        if has_attributes:
            thing.attributes = self.read().value
        return thing

    def pairlist(self, flags: int) -> Thing:
        """A chain of values with tags -> {tag: Thing}; a value without a tag is under its number."""
        found, attributes = {}, {}
        while flags & 0xFF in (PAIRLIST, LANGUAGE, CLOSURE, PROMISE, DOTS):
            if flags & 0x200:
                attributes = self.read().value
            tag = self.read().value if flags & 0x400 else len(found)
            found[tag] = self.read()
            flags = self.integer()
        if flags & 0xFF not in CONSTANTS:
            # The end of a chain is NULL, but of a closure or promise anything.
            self.place -= 4
            found[len(found)] = self.read()
        return Thing(found, attributes)

    def referenced(self, kind: int, has_attributes: bool) -> Thing:
        """What later things may point to; it is known before what is in it is read."""
        thing = Thing()
        self.references.append(thing)
        if kind == SYMBOL:
            thing.value = self.read().value
        elif kind == ENVIRONMENT:
            self.integer()
            for _ in range(4):  # what encloses it, its frame, its hash table, its attributes
                self.read()
        elif kind == POINTER:
            self.read()
            thing.value = self.read().value
        elif kind in (PACKAGE, NAMESPACE, PERSISTENT):
            self.integer()
            thing.value = [self.read().value for _ in range(self.integer())]
        elif kind != WEAK:
            raise ValueError(f"type {kind} of R is not known here")
        if has_attributes:
            thing.attributes = self.read().value
        return thing

    def alternative(self) -> Thing:
        """A vector in another form: wrapped with facts about it, or a sequence of whole numbers."""
        info, state, attributes = self.read(), self.read(), self.read()
        name = next(iter(info.value.values())).value
        if name.startswith("wrap_"):
            inner = state.value[0] if isinstance(state.value, list) else next(iter(state.value.values()))
        elif name == "compact_intseq":
            number, first, step = state.value
            inner = Thing((first + step * np.arange(number)).astype(int))
        else:
            raise ValueError(f"a vector of the form {name} is not known here")
        return Thing(inner.value, attributes.value or inner.attributes)
