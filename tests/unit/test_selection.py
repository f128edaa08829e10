"""Rule sets that choose records: the shipped ones on real titles, each condition, the tally, and wrong rules."""

import gzip
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from real_data import from_data
from rnalm.errors import InputError
from rnalm.sequences import fasta, headers
from rnalm.sequences.formats import fasta_text
from rnalm.sequences.readers import read_fasta
from rnalm.sequences.selection import NOT_SELECTED, Tally, load

ROOT = Path(__file__).parents[2]
RULES = ROOT / "resources/nt_rules.yaml"


def records(*rows):
    """A table of (accession, description, taxid, length, molecule_type), of which the last ones may be left out."""
    default = ("X1.1", "a title", None, 100, None)
    names = {"accession": pl.String, "description": pl.String, "taxid": pl.Int32}
    names |= {"length": pl.Int32, "molecule_type": pl.String}
    return pl.DataFrame([(*row, *default[len(row) :]) for row in rows], schema=names, orient="row")


def records_of(path, format, source):
    found = fasta.parse(np.frombuffer(bytearray(b"".join(fasta_text(path, format))), np.uint8))
    parsed = headers.parse(found.identifiers, found.descriptions, source)
    return parsed.with_columns(length=pl.from_arrow(found.sequences).str.len_bytes())


def deciding(selection, *rows):
    return selection.apply(records(*rows)).rows()


def rules(tmp_path, *settings):
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"mine": list(settings)}))
    return path


@pytest.mark.parametrize(
    ("record", "rule", "kept"),
    [
        (("XR_1.1", "Homo sapiens anything, misc_RNA"), "refseq_rna", True),
        (("NM_1.1", "Homo sapiens ribosomal RNA processing 1 (RRP1), mRNA"), "refseq_mrna", False),
        (("X1", "Bacillus subtilis strain 168 16S ribosomal RNA, partial sequence"), "title", True),
        (("X1", "homo sapiens MICRORNA 21 (MIR21), microRNA"), "title", True),
        (("X1", "Arabidopsis thaliana other RNA (AT1G01046), ncRNA"), "title", True),
        (("X1", "Signal recognition particle SRP RNA of Zea mays"), "title", True),
        (("X1", "16S ribosomal RNA", None, 10_000), "title", True),
        (("X1", "16S ribosomal RNA", None, 10_001), "title_too_long", False),
        (("X1", "Homo sapiens long intergenic non-protein coding RNA 1, lncRNA"), "title_vetoed", False),
        (("X1", "Uncultured fungus clone 1 18S ribosomal RNA gene"), "title_vetoed", False),
        (("X1", "Methanobrevibacter ruminantium M1 chromosome, complete genome"), NOT_SELECTED, False),
        (("X1", "Homo sapiens small nucleolar RNA, C/D box 32B"), NOT_SELECTED, False),
        (("X1", "tRNAs and others"), NOT_SELECTED, False),
        (("X1", ""), NOT_SELECTED, False),
    ],
)
def test_titles_of_nt(record, rule, kept):
    assert deciding(load(RULES, "nt_titles"), record) == [(rule, kept)]


@pytest.mark.parametrize("name", yaml.safe_load(RULES.read_text()))
def test_nt_records_that_are_no_ncrna_are_rejected_by_every_shipped_set(name):
    # Eleven genuine nt records, mRNA, genes and satellites: the reject set.
    path = from_data("ncbi/blastdb_v5_nt_mini/nt_mini.blastdbcmd.fasta")
    decisions = load(RULES, name).apply(records_of(path, "fasta", "nt"))
    assert decisions.height == 11
    assert not decisions["kept"].any()


@pytest.mark.parametrize("name", yaml.safe_load(RULES.read_text()))
def test_refseq_flat_files_are_kept_by_every_shipped_set(name):
    found = [
        load(RULES, name).apply(records_of(path, "genbank", "refseq"))
        for path in sorted(from_data("ncbi/refseq_gbff").glob("*.gbff"))
    ]
    assert pl.concat(found)["kept"].to_list() == [True] * 15


def test_real_rrna_of_nt():
    decisions = load(RULES, "nt_titles").apply(records_of(from_data("ncbi/fungi-ssu.r100.fa"), "fasta", "nt"))
    titles = [record.description for record in read_fasta(from_data("ncbi/fungi-ssu.r100.fa"))]
    assert decisions["kept"].to_list() == [" clone " not in title for title in titles]
    assert set(decisions["rule"]) == {"title", "title_vetoed"}


