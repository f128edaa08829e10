"""The page of a corpus: its numbers are those of the files, with and without what a config may leave out."""

import html
import re
from pathlib import Path

import polars as pl
import pytest
from report_fixture import frame, write_stage
from rnalm.corpus import leakage as search
from rnalm.evaluation import corpus_page

LEDGER = [("rfam", "in", 1009), ("rfam", "kept", 5), ("rfam", "excluded", 1), ("rfam", "merged", 2)]
LEDGER += [("rfam", "too_short", 1001)]
LEDGER += [("nt", "in", 3), ("nt", "kept", 1), ("nt", "merged", 0), ("nt", "not_selected", 2)]
ITEMS = ["split", "part", "id", "digest", "length"]
STRANDS = {"clusters": 3, "mixed": 1, "members": 4, "reversed": 1, "undecided": {"both": 7, "neither": 8}}
RULES = {"titles": {"title": {"kept": 1, "examples": ["X1 <b>16S</b> rRNA (90 nt)"]}}}


def csv(path: Path, columns: list[str], rows: list[tuple]) -> Path:
    return frame(path, pl.DataFrame(rows, schema=columns, orient="row"))


def normalised(folder: Path, source: str, dropped: list[tuple], **notes) -> Path:
    """The manifests of a download, with a licence or none, and of its normalisation."""
    path = folder / f"resources/{source}/x.fa"
    path.parent.mkdir(parents=True)
    path.write_text(">a\nACGU")
    licence = {"licence": "CC0", "note": f"about {source}"} if source == "rfam" else {}
    retrieved = write_stage("retrieve", path.with_name("manifest.json"), [], [path], **licence)
    table = pl.DataFrame(dropped, schema=["accession", "rule"], orient="row")
    path = frame(folder / f"normalised/{source}/dropped.parquet", table)
    parameters = {"source": source, "release": "1.0"}
    return write_stage("normalise", path.with_name("manifest.json"), [retrieved], [path], {}, parameters, **notes)


def leakage(folder: Path) -> list[Path]:
    """Nine of ten items have a relative in the corpus; those of five are excluded."""
    items = pl.DataFrame([("TS0", "test", f"rna{n}", f"d{n}", 50) for n in range(10)], schema=ITEMS, orient="row")
    hits = [
        ("corpus", "forward", f"rna{n}", f"d{n}", "gone" if n < 5 else "stays", "identical", 1.0, 1.0, 1.0, 50)
        for n in range(9)
    ]
    hits = pl.DataFrame(hits, schema=search.HITS, orient="row")
    nearest = search.nearest_relatives(items, "corpus", hits.lazy(), 0.8)
    rows = [
        ("TS0", "test", target, strand, identity, 10, 9, 0.9)
        for target in ("corpus", "train")
        for strand in ("forward", "reverse")
        for identity in (0.5, 1.0)
    ]
    columns = ["split", "part", "target", "strand", "identity", "items", "covered", "fraction"]
    tables = {"nearest.parquet": nearest, "hits.parquet": hits}
    return [
        csv(folder / "summary.csv", columns, rows),
        *(frame(folder / name, table) for name, table in tables.items()),
    ]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> corpus_page.Sources:
    folder = tmp_path_factory.mktemp("corpus")
    rows = [(str(n), 60 + n, "tRNA" if n else None, [{"source": "rfam", "accession": str(n)}]) for n in range(6)]
    parts = pl.DataFrame(rows, schema=["digest", "length", "rna_type", "sources"], orient="row")
    sequences = frame(folder / "sequences/part-00000.parquet", parts)
    members = pl.DataFrame({"digest": list("012345"), "cluster": list("000335")})
    clusters = frame(folder / "clusters/clusters.parquet", members)
    counts = {"sequences": 6, "clusters": 3, "singletons": 1, "largest": 3}
    audit = folder / "audit"
    sets = ("corpus", "clusters", "validation", "epoch-000")
    shares = [(of, name, some, 1.0, 1.0) for of, name in (("length", "50-99"), ("rna_type", "tRNA")) for some in sets]
    draws = ["draw", "clusters", "drawn_once", "drawn_repeatedly", "not_drawn", "nucleotides", "fragments"]
    tables = [
        csv(audit / "composition.csv", ["by", "class", "set", "sequences", "fraction"], shares),
        csv(audit / "coverage.csv", draws, [("validation", 1, 1, 0, 0, 65, 0), ("epoch-000", 2, 2, 0, 0, 4321, 1)]),
        csv(audit / "members.csv", ["size_from", "draws", "members", "expected"], [(2, 1, 2, 1.67)]),
    ]
    audited = {"epochs": 1, "training_clusters": 2, "validation_clusters": 1, "training_sequences": 5}
    searched = leakage(folder / "leakage")
    asked = {"task": "folding", "coverage": 0.8}
    exclude = {"sets": ["folding/TS0"], "identity": 0.9, "coverage": 0.75, "scope": "clusters"}
    excluded = frame(folder / "excluded/excluded.parquet", pl.DataFrame({"digest": ["gone"]}))
    changed = csv(folder / "delta/x.csv", ["a"], [("b",)])
    delta = {"sequences.new": 5678, "sequences.withdrawn": 2, "clusters.born": 1}
    dropped = [(f"short{n}", "too_short") for n in range(1001)]

    def manifest(stage, path, counts=None, parameters=None, **notes):
        return write_stage(stage, folder / f"{stage}.manifest.json", [], path, counts, parameters, **notes)

    return corpus_page.Sources(
        corpus="made",
        normalised=[
            normalised(folder, "rfam", dropped),
            normalised(folder, "nt", [("X2", "not_selected"), ("X3", "not_selected")], selection=RULES),
        ],
        sequences=manifest("deduplicate", [sequences]),
        clusters=manifest("cluster", [clusters], counts, {"split_strands": False}, strands=STRANDS),
        audit=manifest("draw_audit", tables, audited | {"drawn_sequences": 2, "dispersion": 1.25}),
        ledger=csv(folder / "ledger.csv", ["source", "rule", "records"], LEDGER),
        leakage=[manifest("leakage", searched, {}, asked)],
        excluded=manifest("exclude", [excluded], {"excluded": 1}, exclude),
        delta=manifest("delta", [changed], delta, {"previous": "earlier"}),
    )


