"""`rnalm corpus`: files of any format -> a corpus with its ledger, as others script against it."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from made_corpus import one_line_error, real_records
from real_data import from_data
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


def test_files_that_no_corpus_left_are_not_replaced(tmp_path):
    """OUT/sequences is replaced: whoever keeps the input there must not lose it."""
    (tmp_path / "sequences").mkdir()
    fasta = tmp_path / "sequences/mine.fa"
    fasta.write_text(">a\nGGAUCCGGAUCCGGAUCC\n")
    assert "holds mine.fa" in one_line_error(corpus(fasta, "--out", tmp_path))
    assert fasta.read_text() == ">a\nGGAUCCGGAUCCGGAUCC\n"
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text('{"stage": "leakage", "outputs": []}')
    assert "is no manifest of the stage deduplicate" in one_line_error(corpus(fasta, "--out", tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new\nline.fa"], r"'new\nline': has control characters"),
        (["--source", "a\tb=good.fa"], r"'a\tb': has control characters"),
        (["good.fa", "--out", "a[1]"], "a[1]: has one of the characters * ? ["),
        (["good.fa", "--out", "good.fa"], "good.fa/manifest.json: cannot be written or read (Not a directory)"),
        (["folder"], "folder: is a folder without a BLAST nucleotide database"),
        (["x.dbn"], "x.dbn: is a file of structures"),
        (["packed.fa"], "packed.fa: is compressed"),
        (["/dev/null"], "/dev/null: is a pipe or a device"),
        (["good.fa", "--min-length", "19"], "good: no sequence is left after normalisation (1 too_short)"),
    ],
)
def test_what_is_refused_before_anything_is_written(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("good.fa", "new\nline.fa", "x.dbn"):
        (tmp_path / name).write_text(">a\nGGAUCCGGAUCCGGAUCC\n")
    (tmp_path / "packed.fa").write_bytes(gzip.compress(b">a\nGGAUCCGGAUCCGGAUCC\n"))
    (tmp_path / "folder").mkdir()
    assert message in one_line_error(corpus("--out", "out", *arguments))
    assert not [path for path in tmp_path.glob("*/*") if path.is_file()]


def test_names_of_files_may_be_odd(tmp_path):
    names = ["a b.fa", "é.fa", "[x]*?.fa", "a=b.fa", "..fa", "UPPER.FA.GZ", 'comma,".fa']
    for name in names:
        text = b">a\nGGAUCCGGAUCCGGAUCC\n"
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    done = corpus(*[tmp_path / name for name in names], f"--source=..={tmp_path}/é.fa", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {source for source, _ in ledger(tmp_path / "out")} >= {"a b", "é", "[x]*?", "a=b", "UPPER", 'comma,"', ".."}
    assert provenance.load(tmp_path / "out/manifest.json")["counts"] == {"in": 8, "kept": 1, "merged": 7, "dropped": 0}


def test_two_files_of_one_stem_are_no_source_by_chance(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.fa").write_text(f">{folder}\nACGUACGUACGUACGUACGU\n")
    done = corpus(tmp_path / "a/x.fa", tmp_path / "b/x.fa", "--out", tmp_path / "out")
    assert "is not the only input named x" in one_line_error(done)
    named = [f"--source=x={tmp_path / folder / 'x.fa'}" for folder in ("a", "b")]
    assert corpus(*named, "--out", tmp_path / "out").returncode == 0
    assert ledger(tmp_path / "out")["x", "in"] == 2


@pytest.mark.skipif(shutil.which("blastdbcmd") is None, reason="BLAST+ is not installed")
def test_the_manifest_names_the_files_of_a_blast_database(tmp_path):
    folder = from_data("ncbi/blastdb_v5_nt_mini")
    done = corpus(f"--source=nt={folder}", "--out", tmp_path / "out", "--max-length", 100000)
    assert done.returncode == 0, done.stderr
    inputs = {Path(item["path"]).name for item in provenance.load(tmp_path / "out/manifest.json")["inputs"]}
    assert {"test_nucl.nsq", "test_nucl.ndb"} <= inputs
    assert all(name.startswith("test_nucl.n") for name in inputs)


def test_a_file_of_structures_under_the_name_of_fasta(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nGGGGAAAACCCCGGGGAAAACCCC\n((((....))))((((....))))\n")
    error = one_line_error(corpus(path, "--out", tmp_path / "out"))
    assert "x.fa, record a: has brackets in its sequence, as a structure has" in error


def test_stray_brackets_are_unknown_letters(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(f">a\n{'ACGU' * 10}({'ACGU' * 10}\n")
    assert corpus(path, "--out", tmp_path / "out").returncode == 0
    (part,) = (tmp_path / "out/sequences").glob("*.parquet")
    assert pl.read_parquet(part)["sequence"].to_list() == ["ACGT" * 10 + "N" + "ACGT" * 10]


def test_the_compiled_functions_are_loaded_without_linear_algebra():
    """And whoever wants it finds it afterwards."""
    code = (
        "import sys; from rnalm.commands import corpus; corpus.load_compiled(); "
        "assert 'scipy.linalg' not in sys.modules; import scipy.linalg; corpus.load_compiled()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