def test_the_first_rule_that_holds_decides(tmp_path):
    path = rules(
        tmp_path,
        {"name": "short", "decision": "reject", "max_length": 10},
        {"name": "mouse", "decision": "keep", "taxids": [10090]},
        {"name": "mouse_too", "decision": "reject", "taxids": [10090], "min_length": 50},
        {"name": "rest", "decision": "keep"},
    )
    rows = [("a", "", 10090, 10), ("a", "", 10090, 11), ("a", "", 10090, 50), ("a", "", None, 50)]
    assert deciding(load(path, "mine"), *rows) == [
        ("short", False),
        ("mouse", True),
        ("mouse", True),
        ("rest", True),
    ]


CONDITIONS = {
    "accession_prefixes": (["NR_", "XR_"], [("NR_1",), ("XR_2.1",)], [("NM_1",), ("XNR_1",), ("",)]),
    "accession_list": ("list.txt.gz", [("A1",), ("A1.7",), ("B2.1",)], [("B2",), ("B2.2",), ("A11",), ("A1.b",)]),
    "title": (r"\brRNA\b", [("x", "16S rRNA"), ("x", "RRNA é")], [("x", "rRNAs"), ("x", "")]),
    "veto": ("chromosome", [("x", "rRNA"), ("x", "")], [("x", "a CHROMOSOME")]),
    "min_length": (50, [("x", "", None, 50)], [("x", "", None, 49)]),
    "max_length": (50, [("x", "", None, 50)], [("x", "", None, 51)]),
    "taxids": ([9606, 7], [("x", "", 9606), ("x", "", 7)], [("x", "", 10090), ("x", "", None)]),
    "taxid_list": ("taxids.txt", [("x", "", 9606), ("x", "", 7)], [("x", "", 8), ("x", "", None)]),
    "molecule_types": (["tRNA"], [("x", "", 1, 9, "tRNA")], [("x", "", 1, 9, "mRNA"), ("x", "", 1, 9, None)]),
}


@pytest.mark.parametrize("key", CONDITIONS)
def test_conditions(tmp_path, key):
    value, hold, hold_not = CONDITIONS[key]
    (tmp_path / "list.txt.gz").write_bytes(gzip.compress(b"# of mine\nA1\n\n  B2.1 a note # too\n"))
    (tmp_path / "taxids.txt").write_text("9606\r\n7\tE. coli\r\n")
    selection = load(rules(tmp_path, {"name": "it", "decision": "keep", key: value}), "mine")
    assert deciding(selection, *hold) == [("it", True)] * len(hold)
    assert deciding(selection, *hold_not) == [(NOT_SELECTED, False)] * len(hold_not)
    files = [tmp_path / "rules.yaml"] + ([tmp_path / value] if key.endswith("_list") else [])
    assert selection.files == tuple(files)


def test_every_key_of_the_schema_is_tested_and_explained():
    schema = yaml.safe_load((ROOT / "workflow/schemas/selection_rule.schema.yaml").read_text())
    assert set(schema["properties"]) == {"name", "decision", *CONDITIONS}
    explained = RULES.read_text().split("nt_titles:")[0]
    assert all(f"#   {key} " in explained for key in schema["properties"])


def test_all_conditions_of_a_rule_have_to_hold(tmp_path):
    rule = {"name": "it", "decision": "keep", "title": "RNA", "veto": "mRNA", "max_length": 100, "taxids": [9606]}
    selection = load(rules(tmp_path, rule), "mine")
    held = ("x", "rRNA", 9606, 100)
    assert deciding(selection, held) == [("it", True)]
    for number, value in ((1, "DNA"), (1, "RNA of mRNA"), (2, 1), (2, None), (3, 101)):
        assert deciding(selection, (*held[:number], value, *held[number + 1 :])) == [(NOT_SELECTED, False)]


def test_no_records():
    decisions = load(RULES, "nt_titles").apply(records())
    assert decisions.schema == {"rule": pl.String, "kept": pl.Boolean}
    assert decisions.is_empty()


