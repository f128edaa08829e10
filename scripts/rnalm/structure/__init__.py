"""Secondary structures: notation, decoders, pair metrics, drawings."""

from rnalm.structure.decoding import greedy
from rnalm.structure.metrics import score

__all__ = ["greedy", "score"]
