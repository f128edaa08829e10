"""Fine-tuned models by the `kind` of their head, as a model directory's config names it."""

from torch import nn

from rnalm.errors import InputError
from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna_heads import LoadModel, MapModel, ZeroShotModel
from rnalm.models.heads import ClassModel, PairModel, ScalarModel, TokenModel
from rnalm.models.rnaret_heads import PlainPairModel, PositionModel

KINDS = {
    "pairs": PairModel,
    "plain_pairs": PlainPairModel,
    "classes": ClassModel,
    "tokens": TokenModel,
    "scalar": ScalarModel,
    "positions": PositionModel,
    "maps": MapModel,
    "load": LoadModel,
    "zero_shot": ZeroShotModel,
}
# Keys of a head that are no sizes of its model: what it was trained for, its classes, its decoder and the threshold.
ABOUT = {"kind", "task", "decoder", "threshold", "labels"}


def build(encoder: Encoder, head: dict, where="head", remedy: str = "copy config.json again") -> nn.Module:
    """The encoder with the head that a model directory's config describes; without `kind` it is one of pairs.

    InputError for an unknown kind or size, or a threshold that is no number.
    """
    if not isinstance(head, dict):
        raise InputError(where, f"has the head {head!r}", remedy)
    kind = head.get("kind", "pairs")
    if kind not in tuple(KINDS):
        raise InputError(where, f"head of kind {kind!r} is unknown", f"use one of {', '.join(KINDS)}")
    if not isinstance(head.get("threshold", 0.0), int | float):
        raise InputError(where, f"has the threshold {head['threshold']!r}", "give a number")
    try:
        return KINDS[kind](encoder, **sizes(head))
    except (TypeError, ValueError, KeyError, RuntimeError) as error:  # the last is torch's for negative sizes
        raise InputError(where, f"does not fit a head of kind {kind!r}: {error}", remedy) from None


def sizes(head: dict) -> dict:
    """The part of a head's description that its model is made from."""
    return {key: value for key, value in head.items() if key not in ABOUT}
