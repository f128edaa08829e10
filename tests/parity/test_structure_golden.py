"""Decoding and scoring equal RiNALMo's own code on ten recorded cases."""

import numpy as np
import pytest
from rnalm import golden
from rnalm.structure import greedy, score

CASES = golden.load("structure")


def probabilities(length):
    """The recorded cases' matrix: a rule, so that no matrix needs storing."""
    rng = np.random.default_rng([2024, length])
    sequence = "".join(rng.choice(list("ACGU"), length))
    upper = np.triu(2 * rng.standard_normal((length, length)) - 2.5, 1)
    return sequence, 1 / (1 + np.exp(-(upper + upper.T)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['L']}nt-{case['threshold']}")
def test_equal_to_official_code(case):
    sequence, matrix = probabilities(case["L"])
    assert sequence == case["sequence"]
    predicted = greedy(matrix, sequence, case["threshold"])
    assert predicted == sorted(map(tuple, case["pairs"]))
    for name in ("other", "shifted"):
        true = case[f"{name}_pairs"]
        for kind in ("relaxed", "exact"):
            ours = score(predicted, true, case["L"], relaxed=kind == "relaxed")
            assert ours == pytest.approx(case[f"{name}_{kind}"], abs=1e-12), (name, kind)
