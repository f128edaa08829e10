"""Damaged files of every format: refused in one line or accounted for. `make fuzz` does the same for 100,000."""

import shutil

import fuzz
import harness
import pytest
import seeds
from hypothesis import given, settings
from hypothesis import strategies as st

BATCHES, INPUTS = 10, 200
# Pieces that a file is made of; hypothesis finds the fewest that break something.
PIECES = [
    b">a one\n",
    b">b\r\n",
    b"> c d\r",
    b">",
    b"\n",
    b"\r\n",
    b"\r",
    b"ACGU" * 6,
    b"acgtn",
    b"MKLV",
    b"-",
    b" ",
    b"\0",
]
PIECES += [
    b"NNNNNNNN",
    b"RYK" * 8,
    b"\xc3\xa9",
    b"\xff",
    b"\x01",
    b"gi|1|ref|X.1|",
    b"\xef\xbb\xbf",
    b"\x1c",
    b"\x85",
    b"G" * 301,
]


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    if shutil.which("makeblastdb") is None:
        pytest.skip("NCBI BLAST+ is not installed")
    return seeds.blast_database(tmp_path_factory.mktemp("blast") / "made")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_inputs_are_refused_or_accounted_for(batch):
    outcomes, failures = fuzz.run_batch(range(batch * INPUTS, (batch + 1) * INPUTS), seed=0, database=None)
    assert failures == []
    assert outcomes.total() == INPUTS
    # Neither does everything fail nor is everything accepted, in any format.
    assert {
        (outcome, format) for outcome in ("refused", "accounted") for format in ("fasta", "genbank", "stockholm")
    } <= {*outcomes}


def test_databases_are_refused_or_accounted_for(database, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "FORMATS", {"blastdb": 1.0})
    outcomes, failures = fuzz.run_batch(range(30), seed=0, database=database)
    assert failures == []
    assert set(outcomes) == {("refused", "blastdb"), ("accounted", "blastdb")}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12), st.sampled_from(harness.BLOCKS))
def test_a_file_of_any_pieces(tmp_path_factory, pieces, block):
    folder = tmp_path_factory.mktemp("pieces")
    content = b"".join(pieces)
    path = folder / "input.fasta"
    path.write_bytes(content)
    batch = harness.Batch()
    harness.run(harness.Input(path, "fasta", content, block), "made", folder / "normalised", batch)
    harness.merge(batch, folder / "merged")
    shutil.rmtree(folder)


WHOLE = b">a\n" + b"ACGU" * 6 + b"\n>b\n" + b"GGCA" * 6 + b"\n>c\nAC\n"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (WHOLE.replace(b"GGCA", b"GGCC"), "kept sequences"),
        (WHOLE.replace(b">b", b">d"), "kept accessions"),
        (WHOLE.replace(b">c", b">d"), "dropped accessions"),
        (WHOLE + b">d\n" + b"CCCA" * 6, "kept sequences"),
        (WHOLE.replace(b"\n>b\n", b"\n"), "kept sequences"),
        (b"x" + WHOLE, "though it is damaged"),
    ],
)
def test_a_loss_would_be_noticed(tmp_path, other, message):
    """What is read from one file, held against another that has something else in it."""
    path = tmp_path / "input.fasta"
    path.write_bytes(WHOLE)
    folder = tmp_path / "normalised"
    folder.mkdir()
    outcome = harness.read(harness.Input(path, "fasta", WHOLE), "made", folder)
    assert len(harness.check(harness.Input(path, "fasta", WHOLE), outcome, folder)) == 2
    with pytest.raises(harness.Broken, match=message):
        harness.check(harness.Input(path, "fasta", other), outcome, folder)
