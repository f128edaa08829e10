"""Secondary structures: notation, decoders, pair metrics, drawings."""

from rnalm.structure.bipartite import matching
from rnalm.structure.decoding import greedy
from rnalm.structure.metrics import score
from rnalm.structure.nussinov import nested

__all__ = ["greedy", "matching", "nested", "score"]
