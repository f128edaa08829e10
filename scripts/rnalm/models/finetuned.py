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

    InputError for an unknown kind or size, a threshold that is no number, or labels that are not those of its classes.
    """
    if not isinstance(head, dict):
        raise InputError(where, f"has the head {head!r}", remedy)
    kind = head.get("kind", "pairs")
    if kind not in tuple(KINDS):
        raise InputError(where, f"head of kind {kind!r} is unknown", f"use one of {', '.join(KINDS)}")
    if not isinstance(head.get("threshold", 0.0), int | float):
        raise InputError(where, f"has the threshold {head['threshold']!r}", "give a number")
    try:
        model = KINDS[kind](encoder, **sizes(head))
    except (TypeError, ValueError, KeyError, RuntimeError) as error:  # the last is torch's for negative sizes
        raise InputError(where, f"does not fit a head of kind {kind!r}: {error}", remedy) from None
    if kind == "classes" and "labels" in head and not named(head["labels"], head["classes"]):
        problem = f"has the labels {head['labels']!r}"
        raise InputError(where, problem, f"give a list of {max(2, head['classes'])} names")
    return model


def named(labels, classes: int) -> bool:
    """Whether labels are a name for each class; a yes or no has one logit and two names."""
    return isinstance(labels, list) and all(isinstance(one, str) for one in labels) and len(labels) == max(2, classes)


def sizes(head: dict) -> dict:
    """The part of a head's description that its model is made from."""
    return {key: value for key, value in head.items() if key not in ABOUT}
