"""FASTA in bulk: the same records and letters as Biopython and plain Python give, wherever blocks are cut."""

import hashlib
import io
import re
from itertools import pairwise

import numpy as np
import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser
from hypothesis import given
from hypothesis import strategies as st
from rnalm.errors import InputError
from rnalm.sequences import fasta
from rnalm.sequences.alphabet import AMBIGUITY, BRACKET, GAP, PROTEIN, UNKNOWN, normalise
from rnalm.sequences.digests import hexadecimal_digests

# Long runs of bases are read by another path than the rest.
PIECES = ["ACGU" * 20, "acgt" * 15 + "\n", "ACGUTACGUT" * 6 + "\r\n", "\n>", "\r>", "\n", "\r", "\r\n", ">", "> x y"]
PIECES += list("ACGUTacgutNnRYSWKMBDHVIXEFLPQZ*-. \t\v\f|é\x01")


def parse(data: bytes) -> fasta.Records:
    return fasta.parse(np.frombuffer(bytearray(data), np.uint8))


# The first call compiles, or loads what was compiled.
parse(b">a\nA")
hexadecimal_digests(np.frombuffer(b"A", np.uint8), np.array([0, 1]))
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map(lambda pieces: (">r1\n" + "".join(pieces)).encode())


def read(data: bytes, block: int, piece: int = 7) -> list[tuple[str, str]]:
    """(header, normalised sequence) of all records, from blocks of about so many bytes."""
    before = fasta.BLOCK, fasta.PIECE
    fasta.BLOCK, fasta.PIECE = block, 16 + block // 8
    try:
        pieces = (data[at : at + piece] for at in range(0, len(data), piece))
        blocks = list(fasta.blocks("x.fa", pieces))
    finally:
        fasta.BLOCK, fasta.PIECE = before
    assert max(map(len, blocks)) <= 3 * block + 2 * (16 + block // 8) + 64, "a block is larger than three, and a header"
    parsed = [fasta.parse(text) for text in blocks]
    return [
        (f"{identifier} {description}".strip(), sequence)
        for records in parsed
        for identifier, description, sequence in zip(
            records.identifiers, records.descriptions, records.sequences.to_pylist(), strict=True
        )
    ]


def biopython(data: bytes) -> list[tuple[str, bytes]]:
    """(header, sequence as written)"""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="latin-1")
    return [
        (one_space(title.encode("latin-1").decode()), sequence.encode("latin-1"))
        for title, sequence in SimpleFastaParser(lines)
    ]


def one_space(title: str) -> str:
    """A header with one space after its first word, and a Ctrl-A after that."""
    identifier, description = re.fullmatch(r"[ \t\v\f]*([^ \t\v\f\x01]*)[ \t\v\f]*(.*?)[ \t\v\f]*", title).groups()
    return f"{identifier} {description}".strip()


@given(TEXTS)
def test_a_block_is_what_biopython_reads(data):
    assert read(data, 1 << 20) == [(title, normalise(sequence)) for title, sequence in biopython(data)]


@given(TEXTS, st.integers(1, 200))
def test_no_cut_is_seen_and_a_long_record_stays_long(data, block):
    expected = [(title, normalise(sequence)) for title, sequence in biopython(data)]
    longest = max(len(title) for title, _ in expected)
    found = read(data, block + longest + 8)
    assert [title for title, _ in found] == [title for title, _ in expected]
    for (_, sequence), (_, whole) in zip(found, expected, strict=True):
        assert sequence == whole or len(whole) > len(sequence) >= block + longest + 8


@given(TEXTS)
def test_kinds_count_what_the_rules_ask_for(data):
    kinds = parse(data).kinds
    for counts, (_, raw) in zip(kinds.T, biopython(data), strict=True):
        letters, sequence = raw.upper(), normalise(raw)
        assert counts[GAP] == sum(map(letters.count, (b"-", b".")))
        assert counts[AMBIGUITY] == sum(map(sequence.count, "RYKMSWBDHV"))
        assert counts[[UNKNOWN, PROTEIN, BRACKET]].sum() == sequence.count("N")
        assert counts[BRACKET] == sum(letters.count(byte) for byte in (b"<", b">", b"("))
        assert counts[PROTEIN] == sum(letters.count(byte) for byte in (b"E", b"F", b"L", b"P", b"Q", b"Z", b"*"))


