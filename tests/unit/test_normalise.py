"""The normalise stage on real records: what is kept, what is dropped and why, and what ends it."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars
import pytest
from Bio import SeqIO
from real_data import from_data
from rnalm.errors import InputError
from rnalm.provenance import outputs
from rnalm.sequences import fasta, normalisation, selection
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.normalisation import File, Rules, Source

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/rfam/fasta_files"
TITLES = selection.load(ROOT / "resources/nt_rules.yaml", "nt_titles")
RULES = Rules(min_length=16, max_length=8192, max_n_fraction=0.1)
UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"


def run_library(files, folder, source="rfam", rules=RULES, threads=2):
    folder.mkdir(exist_ok=True)
    counts, _, _ = normalisation.normalise(Source(source, source, files), rules, folder, threads)
    kept = polars.read_parquet(folder / "part-*.parquet")
    dropped = polars.read_parquet(folder / "dropped.parquet")
    assert counts["records"] == counts["kept"] + dropped.height
    assert kept.height == counts["kept"]
    assert Counter(dropped["rule"]) == {k[8:]: n for k, n in counts.items() if k.startswith("dropped.")}
    return counts, kept, dropped


def test_the_demo_families_as_biopython_reads_them(tmp_path):
    files = sorted(DEMO.glob("*.fa.gz"))
    counts, kept, dropped = run_library([File(path, rna_type=path.name) for path in files], tmp_path)
    assert counts == {"records": 3251, "kept": 3250, "dropped.too_many_n": 1}
    assert dropped.rows() == [("CRY.MOR./1-89", "too_many_n")]
    expected = []
    for path in files:
        with gzip.open(path, "rt") as handle:
            for record in SeqIO.parse(handle, "fasta"):
                dna = str(record.seq).upper().replace("U", "T").replace("X", "N")
                title = record.description.partition(" ")[2]
                expected.append((digest(dna), dna, len(dna), path.name, None, "rfam", record.id, title))
    assert kept.rows() == sorted((row for row in expected if row[-2] != "CRY.MOR./1-89"), key=lambda row: row[0])
    assert kept.schema["length"] == polars.Int32


def test_runs_are_sorted_and_do_not_depend_on_blocks_and_threads(tmp_path, monkeypatch):
    files = [File(DEMO / "SSU_bact.fa.gz"), File(DEMO / "tRNA.fa.gz")]
    _, whole, _ = run_library(files, tmp_path / "one")
    monkeypatch.setattr(normalisation, "RUN_BYTES", 50_000)
    monkeypatch.setattr(normalisation, "DROPPED_BYTES", 100)
    monkeypatch.setattr(fasta, "BLOCK", 9_000)
    monkeypatch.setattr(fasta, "PIECE", 1_000)
    for threads in (1, 3):
        _, parts, _ = run_library(files, tmp_path / f"{threads}", threads=threads)
        assert parts.sort("digest", "accession").equals(whole.sort("digest", "accession"))
    parts = sorted((tmp_path / "3").glob("part-*"))
    assert len(parts) > 3
    for path in parts:
        part = polars.read_parquet(path)
        assert part["digest"].is_sorted()
        assert part.estimated_size() < 100_000
        assert path.read_bytes() == (tmp_path / "1" / path.name).read_bytes()


def test_rna_types_of_rnacentral(tmp_path):
    path = from_data("rnacentral/rnacentral_active.sample.fasta")
    counts, kept, _ = run_library([File(path)], tmp_path, "rnacentral")
    assert counts["records"] == 1400
    types = kept["rna_type"].value_counts()
    assert types.height == 28
    assert types["count"].max() == 50
    assert kept["rna_type"].null_count() == 0
    assert not kept["sequence"].str.contains("U").any()


def test_nt_records_that_are_no_ncrna_are_not_selected(tmp_path):
    # Eleven genuine nt records, mRNA, genes and satellites: the reject set.
    path = from_data("ncbi/blastdb_v5_nt_mini/nt_mini.blastdbcmd.fasta")
    counts, kept, dropped = run_library([File(path, selection=TITLES)], tmp_path, "nt")
    assert counts == {"records": 11, "kept": 0, "dropped.not_selected": 11}
    assert "X51700.1" in dropped["accession"].to_list()
    assert kept.is_empty()


def test_what_a_selection_decided_is_told(tmp_path, monkeypatch):
    path = from_data("ncbi/fungi-ssu.r100.fa")
    monkeypatch.setattr(fasta, "BLOCK", 20_000)
    monkeypatch.setattr(fasta, "PIECE", 2_000)
    source = Source("nt", "nt", [File(path, selection=TITLES)])
    counts, notes, _ = normalisation.normalise(source, RULES, tmp_path, 2)
    decided = {rule: note.get("kept", note.get("rejected")) for rule, note in notes["nt_titles"].items()}
    assert sum(decided.values()) == counts["records"] == 100
    assert decided["title"] == counts["kept"] > 0
    assert len(notes["nt_titles"]["title"]["examples"]) == 3
    assert not polars.read_parquet(tmp_path / "part-*")["accession"].str.contains("|", literal=True).any()


def test_every_rule_has_its_name(tmp_path):
    path = tmp_path / "x.fa"
    records = {
        "good": "GGAUCC" * 10,
        "too_short": "GGAUCC",
        "too_long": "ACGU" * 50,
        "too_many_n": "ACGUNX" * 10,
        "not_nucleotide": "MKVSTAWYRSDGHCKMNVTA",
        "gaps_only": "-" * 60,
    }
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    _, kept, dropped = run_library([File(path)], tmp_path / "out", rules=Rules(16, 100, 0.1))
    assert kept["accession"].to_list() == ["good"]
    expected = [(name, name) for name in records if name not in ("good", "gaps_only")]
    assert dropped.rows() == [*expected, ("gaps_only", "too_short")]


def test_the_first_rule_that_applies_drops(tmp_path):
    """A chromosome goes by its length, or by its title where there is a selection, however it is cut."""
    path = tmp_path / "x.fa"
    path.write_text(">c1 chromosome\n" + "NR" * 30_000 + "\n>r 16S ribosomal RNA\nGGAUCCGGAUCCGGAUCC\n")
    _, kept, dropped = run_library([File(path)], tmp_path / "all")
    assert (kept["accession"].to_list(), dropped.rows()) == (["r"], [("c1", "too_long")])
    _, kept, dropped = run_library([File(path, selection=TITLES)], tmp_path / "nt")
    assert (kept["accession"].to_list(), dropped.rows()) == (["r"], [("c1", "not_selected")])


@pytest.mark.parametrize("limits", [(0, 10, 0.1), (10, 9, 0.1), (1, 1 << 30, 0.1), (1, 9, 1.5)])
def test_limits_that_are_none(limits):
    with pytest.raises(InputError, match="is no"):
        Rules(*limits)


@pytest.fixture
def project(tmp_path):
    return stage_in(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose stage has run once, and what it wrote, which no later run may change."""
    run = stage_in(tmp_path_factory.mktemp("finished"))
    result, manifest = run("good.fa", GOOD)
    assert result.returncode == 0, result.stderr
    return run, contents(manifest.parent)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stage_in(tmp_path):
    """A retrieved release of one FASTA file; returns a function that writes the file and runs the stage."""
    retrieved, manifest = tmp_path / "retrieved/manifest.json", tmp_path / "out/rfam/manifest.json"
    retrieved.parent.mkdir()

    def run(name, content):
        if content is not None:
            (retrieved.parent / name).write_bytes(content)
        files = [{"path": name, "format": "fasta", "use": "corpus", "rna_type": None, "select": None}]
        retrieved.write_text(json.dumps({"outputs": [], "notes": {"files": files, "database": "rfam"}}))
        command = [sys.executable, ROOT / "scripts/normalise.py", "--source", "rfam", "--release", "t"]
        command += ["--retrieved", retrieved, "--threads", "2", "--manifest", manifest]
        command += ["--min-length", "16", "--max-length", "8192", "--max-n-fraction", "0.1"]
        return subprocess.run(command, capture_output=True, text=True), manifest

    return run


