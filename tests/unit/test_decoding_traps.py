"""Traps of the published decoders and structure files, each by its name: what ours do instead."""

import numpy as np
import pytest
import rnalm
from rnalm.models import directory, finetuned
from rnalm.structure import decoding, greedy, matching, nested, tuning
from rnalm.structure.decoders import DECODERS, OF_LOGITS
from rnalm.structure.files import Structure, read, write_ct, write_dbn
from rnalm.structure.published import assignment, first_partners
from small_models import encoder, transfer_rnas

SEQUENCE = "GGGGAAAACCCCAGGGGAAAACCCC"
STEM = [(0, 11), (1, 10), (2, 9), (3, 8)]


def map_of(pairs: dict, length: int = len(SEQUENCE)) -> np.ndarray:
    matrix = np.zeros((length, length))
    for (i, j), value in pairs.items():
        matrix[i, j] = matrix[j, i] = value
    return matrix


def decoded(name: str, probabilities: np.ndarray, sequence: str) -> list:
    matrix = np.where(probabilities > 0, 6.0, -6.0) if name in OF_LOGITS else probabilities
    return DECODERS[name](matrix, sequence, 0.5)


@pytest.mark.parametrize("name", DECODERS)
def test_lower_case_never_pairs_upstream_and_pairs_here(name):
    probabilities = map_of(dict.fromkeys(STEM, 0.9))
    assert decoded(name, probabilities, SEQUENCE.lower()) == STEM


@pytest.mark.parametrize("name", DECODERS)
def test_t_never_pairs_in_rnaret_upstream_and_pairs_as_u_here(name):
    sequence = "GGAAAAAAATTC"
    probabilities = map_of({(0, 11): 0.9, (1, 10): 0.9, (2, 9): 0.9}, 12)
    assert decoded(name, probabilities, sequence) == [(0, 11), (1, 10), (2, 9)]
    assert decoded(name, probabilities, sequence.replace("T", "U")) == [(0, 11), (1, 10), (2, 9)]


@pytest.mark.parametrize("name", DECODERS)
def test_n_pairs_with_all_in_rnaret_upstream_and_with_none_here(name):
    probabilities = map_of(dict.fromkeys(STEM, 0.9))
    assert decoded(name, probabilities, "N" + SEQUENCE[1:]) == STEM[1:]


@pytest.mark.parametrize("name", sorted(set(DECODERS) - OF_LOGITS))
def test_the_smallest_loop_is_three_nucleotides(name):
    probabilities = map_of({(0, 4): 0.9, (5, 8): 0.9}, 9)
    assert decoded(name, probabilities, "GAAACGAAC") == [(0, 4)]


def test_mutual_choices_drop_both_of_two_rivals():
    rivals = map_of({(0, 11): 0.9, (0, 10): 0.8})
    assert assignment(rivals, SEQUENCE, 0.5) == []
    assert (
        matching(rivals, SEQUENCE, 0.5) == greedy(rivals, SEQUENCE, 0.5) == nested(rivals, SEQUENCE, 0.5) == [(0, 11)]
    )


@pytest.mark.parametrize("rivals", [0, 20, 100])
def test_the_more_rivals_the_more_the_published_assignment_loses(rivals):
    """40 pairs among 150 bases: all kept without rivals; with them less than the best, by more and more."""
    rng = np.random.default_rng([2024, rivals])
    sequence = "".join(rng.choice(list("ACGU"), 150))
    cells, _ = decoding.allowed(np.ones((150, 150)) - np.eye(150), sequence, 0.5)
    shuffled = rng.permutation(cells)
    pairs = shuffled[decoding.sweep(shuffled, 150)][:40]
    noise = rng.permutation(cells)[:rivals]
    weights = {tuple(cell): rng.uniform(0.5, 1) for cell in [*noise.tolist(), *pairs.tolist()]}
    probabilities = map_of(weights, 150)
    kept, best = (sum(probabilities[p] for p in f(probabilities, sequence, 0.5)) for f in (assignment, matching))
    if rivals:
        assert kept < best * (0.95 if rivals == 20 else 0.7)
    else:
        assert kept == pytest.approx(best) == pytest.approx(sum(weights.values()))


def test_the_clean_up_keeps_the_lowest_partner_not_the_best():
    assert first_partners([(0, 11), (0, 9), (4, 9), (2, 8)]) == [(0, 9), (2, 8)]


def test_ties_go_to_the_first_in_row_order():
    assert greedy(map_of({(0, 10): 0.9, (0, 11): 0.9, (1, 10): 0.9}), SEQUENCE, 0.5) == [(0, 10)]


def test_a_threshold_is_stored_and_restored_not_a_half(tmp_path):
    """A default of 0.5 is what users of published weights fell for."""
    head = {"kind": "pairs", "width": 8, "blocks": 1, "threshold": 0.13}
    model = finetuned.build(encoder(), head)
    directory.save(tmp_path, model.encoder, "a card", model, head)
    loaded, sequences = rnalm.load(tmp_path), [rna.sequence for rna in transfer_rnas()[1:4]]
    assert loaded.config["head"]["threshold"] == 0.13
    maps = loaded.pair_probabilities(sequences)
    folded = [[greedy(m, s, t) for m, s in zip(maps, sequences, strict=True)] for t in (0.13, 0.5)]
    assert loaded.fold(sequences) == folded[0] != folded[1]


def test_tuning_looks_for_canonical_cells_once_per_rna(monkeypatch):
    """Upstream they are looked for at each of 29 thresholds."""
    probabilities, calls, original = map_of(dict.fromkeys(STEM, 0.2)), [], decoding.allowed
    monkeypatch.setattr(decoding, "allowed", lambda *of: calls.append(of) or original(*of))
    found = [decoding.candidates(probabilities, SEQUENCE, tuning.THRESHOLDS[0])]
    assert tuning.tune_threshold(found, [STEM], [len(SEQUENCE)]) == (0.01, 1.0)
    assert len(calls) == 1


def test_a_connect_tables_last_base_has_no_successor(tmp_path):
    """Upstream it is followed by base n + 1; also where tables follow each other."""
    write_ct(tmp_path / "a.ct", [Structure("a", SEQUENCE, STEM), Structure("b", "GAAAC", [(0, 4)])])
    rows = [line.split() for line in (tmp_path / "a.ct").read_text().splitlines()]
    after = [int(row[3]) for row in rows if len(row) == 6]
    assert after == [*range(2, 26), 0, *range(2, 6), 0]


def test_crossing_pairs_keep_brackets_of_their_own(tmp_path):
    """RNAret's writer puts plain parentheses over each other."""
    knot = Structure("a", SEQUENCE, [(0, 11), (3, 24)])
    write_dbn(tmp_path / "a.dbn", [knot])
    assert (tmp_path / "a.dbn").read_text().splitlines()[2].translate({46: None}) == "([)]"
    assert read(tmp_path / "a.dbn") == [knot]
