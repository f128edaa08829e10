"""The benchmark on few records: the records are what they claim to be, and the script runs to its tables."""

import gzip
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import corpus
import made_records
import measure
import numpy as np
import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser
from rnalm import files

HERE = Path(__file__).parent
PAGE = "# Title\n\n<!-- tables: begin -->\nearlier tables\n<!-- tables: end -->\n\nafter\n"


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> list[tuple[str, str]]:
    path = tmp_path_factory.mktemp("made") / "made.fasta"
    made_records.write([path], 20_000, dna=0.5)
    with open(path) as handle:
        return list(SimpleFastaParser(handle))


def test_lengths_are_those_of_rnacentral(records):
    lengths = [len(sequence) for _, sequence in records]
    shares = np.histogram(lengths, [0, 100, 200, 400, 600, 1024, 8193])[0] / len(records)
    assert shares == pytest.approx([0.21, 0.10, 0.22, 0.20, 0.08, 0.19], abs=0.02)
    assert 16 <= min(lengths) < 30
    assert 7000 < max(lengths) <= 8192


def test_duplicates_letters_and_names(records):
    assert len({header.split()[0] for header, _ in records}) == len(records) == 20_000
    unique = {hashlib.md5(sequence.upper().replace("U", "T").encode()).digest() for _, sequence in records}
    assert 0.12 < 1 - len(unique) / len(records) < 0.16
    shares = [sum(map(holds, (sequence for _, sequence in records))) / len(records) for holds in LETTERS]
    assert shares == pytest.approx([0.1, 0.45, 0.45, 0.015], abs=0.01)
    assert records[1][0].endswith(" species") and " from " in records[1][0]


LETTERS = (str.islower, lambda s: "U" in s, lambda s: "T" in s, lambda s: "N" in s.upper())


def test_records_depend_on_seed_and_number_only(tmp_path, monkeypatch):
    made_records.write([tmp_path / "a.fasta", tmp_path / "a.fasta.gz"], 3000, dna=0.0)
    whole = (tmp_path / "a.fasta").read_bytes()
    monkeypatch.setattr(made_records, "BUFFER", 50_000)
    made_records.write([tmp_path / "b.fasta"], 3000, dna=0.0)
    made_records.write([tmp_path / "c.fasta"], 3000, dna=0.0, seed=2)
    assert (tmp_path / "b.fasta").read_bytes() == whole != (tmp_path / "c.fasta").read_bytes()
    assert b"T" not in b"".join(line for line in whole.split(b"\n") if not line.startswith(b">"))
    assert gzip.decompress((tmp_path / "a.fasta.gz").read_bytes()) == whole


def test_a_process_tree_is_measured(tmp_path):
    child = f"held = bytearray({200 << 20}); held[::4096] = b'x' * len(held[::4096]); import time; time.sleep(2)"
    parent = f"import subprocess, sys; held = b'x' * {100 << 20}; subprocess.run([sys.executable, '-c', {child!r}])"
    writer = f"open({str(tmp_path / 'f')!r}, 'wb').write(bytes(1 << 20)); import sys; print(len(sys.stdin.read()))"
    log = tmp_path / "log"
    cost = measure.run([[sys.executable, "-c", parent], [sys.executable, "-c", writer]], tmp_path, log, cores=1)
    assert 300 << 20 < cost.peak_memory_bytes < 400 << 20
    assert 1 << 20 <= cost.peak_disk_bytes < 2 << 20
    assert cost.wall_seconds > 2 and 0 < cost.cpu_seconds < cost.wall_seconds + 0.05
    assert log.read_text() == "0\n"
    with pytest.raises(measure.CommandFailed, match="wrong"):
        measure.run([[sys.executable, "-c", "raise SystemExit('wrong')"]], tmp_path, log, cores=1)


@pytest.mark.skipif(shutil.which("seqkit") is None, reason="seqkit is not installed")
def test_the_benchmark_runs_to_its_tables(tmp_path):
    page, numbers = tmp_path / "page.md", tmp_path / "numbers.json"
    page.write_text(PAGE)
    command = [sys.executable, HERE / "corpus.py", "--work", tmp_path / "work", "--numbers", numbers, "--page", page]
    sizes = [
        "--cluster-up-to",
        "2000",
        "--seqkit-records",
        "1500",
        "--repetitions",
        "1",
        "--records",
        "1000",
        "2000",
        "3000",
    ]
    done = subprocess.run(list(map(str, [*command, *sizes])), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    text = page.read_text()
    assert text.startswith("# Title\n") and text.endswith("\nafter\n") and "earlier tables" not in text
    measured = files.read_json(numbers)
    assert len({run["kept"] for run in measured["seqkit"]["runs"]}) == 1
    assert [run["records"] for run in measured["left_half"]["runs"]] == [1000, 2000, 3000]
    assert [list(run["stages"]) for run in measured["left_half"]["runs"]] == [corpus.STAGES, corpus.STAGES, ["corpus"]]
    for title in ("Beside seqkit", "The left half", "| 36,000,000 | cluster |", "| 100,000,000 | draw |"):
        assert title in text
    assert not (tmp_path / "work").exists()
