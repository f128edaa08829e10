"""One-hot and k-mer features: encoders that every head runs on."""

import numpy as np
import pytest
import torch
from rnalm.errors import InputError
from rnalm.models import directory, finetuned, registry
from rnalm.tokens.kmer import SPECIAL
from rnalm.tokens.packing import pack
from rnalm.training.finetuning import Settings
from rnalm.training.starts import begin

SEQUENCES = ["ACGUUGCANNACGU", "GGGGCCCC"]
HEADS = {
    "pairs": {"kind": "pairs", "width": 8, "blocks": 1},
    "classes": {"kind": "classes", "width": 8, "classes": 3, "activation": "gelu", "pooling": "mean"},
    "scalar": {"kind": "scalar", "width": 8, "blocks": 2, "padded_to": 0, "mean": 1.0, "std": 2.0},
    "positions": {"kind": "positions", "width": 8, "padded_to": 0},
    "tokens": {"kind": "tokens", "classes": 3},
}


def packed(encoder):
    return pack([encoder.tokeniser.encode(sequence) for sequence in SEQUENCES])


def test_one_hot_has_a_letter_each():
    encoder = registry.build({"family": "onehot"})
    first, _ = packed(encoder).split(encoder(packed(encoder)))
    assert first.shape == (14, encoder.config.dim) and (first.sum(dim=1) == 1).all()
    letters = first.argmax(dim=1).tolist()
    same = {(a, b) for a, b in zip(SEQUENCES[0], letters, strict=True)}
    assert len(same) == 5  # A, C, G, U and N


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_mean_of_kmers_is_their_spectrum(k):
    encoder = registry.build({"family": "kmer", "k": k})
    sequence = "ACGUUGCAACGGGUACGU"
    batch = pack([encoder.tokeniser.encode(sequence)])
    spectrum = encoder(batch).sum(dim=0)[len(SPECIAL) :].numpy()
    counted = dict.fromkeys(encoder.tokeniser.tokens[len(SPECIAL) :], 0)
    thymine = sequence.replace("U", "T")
    for start in range(len(sequence) - k + 1):
        counted[thymine[start : start + k]] += 1
    assert np.array_equal(spectrum, list(counted.values()))


@pytest.mark.parametrize("family", ["onehot", "kmer"])
@pytest.mark.parametrize("kind", HEADS)
def test_every_head_trains_and_a_model_directory_brings_it_back(tmp_path, kind, family):
    torch.manual_seed(0)
    encoder = registry.build({"family": family})
    model = finetuned.build(encoder, HEADS[kind])
    assert not list(encoder.parameters())
    sum(out.square().sum() for out in model(packed(encoder))).backward()
    # In the k-mers' case only those that occur are trained; nothing else is without a gradient.
    assert all(parameter.grad is not None for parameter in model.parameters())
    directory.save(tmp_path / "model", encoder, "# card", model, HEADS[kind])
    again = directory.load(tmp_path / "model")
    assert again.config["model"] == registry.describe(encoder)
    with torch.no_grad():
        for ours, theirs in zip(model.eval()(packed(encoder)), again.model(packed(encoder)), strict=True):
            assert torch.equal(ours, theirs)


def test_features_without_a_head_are_a_model_directory(tmp_path):
    encoder = registry.build({"family": "kmer", "k": 5})
    directory.save(tmp_path / "model", encoder, "# card")
    assert directory.load(tmp_path / "model").encoder.config == encoder.config


def test_no_token_stands_for_the_sequence():
    """The first token of features is that of the first nucleotide: a head on it would see nothing else."""
    head = {**HEADS["classes"], "pooling": "first"}
    with pytest.raises(InputError, match="pooling must be 'mean'"):
        finetuned.build(registry.build({"family": "onehot"}), head)


@pytest.mark.parametrize("settings", [{"k": 2}, {"k": 0}, {"k": "3"}, {"dim": 64}])
def test_wrong_sizes(settings):
    with pytest.raises(InputError):
        registry.build({"family": "kmer", **settings})


@pytest.mark.parametrize(("asked", "taken"), [(1e-5, 1e-3), (5e-3, 5e-3)])
def test_a_head_on_features_learns_at_a_rate_of_its_own(asked, taken):
    """Rates that spare pre-trained weights would leave this baseline untrained."""
    settings = Settings(1, 1, asked, {0: ["head", "encoder"]})
    _, head, settings = begin("kmer", None, {**HEADS["classes"], "pooling": "first"}, settings, 1)
    assert (settings.learning_rate, settings.unfreeze, head["pooling"]) == (taken, {0: ["head"]}, "mean")
