"""`rnalm corpus`: files of any format -> a corpus with its ledger, as others script against it."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from made_corpus import one_line_error, real_records
from rnalm import provenance
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.readers import read_fasta

DEMO = Path(__file__).parents[2] / "resources/demo/rfam"
RNALM = Path(sys.executable).with_name("rnalm")


def corpus(*arguments):
    return subprocess.run([RNALM, "corpus", *map(str, arguments)], capture_output=True, text=True, env=os.environ)


def ledger(folder):
    return {(row["source"], row["rule"]): row["records"] for row in pl.read_csv(folder / "ledger.csv").to_dicts()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The demo's files as one source, and one of them again, in DNA and lower case, with what is dropped."""
    folder = tmp_path_factory.mktemp("corpus")
    other = folder / "other.fa.gz"
    with gzip.open(other, "wt") as handle:
        for record in read_fasta(DEMO / "fasta_files/tRNA.fa.gz"):
            handle.write(f">again_{record.accession} tRNA\n{record.sequence.lower().replace('u', 't')}\n")
        handle.write(">short\nGGAU\n>long\n" + "ACGU" * 5000 + "\n>no\n" + "ACGUN" * 10 + "\n")
    sources = [f"--source=rfam={path}" for path in sorted(DEMO.glob("fasta_files/*.fa.gz"))]
    done = corpus(*sources, f"--source=again={other}", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out", done


def test_sequences_are_the_distinct_ones_of_all_files(made):
    folder, _ = made
    found = pl.concat(pl.read_parquet(path) for path in provenance.outputs(folder / "manifest.json", ".parquet"))
    expected = {normalise(sequence) for accession, sequence in real_records() if accession != "CRY.MOR./1-89"}
    assert found["sequence"].to_list() == sorted(expected, key=digest)
    again = found.filter(pl.col("sources").list.eval(pl.element().struct.field("source") == "again").list.any())
    assert set(again["sources"].list.first().struct.field("source")) == {"rfam"}
    assert again["sources"].list.len().sum() >= 2 * again.height


def test_ledger_and_dropped_account_for_every_record(made):
    folder, done = made
    counts = ledger(folder)
    for source, records in (("rfam", len(real_records())), ("again", counts["again", "in"])):
        assert counts[source, "in"] == records
        assert sum(n for (name, rule), n in counts.items() if name == source and rule != "in") == records
    dropped = [line.split("\t") for line in (folder / "dropped.tsv").read_text().splitlines()]
    assert dropped == [
        ["source", "accession", "rule"],
        ["rfam", "CRY.MOR./1-89", "too_many_n"],
        ["again", "short", "too_short"],
        ["again", "long", "too_long"],
        ["again", "no", "too_many_n"],
    ]
    total = provenance.load(folder / "manifest.json")["counts"]
    assert total["in"] == total["kept"] + total["merged"] + total["dropped"]
    assert f"{total['kept']:,} kept" in done.stdout
    assert provenance.verify(folder / "manifest.json") == []
    assert {path.name for path in folder.iterdir()} == {"sequences", "ledger.csv", "dropped.tsv", "manifest.json"}


def test_a_second_run_leaves_the_same_bytes(made, tmp_path):
    folder, _ = made
    sources = [f"--source=rfam={path}" for path in sorted(DEMO.glob("fasta_files/*.fa.gz"))]
    for _ in range(2):
        done = corpus(*sources, f"--source=again={folder.parent / 'other.fa.gz'}", "--out", tmp_path)
        assert done.returncode == 0, done.stderr
    for path in (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"):
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes()


def test_sources_are_named_by_their_files_and_limits_are_taken(tmp_path):
    stockholm = tmp_path / "families.sto"
    stockholm.write_text("# STOCKHOLM 1.0\n#=GF AC RF1\n#=GF ID x\n\na/1-9  GGA-UCCGGA\nb/1-4 GGAU......\n//\n")
    fasta = tmp_path / "mine.v2.fasta.gz"
    fasta.write_bytes(gzip.compress(b">c\nGGATCCGGA\n>d\nGGATCCGGATCC\n"))
    done = corpus(stockholm, fasta, "--out", tmp_path / "out", "--min-length", 5, "--max-length", 11)
    assert done.returncode == 0, done.stderr
    counts = ledger(tmp_path / "out")
    assert counts == {
        ("families", "in"): 2,
        ("families", "kept"): 1,
        ("families", "merged"): 0,
        ("families", "too_short"): 1,
        ("mine.v2", "in"): 2,
        ("mine.v2", "kept"): 0,
        ("mine.v2", "merged"): 1,
        ("mine.v2", "too_long"): 1,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.fa"], "none.fa: does not exist"),
        ([], "has no input"),
        (["--source", "rfam"], "--source rfam: is not NAME=PATH"),
        (["good.fa", "--min-length", "20", "--max-length", "10"], "is no range of lengths: 20 to 10"),
        (["good.fa", "bad.fa"], "record x: has a header but no sequence"),
        (["good.fa", "--min-length", "100"], "no sequence is left"),
    ],
)
def test_bad_input_ends_in_one_line_and_leaves_an_earlier_corpus(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.fa").write_text(">a\nGGAUCCGGAUCCGGAUCC\n")
    (tmp_path / "bad.fa").write_text(">a\nGGAUCCGGAUCCGGAUCC\n>x\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/ledger.csv").write_text("earlier")
    assert message in one_line_error(corpus(*arguments, "--out", "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ledger.csv"]
    assert (tmp_path / "out/ledger.csv").read_text() == "earlier"
