"""Hold-out and epoch draws: every row is a function of (seed, epoch, cluster), whatever else the corpus holds."""

import hashlib

import made_corpus as made
import polars as pl
import pytest
from rnalm.corpus import draws

FLAGS = {"seed": 42, "validation_fraction": 0.2, "crop": 90, "rows_per_shard": 100}


def grouped(sequences, size: int) -> pl.DataFrame:
    """Clusters of up to 2 * size - 1 members, by the hash of a member's first letters: uneven and stable."""
    frame = pl.DataFrame({"sequence": sequences}).with_columns(
        digest=pl.Series([made.digest(sequence) for sequence in sequences]),
        group=pl.Series([hashlib.md5(sequence[:6].encode()).digest()[0] % size for sequence in sequences]),
    )
    frame = frame.with_columns(chunk=pl.int_range(pl.len()).over("group") // (pl.col("group") + 1))
    return frame.with_columns(cluster=pl.col("digest").min().over("group", "chunk")).select("digest", "cluster")


@pytest.fixture(scope="module")
def sequences():
    return {made.digest(sequence): sequence for sequence in made.real_sequences()}


@pytest.fixture(scope="module")
def clusters(sequences):
    return grouped(list(sequences.values()), 8).sort("cluster", "digest")


@pytest.fixture(scope="module")
def inputs(sequences, clusters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    return {
        "sequences": made.write_sequences(folder / "sequences", sequences),
        "clusters": made.write_clusters(folder / "clusters", clusters),
    }


@pytest.fixture(scope="module")
def drawn(inputs, tmp_path_factory):
    """The folder with epochs 0 and 1 and the validation draw, made by the scripts."""
    folder = tmp_path_factory.mktemp("draws")
    for epoch in (0, 1):
        made.succeed("draw", epoch=epoch, manifest=folder / str(epoch) / "manifest.json", **inputs, **FLAGS)
    made.succeed("hold_out", manifest=folder / "validation/manifest.json", **inputs, **FLAGS)
    return folder


def rows(folder) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path) for path in sorted(folder.glob("shard-*.parquet")))


def test_every_cluster_once_and_on_one_side(drawn, clusters):
    validation = set(rows(drawn / "validation")["cluster"])
    for epoch in ("0", "1"):
        training = rows(drawn / epoch)["cluster"]
        assert training.is_unique().all()
        assert not validation & set(training)
        assert validation | set(training) == set(clusters["cluster"])
    assert 0.15 < len(validation) / clusters["cluster"].n_unique() < 0.25


def test_members_belong_to_their_cluster(drawn, clusters):
    home = dict(clusters.iter_rows())
    for name in ("0", "1", "validation"):
        assert all(home[digest] == cluster for digest, cluster in rows(drawn / name).select("digest", "cluster").rows())


def test_epochs_draw_other_members_in_another_order(drawn, clusters):
    first, second = rows(drawn / "0"), rows(drawn / "1")
    sizes = clusters.group_by("cluster").len()
    both = first.join(second, on="cluster").join(sizes, on="cluster")
    same = both["digest"] == both["digest_right"]
    assert same.filter(both["len"] == 1).all()
    expected = (1 / both["len"]).sum()
    assert abs(same.sum() - expected) < 4 * expected**0.5
    assert abs(pl.select(pl.corr(both["row"], both["row_right"])).item()) < 0.1


def test_members_are_drawn_evenly(clusters):
    """Over many epochs every member of a cluster comes equally often."""
    epochs = 400
    one = clusters.filter(pl.len().over("cluster") == 5)
    chosen = pl.concat(draws.choose(one, 1, epoch) for epoch in range(epochs))
    counts = one.join(chosen.group_by("digest").len(), on="digest", how="left")["len"].fill_null(0)
    chi_square = ((counts - epochs / 5) ** 2 / (epochs / 5)).sum()
    freedom = 4 * one["cluster"].n_unique()
    assert abs(chi_square - freedom) < 4 * (2 * freedom) ** 0.5


def test_shards_hold_consecutive_rows(drawn):
    paths = sorted((drawn / "0").glob("shard-*.parquet"))
    shards = [pl.read_parquet(path) for path in paths]
    assert [path.name for path in paths] == [f"shard-{number:05d}.parquet" for number in range(len(paths))]
    assert len(shards) > 3 and {shard.height for shard in shards[:-1]} == {100}
    assert pl.concat(shards)["row"].to_list() == list(range(sum(shard.height for shard in shards)))
    assert shards[0].schema == {
        "row": pl.Int64,
        "digest": pl.String,
        "cluster": pl.String,
        "sequence": pl.String,
        "crop_start": pl.Int32,
        "is_fragment": pl.Boolean,
    }


