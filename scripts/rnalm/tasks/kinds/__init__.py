"""What a task predicts of an item: base pairs, a class, a number, or a label of every nucleotide.

The kind follows from the task's head. Each kind is a module with the same names; training, evaluation and baselines
know a task only through them:

- `METRIC`: the validation metric that chooses the epoch, higher is better
- `LOSSES`: by name, (output of the model, records, head) -> mean loss of the records; the first is the default
- `weight(records)`: what their mean loss counts for beside that of others
- `described(head, train)`: the head with what the training labels decide (classes, scale)
- `arrays(output, batch, model)`: the output as one fp32 array per item
- `reduced(array, record)`: what validation keeps of it
- `validated(kept, records, head)`: ({metric: value}, what is fitted to validation, such as a threshold)
- `decoded(array, record, head)`: the prediction itself
- `trivial(train, test, head)`: predictions of the test that no input is needed for
- `told(prediction, head)`: the rows of a table for people (`rnalm predict`)
- `table(records, predictions, head)`: a row per item, with its scores; `scores`: the module that averages them
"""

from types import ModuleType

from rnalm.errors import InputError
from rnalm.structure.decoders import DECODERS
from rnalm.tasks.kinds import classes, number, pairs, positions
from rnalm.tasks.records import Record

MODULES = {"pairs": pairs, "classes": classes, "number": number, "positions": positions}
OF_HEADS = {
    **dict.fromkeys(("pairs", "plain_pairs", "maps", "zero_shot"), "pairs"),
    "classes": "classes",
    **dict.fromkeys(("scalar", "load"), "number"),
    "positions": "positions",
}


def of(head: dict) -> str:
    """The kind of a head; without `kind` it is one of pairs."""
    name = head.get("kind", "pairs")
    if name not in OF_HEADS:
        raise InputError(f"head of kind {name!r}", "is one that no task has", f"use one of {', '.join(OF_HEADS)}")
    return OF_HEADS[name]


def module(head: dict) -> ModuleType:
    return MODULES[of(head)]


def complete(head: dict) -> dict:
    """The head of a model directory; one of a yes or no that names no classes, as imported ones do, gets these two.

    InputError for other classes without names, and for pairs without a threshold to decode them at or by an unknown
    decoder.
    """
    if of(head) == "pairs" and "threshold" not in head:
        problem = "has no threshold, so that it predicts no base pairs but how near nucleotides are"
        raise InputError("the model's head", problem, "use `rnalm predict`")
    if (decoder := head.get("decoder", "greedy")) not in tuple(DECODERS):
        raise InputError("the model's head", f"asks for the decoder {decoder!r}", f"use one of {', '.join(DECODERS)}")
    if of(head) != "classes" or "labels" in head:
        return head
    if head["classes"] > 2:
        problem = f"does not name its {head['classes']} classes"
        raise InputError("the model's head", problem, "add the list 'labels' to 'head' in its config.json")
    return {**head, "labels": classes.YES_OR_NO}


def fits(record: Record, kind: str) -> bool:
    """Whether a record's label is one of this kind."""
    label = record.label
    if kind == "pairs":
        return isinstance(label, list) and all(isinstance(pair, tuple) for pair in label)
    if kind == "positions":
        return isinstance(label, list) and len(label) == record.length and all(isinstance(one, int) for one in label)
    return isinstance(label, str if kind == "classes" else float)