GOOD = b">rna1 good\n" + b"GGAUCC" * 10 + b"\n"


def bad_inputs():
    trna = (DEMO / "tRNA.fa.gz").read_bytes()
    return {
        "a protein in it": ("p.fa", GOOD + b">P0CG48 ubiquitin\n" + UBIQUITIN.encode() + b"\n", "record P0CG48: is a"),
        "empty": ("e.fa", b"", "e.fa: is empty"),
        "truncated gz": ("t.fa.gz", trna[: len(trna) // 2], "t.fa.gz: is truncated or corrupt"),
        "missing": ("m.fa", None, "m.fa: does not exist"),
        "header without sequence": ("h.fa", GOOD + b">rna2\n", "record rna2: has a header but no sequence"),
        "no FASTA": ("n.fa", b"hello\n", "n.fa: is not FASTA"),
    }


@pytest.mark.parametrize("case", bad_inputs())
def test_bad_inputs_end_in_one_line_and_leave_earlier_outputs(finished, case):
    run, before = finished
    name, content, message = bad_inputs()[case]
    result, manifest = run(name, content)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert contents(manifest.parent) == before
    assert [path.name for path in manifest.parent.parent.iterdir()] == ["rfam"]


def test_a_bad_input_leaves_nothing_behind(project):
    result, manifest = project("p.fa", f">p\n{UBIQUITIN}\n".encode())
    assert result.returncode == 2
    assert not manifest.parent.exists()


def test_the_stage_and_its_manifest(project):
    result, manifest = project("good.fa", GOOD + b">rna2\nGGAU\n")
    assert result.returncode == 0, result.stderr
    assert json.loads(manifest.read_text())["counts"] == {"records": 2, "kept": 1, "dropped.too_short": 1}
    assert [path.name for path in outputs(manifest)] == ["dropped.parquet", "part-00000.parquet"]
    (row,) = polars.read_parquet(manifest.parent / "part-00000.parquet").rows()
    sequence = normalise("GGAUCC" * 10)
    assert row == (digest(sequence), sequence, 60, None, None, "rfam", "rna1", "good")
