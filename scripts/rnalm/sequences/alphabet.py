"""The one alphabet of normalised sequences, and the digest that names a sequence everywhere.

Upper case DNA letters, the IUPAC codes and I (inosine): `ACGT RYKMSWBDHVN I`. U is written T here and
nowhere else; gaps (`-`, `.`) and white space go; any other letter, X too, becomes N.
"""

import hashlib

LETTERS = "ACGTRYKMSWBDHVNI"
BASES = "ACGTUI"
BLANKS = b" \t\n\r\v\f"
GAPS = b"-."
# No nucleotide alphabet (IUPAC, I for inosine, X for unknown) has these, and every real protein does.
PROTEIN_ONLY = b"EFLPQZOJeflpqzoj*"
BRACKETS = b"()[]{}<>"
# Of letters that only proteins have, and of brackets: a protein has about 29 % of the first, a sequence with its
# structure in dot-bracket a third of the others; far above a stray byte in a nucleotide record.
FOREIGN_FRACTION = 0.05
# What a byte of a sequence as written is, for KINDS: nothing, a gap, or a letter that becomes a base (also inosine),
# N, an ambiguity code, or N although only proteins or structures have it.
BLANK, GAP, BASE, UNKNOWN, AMBIGUITY, PROTEIN, BRACKET = range(7)


def _spelling() -> bytes:
    table = bytearray(b"N" * 256)
    for letter in LETTERS:
        table[ord(letter)] = table[ord(letter.lower())] = ord(letter)
    table[ord("U")] = table[ord("u")] = ord("T")
    return bytes(table)


def _kinds() -> bytes:
    table = bytearray([UNKNOWN]) * 256
    ambiguous = set(LETTERS) - set(BASES) - {"N"}
    for kind, letters in ((BASE, BASES), (AMBIGUITY, "".join(ambiguous))):
        for byte in (letters + letters.lower()).encode():
            table[byte] = kind
    for kind, letters in ((PROTEIN, PROTEIN_ONLY), (BRACKET, BRACKETS), (GAP, GAPS), (BLANK, BLANKS)):
        for byte in letters:
            table[byte] = kind
    return bytes(table)


# Byte -> normalised letter (of gaps and white space: none), and byte -> kind.
SPELLING, KINDS = _spelling(), _kinds()


def normalise(raw: str | bytes) -> str:
    """A sequence as its source wrote it -> the normalised sequence; idempotent."""
    return _ascii(raw).translate(SPELLING, GAPS + BLANKS).decode("ascii")


def digest(normalised: str) -> str:
    """MD5 of the normalised sequence as 32 hexadecimal digits: what RNAcentral publishes as md5.tsv.gz."""
    return hashlib.md5(normalised.encode("ascii"), usedforsecurity=False).hexdigest()


def is_protein(raw: str | bytes) -> bool:
    """Whether a sequence is evidently a protein: 1 in 20 of its letters exists in no nucleotide alphabet."""
    letters = _ascii(raw).translate(None, GAPS + BLANKS)
    impossible = len(letters) - len(letters.translate(None, PROTEIN_ONLY))
    return impossible > 0 and impossible >= FOREIGN_FRACTION * len(letters)


def _ascii(raw: str | bytes) -> bytes:
    # "replace" writes one '?' per character outside ASCII, which the table turns into N.
    return raw.encode("ascii", "replace") if isinstance(raw, str) else raw
