"""Dot-bracket notation: base pairs as text.

Every kind of bracket has a stack of its own, so a pseudoknot is written with a second kind. Kinds in
order: `()`, `[]`, `{}`, `<>`, then letter pairs (`A` opens, `a` closes) as in WUSS and bpRNA. Latin letters
give 30 kinds, enough for every known RNA; an untrained model pairs at random and needs more, so
Greek and Cyrillic letters follow.

A base pair is `(i, j)` with i < j, 0-based; a structure is a sorted list of them.
"""

from bisect import bisect_left, insort
from string import ascii_uppercase

from rnalm.errors import InputError

LETTERS = ascii_uppercase + "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ" + "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
KINDS = ("()", "[]", "{}", "<>", *(letter + letter.lower() for letter in LETTERS))
UNPAIRED = ".-_,:~"  # the dot, and the single-stranded symbols of WUSS
OPENED_BY = {kind[0]: kind for kind in KINDS}
CLOSED_BY = {kind[1]: kind for kind in KINDS}


def parse_dot_bracket(text: str) -> list[tuple[int, int]]:
    """Base pairs of a dot-bracket (or WUSS) string; InputError on unbalanced brackets or unknown symbols."""
    stacks = {kind: [] for kind in KINDS}
    pairs = []
    for position, symbol in enumerate(text):
        if symbol in UNPAIRED:
            continue
        if symbol in OPENED_BY:
            stacks[OPENED_BY[symbol]].append(position)
        elif symbol not in CLOSED_BY:
            raise InputError("dot-bracket", f"unknown symbol {symbol!r} at position {position + 1}", "correct it")
        elif not (stack := stacks[CLOSED_BY[symbol]]):
            raise unbalanced(symbol, position, "closes nothing")
        else:
            pairs.append((stack.pop(), position))
    for kind, stack in stacks.items():
        if stack:
            raise unbalanced(kind[0], stack[-1], "is never closed")
    return sorted(pairs)


def unbalanced(symbol: str, position: int, what: str) -> InputError:
    problem = f"unbalanced brackets, {symbol!r} at position {position + 1} {what}"
    return InputError("dot-bracket", problem, "correct the structure line")


def dot_bracket(pairs, length: int) -> str:
    """Text of `length` symbols; a pair that crosses earlier ones gets the next kind of bracket.

    ValueError where a base has two partners or lies outside the sequence.
    """
    text = ["."] * length
    closings = []  # per kind: positions where a pair of that kind closes, sorted
    for i, j in sorted(pairs):
        if not 0 <= i < j < length:
            raise ValueError(f"pair ({i}, {j}) does not lie in a sequence of {length} nt")
        if text[i] != "." or text[j] != ".":
            raise ValueError(f"pair ({i}, {j}): one of the bases has another partner")
        kind = first_free(closings, i, j)
        insort(closings[kind], j)
        text[i], text[j] = KINDS[kind]
    return "".join(text)


def first_free(closings: list[list[int]], i: int, j: int) -> int:
    """The first kind without a pair that opened before i and closes between i and j; a new one if there is none."""
    for kind, closed in enumerate(closings):
        after = bisect_left(closed, i)
        if after == len(closed) or closed[after] > j:
            return kind
    if len(closings) == len(KINDS):
        raise InputError("structure", f"more than {len(KINDS)} crossing pairs", "raise the decoding threshold")
    closings.append([])
    return len(closings) - 1
