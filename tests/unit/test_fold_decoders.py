"""`rnalm fold` reads a published structure head by the decoder that it was published with, here stated anew."""

import json
import weakref

import numpy as np
import pytest
import rnalm
from published_weights import HEADS, imported, published, published_head, rnalm_
from rnalm import golden, inference
from rnalm.commands import fold
from rnalm.errors import InputError
from rnalm.models import finetuned
from rnalm.sequences.alphabet import normalise
from rnalm.structure.decoders import DECODERS, OF_LOGITS
from rnalm.structure.files import read
from rnalm.tokens.rinalmo import TOKENISER
from scipy.optimize import linear_sum_assignment
from small_models import by_rule, encoder, transfer_rnas

RNAS = transfer_rnas()[1:5]
CANONICAL = {"AU", "UA", "CG", "GC", "GU", "UG"}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def may_pair(sequence: str, apart: int) -> np.ndarray:
    rna = sequence.upper().replace("T", "U")
    cells = [[abs(i - j) >= apart and a + b in CANONICAL for j, b in enumerate(rna)] for i, a in enumerate(rna)]
    return np.array(cells, dtype=float)


def strongest_first(strengths: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """The largest cell again and again, with its row and column taken out."""
    left, pairs = np.where(strengths > threshold, strengths, 0), []
    left = np.triu(left, 1)
    while left.max(initial=0) > 0:
        i, j = np.unravel_index(left.argmax(), left.shape)
        pairs.append((int(i), int(j)))
        left[[i, j], :] = left[:, [i, j]] = 0
    return sorted(pairs)


def of_rinalmo(logits, sequence, threshold):
    return strongest_first(sigmoid(logits) * may_pair(sequence, 4), threshold)


def of_ernie_rna(logits, sequence, threshold):
    """The unrolled solver in 100 steps; no smallest loop."""
    mask, soft = may_pair(sequence, 0), lambda x: sigmoid(2 * x)

    def strength(a):
        return mask * (a**2 + (a**2).T) / 2

    u = soft(logits - 1.5) * logits
    a = sigmoid(u) * soft(u - 1.5)
    multipliers = np.maximum(strength(a).sum(axis=1) - 1, 0)
    for step in range(100):
        by_row = (multipliers * soft(strength(a).sum(axis=1) - 1)).reshape(-1, 1)
        gradient = by_row - u / 2
        a = a - 0.01 * 0.99**step * a * mask * (gradient + gradient.T)
        a = np.maximum(abs(a) - 1.6 * 0.01 * 0.99 ** (step + 1), 0)
        multipliers = multipliers + 0.1 * 0.99**step * np.maximum(strength(a).sum(axis=1) - 1, 0)
    return strongest_first(strength(a), threshold)


def of_rnaret(logits, sequence, threshold):
    """Assignment on the lower triangle, mutual choices, then one partner of the lowest number per row and column."""
    lower = np.tril(sigmoid(logits) * may_pair(sequence, 4))
    lower[lower <= threshold] = 0
    rows, columns = linear_sum_assignment(-lower)
    chosen = np.zeros(lower.shape, dtype=int)
    for row, column in zip(rows, columns, strict=True):
        chosen[row, column] = lower[row, column] > 0 and columns[column] == row
    chosen = chosen + chosen.T
    for matrix in (chosen, chosen.T):
        for line in matrix:
            first = line.argmax()
            line[first + 1 :] = 0
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(chosen & chosen.T))]


