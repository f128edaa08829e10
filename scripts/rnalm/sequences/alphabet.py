"""The one alphabet of normalised sequences, and the digest that names a sequence everywhere.

Upper case DNA letters, the IUPAC codes and I (inosine): `ACGT RYKMSWBDHVN I`. U is written T here and
nowhere else; gaps (`-`, `.`) and white space go; any other letter, X too, becomes N.
"""

import hashlib

LETTERS = "ACGTRYKMSWBDHVNI"
GAPS = b"-."
# No nucleotide alphabet (IUPAC, I for inosine, X for unknown) has these, and every real protein does.
PROTEIN_ONLY = b"EFLPQZOJeflpqzoj*"
# About 29 % of the residues of an average protein; far above a stray letter in a nucleotide record.
PROTEIN_FRACTION = 0.05


def _table() -> bytes:
    table = bytearray(b"N" * 256)
    for letter in LETTERS:
        table[ord(letter)] = table[ord(letter.lower())] = ord(letter)
    table[ord("U")] = table[ord("u")] = ord("T")
    return bytes(table)


_TABLE = _table()
_REMOVED = GAPS + b" \t\n\r\v\f"


def normalise(raw: str | bytes) -> str:
    """A sequence as its source wrote it -> the normalised sequence; idempotent."""
    return _ascii(raw).translate(_TABLE, _REMOVED).decode("ascii")


def digest(normalised: str) -> str:
    """MD5 of the normalised sequence as 32 hexadecimal digits: what RNAcentral publishes as md5.tsv.gz."""
    return hashlib.md5(normalised.encode("ascii"), usedforsecurity=False).hexdigest()


def is_protein(raw: str | bytes) -> bool:
    """Whether a sequence is evidently a protein: 1 in 20 of its letters exists in no nucleotide alphabet."""
    letters = _ascii(raw)
    impossible = len(letters) - len(letters.translate(None, PROTEIN_ONLY))
    return impossible > 0 and impossible >= PROTEIN_FRACTION * len(letters)


def _ascii(raw: str | bytes) -> bytes:
    # "replace" writes one '?' per character outside ASCII, which the table turns into N.
    return raw.encode("ascii", "replace") if isinstance(raw, str) else raw
