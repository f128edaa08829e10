"""Precision, recall and F1 of predicted base pairs of one RNA, exact and relaxed.

Relaxed as RiNALMo scores (`utils/sec_struct.py`, 169-214): a pair also counts when one of its ends, not both,
is off by one. A predicted pair is looked for around the true ones for precision, a true pair around
the predicted ones for recall, so the two count different hits.
"""


def score(predicted, true, length: int, relaxed: bool = False) -> tuple[float, float, float]:
    """(precision, recall, F1) of base pairs (i, j) on a sequence of `length` nt; 0 where a ratio has no denominator.

    An RNA without any true pair scores 0. ValueError for a pair outside the sequence.
    """
    predicted, true = ordered(predicted, length), ordered(true, length)
    near = one_off if relaxed else set
    precision = len(predicted & near(true)) / max(len(predicted), 1)
    recall = len(true & near(predicted)) / max(len(true), 1)
    if precision + recall < 1e-5:
        return precision, recall, 0.0
    return precision, recall, 2 * precision * recall / (precision + recall)


def ordered(pairs, length: int) -> set[tuple[int, int]]:
    """The pairs as a set with i < j in each."""
    pairs = {(i, j) if i < j else (j, i) for i, j in pairs}
    if any(not 0 <= i < j < length for i, j in pairs):
        raise ValueError(f"a pair does not lie in a sequence of {length} nt")
    return pairs


def one_off(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs and their four neighbours (i±1, j), (i, j±1); diagonal neighbours are not near."""
    steps = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    return {(i + down, j + right) for i, j in pairs for down, right in steps}