# Name of the published file in `published_weights`, its decoder, and what that does.
PUBLISHED = {
    "structure": ("greedy", of_rinalmo),
    "ernie_structure": ("unrolled", of_ernie_rna),
    "rnaret_structure": ("assignment", of_rnaret),
}
# Tensors by rule give few pairs.
MORE_PAIRS = {
    "ernie_structure": ("module.proj.final.weight", lambda tensor: 4 * tensor),
    "rnaret_structure": ("classifier.conv_out.bias", lambda tensor: tensor + 12),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_fold_decodes_as_published(tmp_path, name):
    decoder, restated = PUBLISHED[name]
    content = published_head(name)
    if name in MORE_PAIRS:
        key, changed = MORE_PAIRS[name]
        content[key] = changed(content[key])
    loaded = imported(tmp_path, content, HEADS[name][0])
    assert loaded.config["head"].get("decoder", "greedy") == decoder
    threshold = loaded.config["head"]["threshold"]
    (tmp_path / "in.fa").write_text("".join(f">{rna.id}\n{rna.sequence}\n" for rna in RNAS))
    rnalm_("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn")
    folded = [structure.pairs for structure in read(tmp_path / "out.dbn")]

    sequences, model = [rna.sequence for rna in RNAS], rnalm.load(tmp_path / "model")
    logits = [matrix.astype(np.float64) for matrix in model.pair_logits(sequences)]
    expected = [restated(matrix, sequence, threshold) for matrix, sequence in zip(logits, sequences, strict=True)]
    assert folded == expected
    assert sum(map(len, folded)) > 10
    others = [model.fold(sequences, other) for other in DECODERS if other != decoder]
    assert all(other != folded for other in others)


def test_golden_pair_logits_fold_as_published(tmp_path):
    """RiNALMo's golden logits of pairs, and what `rnalm fold` makes of the same weights."""
    content = {f"lm.{key}": tensor for key, tensor in published("rinalmo").items()} | {"threshold": 0.4}
    shapes = finetuned.build(encoder(), HEADS["structure"][1]).head.state_dict()
    content |= {f"pred_head.{key}": by_rule(f"pred_head.{key}", tensor.shape) for key, tensor in shapes.items()}
    imported(tmp_path, content, "rinalmo")
    pairs, compared = golden.load("rinalmo"), 0
    for i, sequence in enumerate(pairs["sequences"].tolist()):
        clean = normalise(sequence)
        if TOKENISER.encode(clean).tolist() != pairs[f"ids{i}"].tolist():
            continue  # with masks, or letters that a FASTA file of RNAs does not keep
        (tmp_path / "in.fa").write_text(f">a\n{sequence}\n")
        rnalm_("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn")
        expected = of_rinalmo(pairs[f"pair_logits{i}"].astype(np.float64), clean, 0.4)
        assert read(tmp_path / "out.dbn")[0].pairs == expected
        compared += len(expected)
    assert compared > 10


def test_any_decoder_can_be_asked_for(tmp_path):
    imported(tmp_path, published_head("structure") | {"threshold": 0.5}, "rinalmo")
    (tmp_path / "in.fa").write_text("".join(f">{rna.id}\n{rna.sequence}\n" for rna in RNAS))
    model, sequences = rnalm.load(tmp_path / "model"), [rna.sequence for rna in RNAS]
    found = {}
    for decoder in DECODERS:
        rnalm_("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn", "--decoder", decoder)
        found[decoder] = [structure.pairs for structure in read(tmp_path / "out.dbn")]
        matrices = (model.pair_logits if decoder in OF_LOGITS else model.pair_probabilities)(sequences)
        items = zip(matrices, sequences, strict=True)
        assert found[decoder] == [DECODERS[decoder](matrix, sequence, 0.5) for matrix, sequence in items]
    assert len(set(map(str, found.values()))) == len(DECODERS)


def test_a_genome_whose_pairs_are_larger_than_memory_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    imported(tmp_path, published_head("structure") | {"threshold": 0.5}, "rinalmo")
    model = rnalm.load(tmp_path / "model")
    with pytest.raises(InputError, match="a sequence of 1,000,000 nt: has pairs that take 512,000 GB"):
        model.fold(["GGGAAACCC", "ACGU" * 250_000])
    monkeypatch.setattr(inference, "MEMORY", 2 * 4 * 64 * 30**2)
    assert len(model.fold(["GGGAAACCC", "A" * 30])) == 2
    with pytest.raises(InputError, match="a sequence of 31 nt"):
        model.fold(["GGGAAACCC", "A" * 31])


def test_attention_of_all_heads_counts_where_pairs_are_read_off_it(tmp_path, monkeypatch):
    imported(tmp_path, published("ernie_rna"), "ernie_rna")
    model = rnalm.load(tmp_path / "model").zero_shot()
    monkeypatch.setattr(inference, "MEMORY", 2 * 4 * 6 * 30**2)
    assert len(model.fold(["GGGAAACCC", "A" * 30])) == 2
    with pytest.raises(InputError, match="a sequence of 31 nt"):
        model.fold(["A" * 31])


def test_the_pairs_of_one_pass_are_gone_when_the_next_are_there(tmp_path, monkeypatch):
    imported(tmp_path, published_head("structure") | {"threshold": 0.5}, "rinalmo")
    decoded, most = [], 0

    def decoder(matrix, sequence, threshold):
        nonlocal most
        decoded.append(weakref.ref(matrix))
        most = max(most, sum(other() is not None for other in decoded))
        return []

    monkeypatch.setitem(DECODERS, "greedy", decoder)
    monkeypatch.setattr(inference, "TOKENS_PER_BATCH", 1)
    rnalm.load(tmp_path / "model").fold([rna.sequence for rna in RNAS])
    assert len(decoded) == len(RNAS) and most == 1


def test_the_names_of_the_command_are_those_of_the_table():
    assert tuple(DECODERS) == fold.DECODERS


def test_an_unknown_decoder(tmp_path, capsys):
    imported(tmp_path, published_head("rnaret_structure"), "rnaret")
    config = json.loads((tmp_path / "model/config.json").read_text())
    config["head"]["decoder"] = "viterbi"
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="decoder 'viterbi'"):
        rnalm.load(tmp_path / "model").fold(["GGGAAACCC"])
    with pytest.raises(SystemExit):
        rnalm_("fold", tmp_path / "model", tmp_path / "in.fa", "-o", tmp_path / "out.dbn", "--decoder", "viterbi")
    assert "invalid choice" in capsys.readouterr().err