def test_crops_are_windows_of_their_sequence(drawn, sequences):
    starts = []
    for row in rows(drawn / "0").iter_rows(named=True):
        whole = sequences[row["digest"]]
        assert row["is_fragment"] == (len(whole) > 90)
        assert 0 <= row["crop_start"] <= max(0, len(whole) - 90)
        assert row["sequence"] == whole[row["crop_start"] : row["crop_start"] + 90]
        starts += [row["crop_start"] / (len(whole) - 90)] if len(whole) > 180 else []
    assert len(starts) > 50 and 0.4 < sum(starts) / len(starts) < 0.6


def test_crops_reach_both_ends_and_move_with_the_epoch():
    digests = [made.digest(str(number)) for number in range(300)]
    frame = pl.DataFrame({"digest": digests, "sequence": "ACGTA", "length": 5})
    first, second = (draws.cropped(frame, 1, epoch, 3)["crop_start"].to_list() for epoch in (0, 1))
    assert set(first) == set(second) == {0, 1, 2}
    assert first != second
    whole = draws.cropped(frame, 1, 0, 5)
    assert set(whole["crop_start"]) == {0} and not whole["is_fragment"].any() and set(whole["sequence"]) == {"ACGTA"}


def test_new_clusters_move_nothing_in_the_others(clusters):
    kept = clusters.filter(pl.col("cluster").is_in(clusters["cluster"].unique().sort().gather_every(2).implode()))
    small, large = draws.choose(kept, 42, 0), draws.choose(clusters.reverse(), 42, 0)
    again = large.filter(pl.col("cluster").is_in(small["cluster"].implode()))
    assert again.select("digest", "cluster").equals(small.select("digest", "cluster"))
    before, after = (frame.with_columns(held=draws.held_out(frame, 42, 0.2)) for frame in (kept, clusters))
    assert before.equals(after.filter(pl.col("cluster").is_in(kept["cluster"].implode())))


def test_a_new_member_is_chosen_or_changes_nothing(clusters):
    """Consistent sampling: of the other members, none takes the place of another."""
    without = clusters.filter(pl.col("digest") != pl.col("digest").max().over("cluster"))
    before, after = draws.choose(without, 42, 0), draws.choose(clusters, 42, 0)
    both = after.join(before, on="cluster", suffix="_before")
    changed = both.filter(pl.col("digest") != pl.col("digest_before"))
    assert 0 < changed.height < both.height
    assert not changed["digest"].is_in(without["digest"].implode()).any()


def test_two_runs_write_the_same_bytes(drawn, inputs, tmp_path):
    made.succeed("draw", epoch=1, manifest=tmp_path / "draw/manifest.json", **inputs, **FLAGS)
    paths = sorted((drawn / "1").glob("shard-*.parquet"))
    assert paths
    assert all(path.read_bytes() == (tmp_path / "draw" / path.name).read_bytes() for path in paths)


def test_manifest_counts(drawn, sequences):
    frame, manifest = rows(drawn / "validation"), made.provenance.load(drawn / "validation/manifest.json")
    assert manifest["counts"] == {
        "rows": frame.height,
        "nucleotides": sum(map(len, frame["sequence"])),
        "fragments": sum(len(sequences[digest]) > 90 for digest in frame["digest"]),
    }
    typed = sum(len(sequences[digest]) > 120 for digest in frame["digest"])
    assert manifest["notes"]["composition"] == {"rRNA": typed, "not stated": frame.height - typed}


def test_missing_manifest(inputs, tmp_path):
    for missing in ("sequences", "clusters"):
        given = inputs | {missing: tmp_path / "none.json"}
        result = made.run("draw", epoch=0, manifest=tmp_path / "draw/manifest.json", **given, **FLAGS)
        assert "none.json" in made.one_line_error(result)


def test_clusters_of_other_sequences(clusters, inputs, tmp_path):
    other = made.write_clusters(tmp_path / "other", clusters.with_columns(digest=pl.col("digest").str.reverse()))
    given = inputs | {"clusters": other}
    result = made.run("draw", epoch=0, manifest=tmp_path / "draw/manifest.json", **given, **FLAGS)
    assert "run the cluster stage again" in made.one_line_error(result)
    assert not (tmp_path / "draw").exists()


def test_nothing_held_out(inputs, tmp_path):
    flags = FLAGS | {"validation_fraction": 0.0}
    result = made.run("hold_out", manifest=tmp_path / "draw/manifest.json", **inputs, **flags)
    assert "validation_fraction" in made.one_line_error(result)