@pytest.mark.parametrize("width", [1, 59, 60, 61, 63, 64, 65, 80, 127, 128, 10**9])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_wrapping(width, ending):
    rng = np.random.default_rng(width)
    sequences = ["".join(rng.choice(list("ACGUacguN"), length)) for length in (60, 61, 1000, 1, 240)]
    lines = []
    for number, sequence in enumerate(sequences):
        lines += [f">r{number}", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    data = ending.join(lines).encode()
    expected = [(f"r{number}", normalise(sequence)) for number, sequence in enumerate(sequences)]
    assert read(data, 1 << 20) == read(data + ending.encode(), 1100) == expected


@pytest.mark.parametrize("odd", ["N", "n", "-", ".", "R", "I", " ", "\t", ">", "*", "NN", "-" * 70])
def test_an_odd_byte_anywhere_in_a_stride(odd):
    lines = ["ACGU" * 40 for _ in range(2 * fasta.STRIDE + 3)]
    lines = [line[:place] + odd + line[place:] for place, line in enumerate(lines, 1)]
    data = "".join(f">r{number}\n{line}\n" for number, line in enumerate(lines)).encode()
    for cut in (0, 1, fasta.STRIDE):  # near the end of a text no stride is left
        text = data[: len(data) - cut]
        expected = [normalise(line) for line in lines]
        expected[-1] = normalise(lines[-1][: len(lines[-1]) + min(0, 1 - cut)])
        assert parse(text).sequences.to_pylist() == expected


def test_ends_of_lines_may_be_of_two_kinds():
    """The last record of a block begins after a carriage return, an earlier one after a line feed."""
    data = b">0\n" + b"A" * 45 + b"\n>1\r" + b"C" * 20 + b"\r>2\r" + b"G" * 20 + b"\r>3\r" + b"T" * 45 + b"\r>4\rA\r"
    for size in range(20, 120):
        assert [name for name, _ in read(data, size)] == list("01234")


def test_a_chromosome_on_one_line_is_a_block_and_its_neighbours_are_whole():
    data = b">a\nGGAU\n>chromosome 1\n" + b"ACGT" * 50_000 + b"\n>b\nCC\n>gaps\n" + b"-" * 9_000 + b"GAU\n>c\nA"
    found = dict(read(data, 1000))
    assert {name: sequence for name, sequence in found.items() if name != "chromosome 1"} == {
        "a": "GGAT",
        "b": "CC",
        "gaps": "GAT",
        "c": "A",
    }
    assert 1000 <= len(found["chromosome 1"]) <= 2000


def test_a_long_record_stays_one_where_a_gap_stands_before_a_header_sign():
    found = read(b">r1\n->> x y\n" + b"ACGU" * 50 + b"\n>r2\nGG\n", 40)
    assert [name for name, _ in found] == ["r1", "r2"]
    assert found[0][1].startswith("NNNYACGT")


def test_headers_in_latin1_and_utf8():
    records = parse(b">a KOV\xc3\x81\xc4\x8cIK\nA\n>b M\xfcller\nC\n")
    assert records.identifiers.to_list() == ["a", "b"]
    assert records.descriptions.to_list() == ["KOVÁČIK", "Müller"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n\r\n\n", "is empty"),
        (b"hello\nACGT\n", "is not FASTA: its first line is 'hello'"),
        (b"\x89PNG\r\n", "is not FASTA"),
        (b">" + b"x" * 500, "has a header of more than 100 bytes"),
    ],
)
def test_what_is_no_fasta(data, message):
    with pytest.raises(InputError, match=message):
        read(data, 100)


@pytest.mark.parametrize("start", [b"\n\n ", b"\xef\xbb\xbf", b"\r\n"])
def test_blank_lines_or_a_mark_before_the_first_record(start):
    assert read(start + b">a b\nAC", 5) == [("a b", "AC")]


@given(st.lists(st.integers(0, 300), max_size=200), st.integers(0, 2**32 - 1))
def test_digests_are_those_of_hashlib(lengths, seed):
    ends = np.append(0, np.cumsum(lengths, dtype=np.int64))
    letters = np.random.default_rng(seed).choice(np.frombuffer(b"ACGTN", np.uint8), ends[-1])
    expected = [hashlib.md5(letters[start:end]).hexdigest() for start, end in pairwise(ends)]
    found, halves = hexadecimal_digests(letters, ends)
    assert [bytes(row).decode() for row in found] == expected
    assert halves.tolist() == [int(digest[:16], 16) for digest in expected]


def test_digest_of_a_long_sequence():
    letters = np.tile(np.frombuffer(b"ACGTTGCA", np.uint8), 100_000)
    (found,), _ = hexadecimal_digests(letters, np.array([0, len(letters)]))
    assert bytes(found).decode() == hashlib.md5(letters).hexdigest()
