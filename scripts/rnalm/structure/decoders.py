"""Decoders by name: what `decoder` of a model directory's head and `rnalm fold --decoder` mean."""

from rnalm.structure.bipartite import matching
from rnalm.structure.decoding import greedy
from rnalm.structure.nussinov import nested
from rnalm.structure.published import assignment, unrolled

# Each takes a matrix, the sequence and a threshold; where a head names none, `greedy` is meant.
DECODERS = {"greedy": greedy, "matching": matching, "nested": nested, "assignment": assignment, "unrolled": unrolled}
# The matrix is one of logits for these, of probabilities for the others.
OF_LOGITS = {"unrolled"}
