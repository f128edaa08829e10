"""Strand audit of clusters: planted reverse complements are found, from 20 nt on and down to 75 % identity."""

import random

import made_corpus as made
import numpy as np
import polars as pl
import pytest
from rnalm import provenance
from rnalm.corpus import strands

COMPLEMENT = str.maketrans("ACGTRYKMSWBDHVN", "TGCAYRMKSWVHDBN")
FLAGS = {"min_seq_id": 0.7, "coverage": 0.8, "split_memory_limit": "0", "threads": 2}


def reverse_complement(sequence: str) -> str:
    return sequence.translate(COMPLEMENT)[::-1]


def mutated(sequence: str, identity: float, generator) -> str:
    """With 1 - identity of its letters substituted, but for 17 in a row, which linclust needs to compare two."""
    first = generator.randrange(len(sequence) - 16)
    places = [place for place in range(len(sequence)) if not first <= place < first + 17]
    letters = list(sequence)
    for place in generator.sample(places, min(len(places), round((1 - identity) * len(sequence)))):
        letters[place] = generator.choice([letter for letter in "ACGT" if letter != letters[place]])
    return "".join(letters)


def compare(folder, clusters: list[list[str]]) -> pl.DataFrame:
    """Strands of clusters of sequences, each headed by its representative; the corpus lies in two files."""
    sequences = [sequence for members in clusters for sequence in members]
    first = np.repeat(np.cumsum([0, *map(len, clusters[:-1])]), list(map(len, clusters))).astype(np.uint32)
    frame = pl.DataFrame({"sequence": sequences, "length": list(map(len, sequences))})
    parts = [folder / "a.parquet", folder / "b.parquet"]
    for part, rows in zip(parts, (frame[: len(frame) // 3], frame[len(frame) // 3 :]), strict=True):
        rows.write_parquet(part)
    found = strands.compare(parts, first, folder / "working")
    assert not (folder / "working").exists()
    assert found["row"].to_list() == [row for row in range(len(sequences)) if first[row] != row]
    assert found["representative"].to_list() == first[found["row"].to_list()].tolist()
    return found


@pytest.mark.parametrize("length", [20, 35, 75, 120, 500, 3000])
@pytest.mark.parametrize("identity", [1.0, 0.9, 0.75])
def test_planted_strands(length, identity, tmp_path):
    generator = random.Random(f"{length} {identity}")
    clusters, truth = [], []
    for _ in range(60):
        representative = "".join(generator.choices("ACGT", k=length))
        members = [mutated(representative, identity, generator) for _ in range(4)]
        clusters.append([representative, *members[:2], *map(reverse_complement, members[2:])])
        truth += ["+", "+", "-", "-"]
    assert compare(tmp_path, clusters)["strand"].to_list() == truth


def test_real_rnas_with_hairpins(tmp_path):
    originals = random.Random(1).sample([rna for rna in made.real_sequences() if len(rna) >= 60], 200)
    found = compare(tmp_path, [[rna, rna[:-1], reverse_complement(rna)] for rna in originals])
    assert found["strand"].to_list() == ["+", "-"] * 200


def test_each_shared_kmer_counts_once(tmp_path):
    unit = "ACGTTGCAAGCTCA"
    found = compare(tmp_path, [[unit, 5 * unit, reverse_complement(5 * unit), unit + "N" + unit]])
    assert found["plus"].to_list() == [4, 0, 4]
    assert found["minus"].to_list() == [0, 4, 0]


def test_undecided_for_a_reason(tmp_path):
    generator = random.Random(2)
    half = "".join(generator.choices("ACGT", k=40))
    inverted_repeat = half + reverse_complement(half)
    other = "".join(generator.choices("ACGT", k=80))
    ambiguous = "".join("RYKMSWBDHVNI"[place % 12] if place % 8 == 0 else half[place % 40] for place in range(80))
    found = compare(tmp_path, [[inverted_repeat, inverted_repeat[:-1]], [other, half, ambiguous, 80 * "N"]])
    assert found["strand"].to_list() == ["both", "neither", "neither", "neither"]


def test_a_letter_that_is_no_base_ends_kmers(tmp_path):
    """The k-mers on both sides of it still count, those across it do not."""
    generator = random.Random(3)
    rna = "".join(generator.choices("ACGT", k=60))
    for letter in "RYKMSWBDHVNI":
        (member,) = compare(tmp_path, [[rna, rna[:30] + letter + rna[31:]]]).to_dicts()
        assert (member["plus"], member["minus"], member["strand"]) == (20 + 19, 0, "+")


def test_buckets_change_nothing(tmp_path, monkeypatch):
    """However small: a cluster is cut over buckets, each with a copy of the representative."""
    generator = random.Random(4)
    clusters = []
    for size in (1, 2, 30, 1, 5):
        representative = "".join(generator.choices("ACGT", k=100))
        members = [mutated(representative, 0.8, generator) for _ in range(size - 1)]
        clusters.append([representative, *(reverse_complement(member) for member in members)])
    whole = compare(tmp_path, clusters)
    assert whole["strand"].to_list() == ["-"] * 34
    for letters in (1, 250, 1000):
        monkeypatch.setattr(strands, "LETTERS", letters)
        assert compare(tmp_path, clusters).equals(whole)


def test_no_cluster_of_several(tmp_path):
    found = compare(tmp_path, [["ACGT" * 10], ["TTGCA" * 10]])
    assert found.is_empty()
    assert strands.summary(found, pl.Series(["a", "b"]))["clusters"] == 0


# The stage


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The stage with and without split_strands on real RNAs, half of them with three mutated reverse complements.

    Returns the folder and the digests of the originals.
    """
    folder = tmp_path_factory.mktemp("planted")
    generator = random.Random(5)
    originals = generator.sample([rna for rna in made.real_sequences() if len(rna) >= 100], 60)
    reversed_rnas = [reverse_complement(mutated(rna, 0.95, generator)) for rna in originals[:30] for _ in range(3)]
    sequences = {made.digest(rna): rna for rna in originals + reversed_rnas}
    manifest = made.write_sequences(folder / "sequences", sequences)
    for name, flags in (("whole", FLAGS), ("split", FLAGS | {"split_strands": []})):
        made.succeed(
            "cluster", sequences=manifest, state=folder / "state", manifest=folder / name / "manifest.json", **flags
        )
    return folder, {made.digest(rna) for rna in originals}


def result(folder):
    clusters = dict(pl.read_parquet(folder / "clusters.parquet").iter_rows())
    return clusters, pl.read_csv(folder / "strands.csv"), provenance.load(folder / "manifest.json")


def test_stage_reports_strands(planted):
    folder, originals = planted
    clusters, table, manifest = result(folder / "whole")
    notes, parameters = manifest["notes"]["strands"], manifest["parameters"]
    assert parameters["split_strands"] is False
    mixed = {home for digest, home in clusters.items() if (digest in originals) != (home in originals)}
    found = table.filter(pl.col("strand") == "-")
    assert 25 < notes["mixed"] == len(mixed) == found["representative"].n_unique()
    assert notes["reversed"] == found.height
    assert all((row["digest"] in originals) != (row["representative"] in originals) for row in found.to_dicts())
    assert all(clusters[row["digest"]] == row["representative"] for row in table.to_dicts())
    assert notes["members"] == sum(digest != home for digest, home in clusters.items())
    assert notes["undecided"] == {"both": 0, "neither": 0}
    assert notes["clusters"] == len({home for digest, home in clusters.items() if digest != home})
    assert len(notes["examples"]) == 10
    for example in notes["examples"]:
        assert found.filter(digest=example["digest"], representative=example["representative"]).height == 1


def test_split_strands(planted):
    folder, originals = planted
    whole, _, _ = result(folder / "whole")
    clusters, table, manifest = result(folder / "split")
    assert manifest["parameters"]["split_strands"] is True
    reversed_members = dict(table.filter(pl.col("strand") == "-").select("digest", "representative").iter_rows())
    assert set(clusters) == set(whole)
    assert all((digest in originals) == (home in originals) for digest, home in clusters.items())
    for digest, home in clusters.items():
        assert clusters[home] == home
        if digest in reversed_members:
            assert whole[digest] == whole[home] == reversed_members[digest]
        else:
            assert home == whole[digest]
    assert manifest["counts"]["clusters"] == len(set(whole.values())) + len(set(reversed_members.values()))


def test_new_representative_is_nearest_to_the_old_one():
    compared = pl.DataFrame(
        {
            "row": [1, 2, 3, 5, 6],
            "representative": [0, 0, 0, 4, 4],
            "minus": [7, 9, 9, 5, 0],
            "strand": ["-", "-", "-", "-", "+"],
        }
    )
    assert strands.split(np.array([0, 0, 0, 0, 4, 4, 4], np.uint32), compared).tolist() == [0, 2, 2, 2, 4, 5, 4]
