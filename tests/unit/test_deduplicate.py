"""Exact deduplication on the real RNAs of the demo: what merges, what stays named, and that every record is counted."""

from collections import defaultdict

import made_corpus as made
import polars as pl
import pytest
from rnalm.corpus import deduplication
from rnalm.errors import InputError
from rnalm.sequences import runs
from rnalm.sequences.alphabet import digest, normalise


@pytest.fixture(scope="module")
def shards():
    """Two sources: all demo records without types; every third one again, lower case with U, typed, in other names."""
    records = made.real_records()
    central = [(f"URS{number}", sequence, None) for number, (_, sequence) in enumerate(records)]
    family = [
        (f"F{number}", sequence.lower().replace("t", "u"), "tRNA" if number % 2 else None)
        for number, (_, sequence) in enumerate(records[::3])
    ]
    own = [("OWN", "ACGU" * 30, "made")]
    return {"rnacentral": made.shard("rnacentral", central), "rfam": made.shard("rfam", family + own)}


@pytest.fixture(scope="module")
def manifests(shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("normalised")
    return [
        made.write_normalised(folder / "rnacentral", "rnacentral", shards["rnacentral"], too_short=7, too_many_n=2),
        made.write_normalised(folder / "rfam", "rfam", shards["rfam"]),
    ]


@pytest.fixture(scope="module")
def output(manifests, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    made.succeed(
        "deduplicate",
        normalised=manifests,
        threads=2,
        ledger=folder / "ledger.csv",
        manifest=folder / "sequences/manifest.json",
    )
    return folder


def test_equals_a_dictionary_of_sequences(shards, output):
    expected = defaultdict(list)
    for source in ("rnacentral", "rfam"):
        for row in sorted(shards[source].iter_rows(named=True), key=lambda row: row["accession"]):
            expected[row["sequence"]].append(row)
    found = pl.read_parquet(output / "sequences/part-*.parquet")
    assert found["digest"].to_list() == sorted(map(digest, expected))
    assert found.schema["length"] == pl.Int32
    for row in found.iter_rows(named=True):
        records = expected[row["sequence"]]
        assert row["digest"] == digest(row["sequence"])
        assert row["length"] == len(row["sequence"])
        assert row["sources"] == [{"source": r["source"], "accession": r["accession"]} for r in records]
        assert row["rna_type"] == next((r["rna_type"] for r in records if r["rna_type"]), None)


def test_u_t_and_case_merge_across_sources(output):
    raw = made.real_records()[0][1]
    row = pl.read_parquet(output / "sequences/part-*.parquet").row(
        by_predicate=pl.col("digest") == digest(normalise(raw)), named=True
    )
    assert {record["source"] for record in row["sources"]} == {"rnacentral", "rfam"}
    assert row["sources"][0]["source"] == "rnacentral"


def test_ledger_accounts_for_every_record(shards, output):
    ledger = {(row["source"], row["rule"]): row["records"] for row in pl.read_csv(output / "ledger.csv").to_dicts()}
    unique = len(made.real_sequences())
    total = shards["rnacentral"].height
    assert ledger == {
        ("rnacentral", "in"): total + 9,
        ("rnacentral", "kept"): unique,
        ("rnacentral", "merged"): total - unique,
        ("rnacentral", "too_short"): 7,
        ("rnacentral", "too_many_n"): 2,
        ("rfam", "in"): shards["rfam"].height,
        ("rfam", "kept"): 1,
        ("rfam", "merged"): shards["rfam"].height - 1,
    }


def test_two_runs_write_the_same_bytes_on_one_thread_or_two(manifests, output, tmp_path):
    made.succeed(
        "deduplicate",
        normalised=manifests,
        threads=1,
        ledger=tmp_path / "l.csv",
        manifest=tmp_path / "sequences/manifest.json",
    )
    assert (tmp_path / "l.csv").read_bytes() == (output / "ledger.csv").read_bytes()
    parts = sorted((output / "sequences").glob("*.parquet"))
    assert parts
    for part in parts:
        assert part.read_bytes() == (tmp_path / "sequences" / part.name).read_bytes()


def test_many_runs_and_ranges_hold_the_same_rows(shards, output, tmp_path, monkeypatch):
    """Runs of 100 records, in memory or in row groups of 12, are merged into 32 parts."""
    monkeypatch.setattr(runs, "ROWS_PER_GROUP", 12)
    monkeypatch.setattr(deduplication, "RECORDS_PER_PART", 100)
    sources = []
    for name, frame in shards.items():
        parts = []
        for number, start in enumerate(range(0, frame.height, 100)):
            records = frame[start : start + 100].with_columns(runs.KEY)
            parts.append(records if number % 3 == 0 else tmp_path / f"{name}-{number}.parquet")
            if number % 3:
                runs.write(records, parts[-1], runs.PASSING)
        dropped = {"dropped.too_short": 7, "dropped.too_many_n": 2} if name == "rnacentral" else {}
        counts = {"records": frame.height + sum(dropped.values()), "kept": frame.height, **dropped}
        sources.append(deduplication.counted(name, tmp_path, parts, counts))
    folder = tmp_path / "out"
    folder.mkdir()
    ledger = deduplication.deduplicate(sources, folder, threads=2)
    assert pl.DataFrame(ledger).equals(pl.read_csv(output / "ledger.csv"))
    parts = [pl.read_parquet(path) for path in sorted(folder.iterdir())]
    assert len(parts) == 32
    assert pl.concat(parts).equals(pl.read_parquet(output / "sequences/part-*.parquet"))


def test_ranges_without_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(deduplication, "RECORDS_PER_PART", 10)
    frame = made.shard("rfam", [(f"A{number:03d}", "ACGT" * 9, None) for number in range(100)])
    source = deduplication.counted("rfam", tmp_path, [frame.with_columns(runs.KEY)], {"records": 100, "kept": 100})
    found = deduplication.deduplicate([source], tmp_path, threads=2)
    assert [(row["rule"], row["records"]) for row in found] == [("in", 100), ("kept", 1), ("merged", 99)]
    parts = [pl.read_parquet(path) for path in sorted(tmp_path.iterdir())]
    assert len(parts) == 8 and pl.concat(parts)["sources"].list.len().to_list() == [100]


def test_digests_that_begin_alike_are_two():
    frame = made.shard("rfam", [("B", "ACGT" * 9, None), ("A", "ACGA" * 9, None), ("C", "ACGT" * 9, None)])
    one, other = (frame["digest"][0][:16] + 16 * letter for letter in "0f")
    forged = frame.with_columns(digest=pl.Series([other, one, other])).with_columns(runs.KEY, rank=0)
    records, again = deduplication.ordered(forged)
    assert records["accession"].to_list() == ["A", "B", "C"] and again.tolist() == [False, False, True]


def test_a_source_given_twice(shards, tmp_path):
    manifest = made.write_normalised(tmp_path / "n", "rfam", shards["rfam"])
    twice = [deduplication.read_source(manifest)] * 2
    with pytest.raises(InputError, match="rfam: is given more than once"):
        deduplication.deduplicate(twice, tmp_path, 2)


def rerun(output, manifest):
    return made.run(
        "deduplicate",
        normalised=manifest,
        threads=2,
        ledger=output / "ledger.csv",
        manifest=output / "sequences/manifest.json",
    )


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_truncated_shard_fails_and_leaves_outputs(shards, output, tmp_path):
    manifest = made.write_normalised(tmp_path, "rfam", shards["rfam"])
    part = tmp_path / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    before = snapshot(output)
    assert "part-00000.parquet" in made.one_line_error(rerun(output, manifest))
    assert snapshot(output) == before


def test_lost_rows_fail_the_ledger(shards, output, tmp_path):
    manifest = made.write_normalised(tmp_path, "rfam", shards["rfam"], records=shards["rfam"].height + 5)
    before = snapshot(output)
    assert f"read {shards['rfam'].height + 5} records" in made.one_line_error(rerun(output, manifest))
    assert snapshot(output) == before


@pytest.mark.parametrize("sequence", ["ACGT" * 11, "ACGT" * 9 + "ACGA"], ids=["other length", "same length"])
def test_two_sequences_of_one_digest_never_merge(shards, tmp_path, sequence):
    honest = made.shard("rfam", [("A", "ACGT" * 9 + "ACGG", None)])
    forged = honest.with_columns(sequence=pl.lit(sequence), accession=pl.lit("B"))
    manifest = made.write_normalised(tmp_path / "n", "rfam", pl.concat([honest, forged]))
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="does not belong to its digest"):
        deduplication.deduplicate([deduplication.read_source(manifest)], tmp_path / "out", 2)


def test_wrong_length_is_found_without_a_duplicate(shards, tmp_path):
    frame = shards["rfam"].with_columns(length=pl.col("length") + 1)
    with pytest.raises(InputError, match="does not belong to its digest"):
        deduplication.unique(*deduplication.ordered(frame.with_columns(runs.KEY, rank=0)))


def test_missing_manifest(tmp_path):
    assert "none.json" in made.one_line_error(rerun(tmp_path, tmp_path / "none.json"))


def test_empty_set(tmp_path):
    manifest = made.write_normalised(tmp_path / "n", "rfam", made.shard("rfam", []), too_short=3)
    assert "no sequence is left" in made.one_line_error(rerun(tmp_path / "out", manifest))
    assert not (tmp_path / "out/sequences").exists()