def test_the_tally_counts_every_record_and_shows_the_first_ones(tmp_path):
    selection = load(RULES, "nt_titles")
    table = records(
        *[(f"X{i}.1", f"{i} rRNA {'long ' * 100}", None, 200 + i) for i in range(5)],
        ("NM_1.1", "mRNA"),
        ("Y1.1", ""),
    )
    tally = Tally(selection)
    tally.add(table, selection.apply(table))
    notes = tally.notes()
    assert list(notes) == ["refseq_rna", "refseq_mrna", "title", "title_too_long", "title_vetoed", NOT_SELECTED]
    assert notes["refseq_rna"] == {"kept": 0, "examples": []}
    assert notes["refseq_mrna"] == {"rejected": 1, "examples": ["NM_1.1 mRNA (100 nt)"]}
    assert notes["title"]["kept"] == 5
    assert [example[:10] for example in notes["title"]["examples"]] == ["X0.1 0 rRN", "X1.1 1 rRN", "X2.1 2 rRN"]
    assert notes["title"]["examples"][2].endswith(" (202 nt)")
    assert max(map(len, notes["title"]["examples"])) < 150
    assert notes[NOT_SELECTED]["rejected"] == 1


def test_a_tally_in_parts_is_the_tally_of_all():
    selection, chosen = load(RULES, "nt_titles"), random.Random(0)
    titles = ["16S rRNA", "mRNA", "clone 16S rRNA", "chromosome", "NR"]
    table = records(*[(f"{chosen.choice(['NR_', 'NM_', 'X'])}{i}", chosen.choice(titles)) for i in range(200)])
    whole = Tally(selection)
    whole.add(table, selection.apply(table))
    parts = Tally(selection)
    for start in range(0, 200, 7):
        part = Tally(selection)
        part.add(table[start : start + 7], selection.apply(table[start : start + 7]))
        parts.merge(part)
    assert parts.notes() == whole.notes()
    counts = [count for note in whole.notes().values() for count in note.values() if isinstance(count, int)]
    assert sum(counts) == 200


KEEP = {"name": "it", "decision": "keep"}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({**KEEP, "titel": "x"}, "rule it: unknown key 'titel'; the nearest known key is 'title'"),
        ({**KEEP, "decision": "drop"}, "rule it: key 'decision' is wrong: 'drop' is not one of"),
        ({"decision": "keep"}, "rule 2: key 'name' is missing"),
        ({"name": "it"}, "rule it: key 'decision' is missing"),
        ({"name": "It is", "decision": "keep"}, "rule It is: key 'name' is wrong"),
        ({"name": "first", "decision": "keep"}, "rule first: has a name that is taken"),
        ({"name": NOT_SELECTED, "decision": "keep"}, "has a name that is taken"),
        ({**KEEP, "title": "("}, "rule it: key 'title' is no regular expression"),
        ({**KEEP, "veto": "(?!x)"}, "rule it: key 'veto' is no regular expression"),
        ({**KEEP, "max_length": "10kb"}, "rule it: key 'max_length' is wrong: '10kb' is not of type 'integer'"),
        ({**KEEP, "taxids": ["human"]}, "rule it: key 'taxids.0' is wrong"),
        ({**KEEP, "accession_prefixes": "NR_"}, "rule it: key 'accession_prefixes' is wrong"),
        ({**KEEP, "accession_list": "none.txt"}, "none.txt: does not exist"),
        ({**KEEP, "accession_list": "empty.txt"}, "empty.txt: lists nothing"),
        ({**KEEP, "accession_list": "cut.txt.gz"}, "cut.txt.gz: is truncated or corrupt"),
        ({**KEEP, "taxid_list": "words.txt"}, "words.txt: holds 'human', which is no taxonomy id"),
        ("keep NR_", "rules.yaml, mine: is no list of rules"),
    ],
)
def test_wrong_rules_end_in_one_line(tmp_path, rule, message):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "words.txt").write_text("human\n")
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"A1\n" * 1000)[:-9])
    with pytest.raises(InputError) as caught:
        load(rules(tmp_path, {"name": "first", "decision": "reject"}, rule), "mine")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_set_that_is_none(tmp_path):
    with pytest.raises(InputError, match="has no set of rules 'nt_title'; the nearest known key is 'nt_titles'"):
        load(RULES, "nt_title")
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        load(tmp_path / "none.yaml", "x")
