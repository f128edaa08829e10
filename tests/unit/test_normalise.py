"""The normalise stage on real records: what is kept, what is dropped and why, and what ends it."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars
import pytest
import yaml
from Bio import SeqIO
from rnalm.errors import InputError
from rnalm.provenance import outputs
from rnalm.sequences import normalisation
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.headers import ensembl_type, load_title_rule, rnacentral_type
from rnalm.sequences.normalisation import Rules, normalise_files
from rnalm.sequences.releases import File

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/rfam/fasta_files"
DATA = ROOT.parent / "shared" / "data"
TITLES = load_title_rule(ROOT / "resources/nt_rules.yaml")
RULES = Rules(min_length=16, max_length=8192, max_n_fraction=0.1)
UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"


def from_data(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


def entry(path, rna_type=None):
    return path, File(path.name, "fasta", "corpus", rna_type=rna_type)


def run_library(files, folder, source="rfam", rules=RULES):
    folder.mkdir(exist_ok=True)
    counts = normalise_files(files, source, rules, folder)
    kept = polars.read_parquet(folder / "part-*.parquet")
    dropped = polars.read_parquet(folder / "dropped.parquet")
    assert counts["records"] == counts["kept"] + dropped.height
    assert kept.height == counts["kept"]
    assert Counter(dropped["rule"]) == {k[8:]: n for k, n in counts.items() if k.startswith("dropped.")}
    return counts, kept, dropped


def test_the_demo_families_as_biopython_reads_them(tmp_path):
    files = sorted(DEMO.glob("*.fa.gz"))
    counts, kept, dropped = run_library([entry(path, path.name) for path in files], tmp_path)
    assert counts == {"records": 3251, "kept": 3250, "dropped.too_many_n": 1}
    assert dropped.rows() == [("CRY.MOR./1-89", "too_many_n")]
    expected = []
    for path in files:
        with gzip.open(path, "rt") as handle:
            for record in SeqIO.parse(handle, "fasta"):
                dna = str(record.seq).upper().replace("U", "T").replace("X", "N")
                expected.append((digest(dna), dna, len(dna), path.name, "rfam", record.id))
    assert kept.rows() == [row for row in expected if row[-1] != "CRY.MOR./1-89"]
    assert kept.schema["length"] == polars.Int32


def test_shards_are_bounded_and_together_the_same(tmp_path, monkeypatch):
    files = [entry(DEMO / "SSU_bact.fa.gz"), entry(DEMO / "tRNA.fa.gz")]
    _, whole, _ = run_library(files, tmp_path / "one")
    monkeypatch.setattr(normalisation, "SHARD_LETTERS", 50_000)
    monkeypatch.setattr(normalisation, "SHARD_RECORDS", 300)
    _, parts, _ = run_library(files, tmp_path / "many")
    assert parts.equals(whole)
    sizes = [polars.read_parquet(path) for path in sorted((tmp_path / "many").glob("part-*"))]
    assert len(sizes) > 5
    assert max(part.height for part in sizes) <= 300
    assert max(part["length"].sum() for part in sizes) < 50_000 + 1600


def test_rna_types_of_rnacentral(tmp_path):
    path = from_data("rnacentral/rnacentral_active.sample.fasta")
    counts, kept, _ = run_library([entry(path)], tmp_path, "rnacentral")
    assert counts["records"] == 1400
    types = kept["rna_type"].value_counts()
    assert types.height == 28
    assert types["count"].max() == 50
    assert kept["rna_type"].null_count() == 0
    assert not kept["sequence"].str.contains("U").any()


def test_rna_types_of_headers():
    assert rnacentral_type("rRNA from 1 species") == "rRNA"
    assert rnacentral_type("Homo sapiens (human) ZNF451 regulatory antisense RNA") is None
    ensembl = "ncrna chromosome:GRCh38:6:29550026:29550109:1 gene:ENSG00000201330.1 gene_biotype:snoRNA "
    assert ensembl_type(ensembl + "transcript_biotype:scaRNA gene_symbol:SNORD32B") == "scaRNA"
    assert ensembl_type(ensembl) == "snoRNA"
    assert ensembl_type("ncrna:miRNA chromosome:AGI:1:1:90:1") == "miRNA"
    assert ensembl_type("cdna") is None


def test_nt_records_that_are_no_ncrna_are_dropped_by_title(tmp_path):
    # Eleven genuine nt records, mRNA, genes and satellites: the reject set.
    path = from_data("ncbi/blastdb_v5_nt_mini/nt_mini.blastdbcmd.fasta")
    rules = Rules(16, 8192, 0.1, TITLES)
    counts, kept, dropped = run_library([entry(path)], tmp_path, "nt", rules)
    assert counts == {"records": 11, "kept": 0, "dropped.title": 11}
    assert "X51700.1" in dropped["accession"].to_list()
    assert kept.is_empty()


@pytest.mark.parametrize(
    ("title", "accepted"),
    [
        ("Bacillus subtilis strain 168 16S ribosomal RNA, partial sequence", True),
        ("Homo sapiens long intergenic non-protein coding RNA 1, lncRNA", False),  # "protein" vetoes: a known miss
        ("Homo sapiens small nucleolar RNA, C/D box 32B (SNORD32B), small nucleolar RNA", False),
        ("Homo sapiens microRNA 21 (MIR21), microRNA", True),
        ("Homo sapiens vault RNA 1-1 (VTRNA1-1), vault RNA", True),
        ("Arabidopsis thaliana other RNA (AT1G01046), ncRNA", True),
        ("Signal recognition particle SRP RNA of Zea mays", True),
        ("Methanobrevibacter ruminantium M1 chromosome, complete genome", False),
        ("Homo sapiens ribosomal RNA processing 1 (RRP1), mRNA", False),
    ],
)
def test_titles(title, accepted):
    assert TITLES.accepts(title) == accepted


def test_real_rrna_of_nt(tmp_path):
    path = from_data("ncbi/fungi-ssu.r100.fa")
    counts, kept, _ = run_library([entry(path)], tmp_path, "nt", Rules(16, 8192, 0.1, TITLES))
    assert counts["kept"] + counts["dropped.title"] == 100
    assert counts["kept"] > 0
    assert not kept["accession"].str.contains("|", literal=True).any()


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
    _, kept, dropped = run_library([entry(path)], tmp_path / "out", rules=Rules(16, 100, 0.1))
    assert kept["accession"].to_list() == ["good"]
    expected = [(name, name) for name in records if name not in ("good", "gaps_only")]
    assert dropped.rows() == [*expected, ("gaps_only", "too_short")]


def test_a_title_rule_that_is_none(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("keep: rRNA\n")
    with pytest.raises(InputError, match=r"rules\.yaml: is no title rule"):
        load_title_rule(path)


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
    lock = {"rfam": {"t": {"base_url": "file:x", "note": "", "licence": "", "files": []}}}
    retrieved, manifest = tmp_path / "retrieved/manifest.json", tmp_path / "out/rfam/manifest.json"
    retrieved.parent.mkdir()
    retrieved.write_text(json.dumps({"outputs": []}))

    def run(name, content):
        if content is not None:
            (retrieved.parent / name).write_bytes(content)
        lock["rfam"]["t"]["files"] = [{"path": name, "format": "fasta", "use": "corpus"}]
        (tmp_path / "lock.yaml").write_text(yaml.safe_dump(lock))
        command = [sys.executable, ROOT / "scripts/normalise.py", "--source", "rfam", "--release", "t"]
        command += ["--lock", tmp_path / "lock.yaml", "--retrieved", retrieved, "--manifest", manifest]
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
    assert row == (digest(sequence), sequence, 60, None, "rfam", "rna1")
