"""Pair metrics against matrices as RiNALMo computes them, and drawings of what was compared."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.structure import score
from rnalm.structure.drawing import COLOURS, draw
from rnalm.structure.notation import parse_dot_bracket

LENGTH = 12
pairs = st.lists(
    st.tuples(st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1)).filter(lambda pair: pair[0] < pair[1]),
    unique=True,
    max_size=8,
)


def by_matrices(predicted, true, relaxed):
    """RiNALMo's way: full symmetric matrices, shifted by one, cells i < j compared."""
    predicted, true = (symmetric(part) for part in (predicted, true))
    upper = np.triu_indices(LENGTH, 1)
    around_true, around_predicted = (relax(part) if relaxed else part for part in (true, predicted))
    precision = ratio((predicted * around_true)[upper].sum(), predicted[upper].sum())
    recall = ratio((true * around_predicted)[upper].sum(), true[upper].sum())
    return precision, recall, ratio(2 * precision * recall, precision + recall)


def symmetric(part):
    matrix = np.zeros((LENGTH, LENGTH))
    for i, j in part:
        matrix[i, j] = matrix[j, i] = 1
    return matrix


def relax(matrix):
    wide = np.pad(matrix, 1)
    return np.clip(matrix + wide[2:, 1:-1] + wide[:-2, 1:-1] + wide[1:-1, 2:] + wide[1:-1, :-2], 0, 1)


def ratio(above, below):
    return above / below if below > 1e-5 else 0.0


@settings(max_examples=300)
@given(pairs, pairs, st.booleans())
def test_equal_to_matrices(predicted, true, relaxed):
    expected = by_matrices(predicted, true, relaxed)
    assert score(predicted, true, LENGTH, relaxed=relaxed) == pytest.approx(expected, abs=1e-12)


@given(pairs, pairs, st.booleans())
def test_swapping_the_sides_swaps_precision_and_recall(left, right, relaxed):
    precision, recall, f1 = score(left, right, LENGTH, relaxed=relaxed)
    assert score(right, left, LENGTH, relaxed=relaxed) == (recall, precision, pytest.approx(f1))


@given(pairs, pairs)
def test_relaxed_is_never_below_exact(predicted, true):
    exact, relaxed = (score(predicted, true, LENGTH, relaxed=kind) for kind in (False, True))
    assert all(loose >= strict for loose, strict in zip(relaxed, exact, strict=True))


@given(pairs)
def test_itself_is_perfect_and_nothing_is_zero(true):
    perfect = (1.0, 1.0, 1.0) if true else (0.0, 0.0, 0.0)
    for relaxed in (False, True):
        assert score(true, true, LENGTH, relaxed=relaxed) == perfect
        assert score([], true, LENGTH, relaxed=relaxed) == (0.0, 0.0, 0.0)
        assert score(true, [], LENGTH, relaxed=relaxed) == (0.0, 0.0, 0.0), "an RNA without true pairs scores 0"


def test_shifted_by_one_is_right_when_relaxed_and_wrong_when_exact():
    true = [(0, 20), (1, 19), (2, 18)]
    shifted = [(i, j + 1) for i, j in true]
    assert score(shifted, true, 30, relaxed=True) == (1.0, 1.0, 1.0)
    assert score([(0, 21)], [(0, 20)], 30) == (0.0, 0.0, 0.0)
    diagonal = [(i + 1, j + 1) for i, j in [(0, 20)]]
    assert score(diagonal, [(0, 20)], 30, relaxed=True) == (0.0, 0.0, 0.0), "both ends off do not count"


def test_precision_looks_around_the_truth_and_recall_around_the_prediction():
    # Three predictions near one true pair: all are right, and the one true pair is found.
    predicted, true = [(4, 20), (5, 19), (5, 20)], [(5, 20), (0, 29)]
    assert score(predicted, true, 30, relaxed=True) == (1.0, 0.5, pytest.approx(2 / 3))
    assert score(predicted, true, 30) == (pytest.approx(1 / 3), 0.5, pytest.approx(0.4))


def test_pair_outside_the_sequence_is_refused():
    for pair in ((0, 10), (-1, 4), (3, 3)):
        with pytest.raises(ValueError):
            score([pair], [(0, 5)], 10)


def test_drawing_shows_shared_missed_and_wrong_pairs():
    true = parse_dot_bracket("((((...[[[[..))))....]]]]..((((....))))")
    sequence = "GGGGAAACCCCAACCCCAAAAGGGGAAGGGGAAAACCCC"
    svg = ET.fromstring(draw(sequence, [*true[3:], (25, 30)], true))
    assert svg.attrib["viewBox"] and "width" not in svg.attrib
    shapes = {shape.attrib["class"]: shape for shape in svg if "class" in shape.attrib}
    assert {kind: int(shape.attrib["data-pairs"]) for kind, shape in shapes.items()} == {
        "shared": len(true) - 3,
        "missed": 3,
        "wrong": 1,
    }
    assert {shape.attrib["stroke"] for shape in shapes.values()} == set(COLOURS.values())
    letters = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert "".join(letters[: len(sequence)]) == sequence


def test_drawing_keeps_bases_apart():
    true = parse_dot_bracket("(((((((..((((........)))).((((.........)))).....(((((.......))))))))))))....")
    svg = ET.fromstring(draw("A" * 73, [], true))
    circles = svg.iter("{http://www.w3.org/2000/svg}circle")
    points = np.array([(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in circles])
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e3 * np.eye(len(points))
    assert len(points) == 73 and distances.min() > 8