def text(page: str) -> str:
    """What a reader sees, with single spaces."""
    shown = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def test_numbers_of_a_corpus_with_everything(sources):
    shown = text(corpus_page.build(sources))
    for words in (
        "1,012 records in from 2 sources",
        "1,004 records left out excluded, too short, not selected",
        "6 unique sequences 375 nt; 2 records merged",
        "3 clusters each gives one sequence per epoch 1 clusters of one the largest has 3 members",
        "1 held-out clusters for validation",
        "rfam 1.0 1 7 B 1,009 5 2 1,002 CC0",
        "nt 1.0 1 7 B 3 1 0 2 not stated",
        "rfam too short 1,001 short0, short1, short2",
        "How records of nt were chosen",
        "X1 <b>16S</b> rRNA (90 nt)",
        "0 3 60–62 not stated, tRNA",
        "Of 3 clusters with more than one member, 1 mix strands : 1 of 4 members",
        "Undecided are 7 that resemble both strands, such as hairpins, and 8",
        "As a table: folding Split",
        "As a table: folding, what is excluded taken out",
        "TS0 test corpus forward 10 40.0 % 40.0 %",
        "1 sequences are kept from training because they resemble items of folding/TS0: identity of at least 0.9 over "
        "at least 75 % of an item, with all mates of their clusters.",
        "epoch-000 2 2 0 0 4,321 1",
        "the variance of the draws is 1.250 times",
        "This corpus updates earlier : 5,678 sequences are new",
    ):
        assert words in shown, words


def test_what_a_config_leaves_out_is_not_there(sources):
    ledger = sources.ledger.with_name("plain.csv")
    rules = pl.read_csv(sources.ledger).filter(pl.col("rule") != "excluded")
    rules.write_csv(ledger)
    plain = vars(sources) | {"leakage": [], "excluded": None, "delta": None, "ledger": ledger}
    shown = text(corpus_page.build(corpus_page.Sources(**plain)))
    assert "No downstream task is configured." in shown
    assert "Nothing is excluded from training for the sake of a benchmark" in shown
    assert "Since the last corpus" not in shown
    assert "what is excluded taken out" not in shown
