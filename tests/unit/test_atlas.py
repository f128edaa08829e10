"""The atlas: which RNAs are drawn, by which encoders, in which planes, and how their labels are scored."""

import sys
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from rnalm.evaluation import atlas, rna_types
from rnalm.inference import LanguageModel
from rnalm.models.directory import save
from sklearn.metrics import silhouette_score
from small_models import TINY, encoder


def corpus(folder, counts: dict[str, int]):
    """A part of a corpus: so many sequences of each type, the lengths 16 to 75 nt."""
    dice = np.random.default_rng(1)
    rows = []
    for name, count in counts.items():
        for _ in range(count):
            letters = "".join(dice.choice(list("ACGT"), dice.integers(16, 76)))
            digest = dice.bytes(16).hex()
            rows.append({"digest": digest, "sequence": letters, "length": len(letters), "rna_type": name})
    path = folder / "part-00000.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return [path]


def islands(classes: int, each: int = 12, spread: float = 0.1):
    """(points, labels) of so many well-separated islands."""
    dice = np.random.default_rng(0)
    centres = 10 * np.eye(classes, 8)
    points = np.concatenate([centre + spread * dice.standard_normal((each, 8)) for centre in centres])
    return points.astype(np.float32), np.repeat([f"label {n}" for n in range(classes)], each)


def test_families_are_sampled_alike_and_have_their_rna_type(tmp_path):
    parts = corpus(tmp_path, {"U1": 30, "U2": 3, "snR75": 8, "piRNA": 9, None: 5})
    chosen = atlas.choose(parts, seed=42, per_family=8, longest=60)
    counts = dict(chosen["family"].value_counts().iter_rows())
    assert counts["U1"] == 8
    assert None not in counts
    assert chosen["length"].max() <= 60
    assert dict(chosen.select("family", "type").unique().iter_rows()) == {
        "U1": "snRNA",
        "U2": "snRNA",
        "snR75": "snoRNA",
        "piRNA": "piRNA",
    }
    assert atlas.choose(parts, 42, 8, 60).equals(chosen)
    assert not atlas.choose(parts, 43, 8, 60).equals(chosen)


def test_without_any_type_all_are_one_family(tmp_path):
    parts = corpus(tmp_path, {None: 20})
    pl.read_parquet(parts[0]).with_columns(pl.col("rna_type").cast(pl.String)).write_parquet(parts[0])
    chosen = atlas.choose(parts, seed=42, per_family=8, longest=75)
    assert len(chosen) == 8 and chosen["family"].unique().to_list() == [atlas.UNTYPED]
    nothing = atlas.choose(parts, seed=42, per_family=8, longest=15)
    assert nothing.is_empty() and nothing.columns == chosen.columns
    points, scores = atlas.survey(nothing, {}, ("family", "type"), 42)
    assert points.is_empty() and scores.is_empty()


def test_a_set_with_fewer_than_two_of_its_types_is_left_out_with_a_word():
    rnas = pl.DataFrame({"type": ["tRNA", "rRNA", "snRNA", "snoRNA", "snRNA", "snRNA"]})
    kept, left_out = rna_types.divide(rnas)
    assert {name: len(part) for name, part in kept.items()} == {"all": 6, "short": 4}
    assert left_out == {"long": "of its types the sample has rRNA alone"}
    assert rna_types.divide(rnas[:1])[1].keys() == {"all", "long", "short"}
    assert rna_types.divide(rnas[:3])[1]["all"] == "the sample has 3 of its RNAs"


def test_the_sets_are_those_of_the_paper():
    assert set(rna_types.LONG) == {
        *("rRNA", "RNase_P_RNA", "telomerase_RNA", "tmRNA", "lncRNA", "RNase_MRP_RNA"),
    }
    assert set(rna_types.SHORT) == {"piRNA", "snRNA", "siRNA", "miRNA", "snoRNA"}


def test_pooling_leaves_out_special_tokens():
    state = np.array([[100.0], [1.0], [3.0], [100.0]])
    assert atlas.mean_pool([state], slice(1, -1)).tolist() == [[2.0]]


def test_5_mer_counts_are_1024_numbers_that_sum_to_the_5_mers():
    counts = atlas.kmer_counts(["ACGTACGTAC", "AAAAAAA", "ACGTNACGTA", "ACG"])
    assert counts.shape == (4, 1024)
    assert counts.sum(axis=1).tolist() == [6, 3, 1, 0]
    assert counts[1].max() == 3


def test_untrained_encoder_is_the_same_network_with_weights_of_the_seed(tmp_path):
    save(tmp_path / "model", encoder(TINY), "# card")
    trained = LanguageModel.from_directory(tmp_path / "model")
    first, again, other = (trained.untrained(seed).hidden_states(["ACGU"])[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first, trained.hidden_states(["ACGU"])[0])


def test_scores_are_taken_on_the_embedding_and_on_the_plane():
    points, labels = islands(3)
    rnas = pl.DataFrame({"label": labels, "length": [70] * len(labels)})
    dice = np.random.default_rng(3)
    encoders = {"pretrained": points, "kmer": dice.standard_normal(points.shape).astype(np.float32)}
    drawn, scores = atlas.survey(rnas, encoders, ["label"], seed=1)
    assert len(drawn) == 2 * len(rnas) * len(atlas.planes())
    value = {(row["encoder"], row["space"], row["metric"]): row["value"] for row in scores.iter_rows(named=True)}
    assert value["pretrained", "embedding", "silhouette"] == pytest.approx(silhouette_score(points, labels))
    for space in ("embedding", "t-SNE"):
        assert value["pretrained", space, "silhouette"] > 0.5 > value["kmer", space, "silhouette"]
        assert value["pretrained", space, "davies_bouldin"] < value["kmer", space, "davies_bouldin"]
        assert value["pretrained", space, "calinski_harabasz"] > value["kmer", space, "calinski_harabasz"]
    on_plane = drawn.filter(encoder="pretrained", plane="t-SNE").select("x", "y").to_numpy()
    assert value["pretrained", "t-SNE", "silhouette"] == pytest.approx(silhouette_score(on_plane, labels), abs=1e-5)


def test_a_plane_is_the_same_every_time():
    points, _ = islands(3, spread=3)
    first, again = (atlas.tsne(points, seed=1) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (len(points), 2)


def test_labels_that_cannot_be_scored_have_no_scores():
    points = np.eye(4)
    assert atlas.scores(points, ["a"] * 4) == {}
    assert atlas.scores(points, list("abcd")) == {}
    assert len(atlas.scores(points, list("aabb"))) == 3


def test_without_umap_the_plane_is_tsne_alone(monkeypatch):
    monkeypatch.setattr(atlas.importlib.util, "find_spec", lambda name: None)
    assert list(atlas.planes()) == ["t-SNE"]


def test_umap_gets_the_seed_and_one_thread(monkeypatch):
    asked = {}

    class UMAP:
        def __init__(self, **settings):
            asked.update(settings)

        def fit_transform(self, points):
            return points[:, :2]

    module = ModuleType("umap")  # the real one is optional, and takes seconds to import
    module.UMAP = UMAP
    monkeypatch.setitem(sys.modules, "umap", module)
    assert atlas.umap(np.zeros((8, 3)), 7).shape == (8, 2)
    assert asked == {"n_neighbors": 7, "min_dist": 0.1, "random_state": 7, "n_jobs": 1}


def test_umap_keeps_islands_apart():
    pytest.importorskip("umap", reason="umap-learn is optional: pip install 'rnalm[umap]'")
    points, labels = islands(3)
    assert silhouette_score(atlas.umap(points, 1), labels) > 0.5
