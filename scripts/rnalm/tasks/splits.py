"""How a split divides the records of a task into train, valid and test. Five rules:

- `random`: parts of one shuffled pool; a part that names a set is that set;
- `family`: one family is the test, the others make train and valid;
- `given`:  the sets of the benchmark itself, for example those of published folds;
- `folds`:  `folds` splits of one shuffled pool, `{name}_0` and so on: part i is the test, the part before it valid;
- `kfold`:  the same by scikit-learn's KFold of records in file order, as some papers have it.

A part's number is a count, a fraction of its pool (a number with a decimal point), or, left out, all that is
left. Shuffling is by digest, so that a new record moves no other. A structure without any pair cannot be learnt from
and scores 0 whatever is predicted: such RNAs are in no pool and in no training part; a given test set keeps its own.
"""

from collections import Counter

import numpy as np
from sklearn.model_selection import KFold

from rnalm.errors import InputError
from rnalm.randomness import bits, digest_counters, key
from rnalm.sequences.alphabet import digest
from rnalm.tasks.records import PARTS, Record, unique

REMEDY = "ask for less, or raise max_length or cap; a part that is given no number takes all that are left"


def divide(sets: dict[str, list[Record]], settings: dict, seed: int) -> dict[str, dict[str, list[Record]]]:
    """{split: {"train": records, "valid": ..., "test": ...}} of a task's settings. InputError where it cannot be."""
    splits = {}
    for name, split in settings["splits"].items():
        purpose = key(seed, "split", settings["task"], name)
        made = RULES[split["rule"]](sets, {**settings, **split}, purpose)
        splits |= {f"{name}{suffix}": parts for suffix, parts in made.items()}
    for name, parts in splits.items():
        check_disjoint(parts, f"{settings['task']}, split {name}")
    return splits


def test_of(sets: dict[str, list[Record]], settings: dict, seed: int, name: str) -> list[Record]:
    """The test of one split as `divide` makes it; where the sets are given, the others need not be there."""
    split = settings["splits"].get(name, {})
    if split.get("rule") == "given":
        return limited(sets, "test", {**settings, **split})
    return divide(sets, settings, seed)[name]["test"]


# Rules: sets, settings and purpose (a key for shuffling) -> {suffix of the name: parts}


def random(sets, settings: dict, purpose) -> dict[str, dict]:
    """Parts of one pool, at most `cap` records of a family, and sets that parts name, which are not in the pool."""
    named = {part: limited(sets, part, settings) for part in PARTS if isinstance(settings.get(part), str)}
    others = [name for name in sets if name not in {settings[part] for part in named}]
    hand = pool(learnable(pooled(sets, {"sets": others, **settings}), settings), settings, purpose)
    parts = named | deal(hand, settings, [part for part in ("test", "valid", "train") if part not in named])
    return {"": without_shared(parts) if settings.get("shared") == "drop" else parts}


def family(sets, settings: dict, purpose) -> dict[str, dict]:
    """The family `hold_out` is the test; train and valid are parts of the others, at most `cap` records of a family."""
    name, records = settings.get("hold_out"), pooled(sets, settings)
    held = [record for record in records if record.family == name and record.label != []]
    if not held:
        known = ", ".join(sorted({record.family for record in records if record.label != []}))
        raise InputError(f"hold_out {name}", "is no family with labels", f"hold out one of {known}")
    others = [record for record in learnable(records, settings) if record.family != name]
    test = deal(shuffled(testable(held, settings), purpose), settings, ("test",))
    return {"": deal(pool(others, settings, purpose), settings, ("valid", "train")) | test}


def given(sets, settings: dict, purpose) -> dict[str, dict]:
    """The sets that `train`, `valid` and `test` name; the length limit holds for train and valid."""
    parts = {part: limited(sets, part, settings) for part in PARTS}
    return {"": without_shared(parts) if settings.get("shared") == "drop" else parts}


def folds(sets, settings: dict, purpose) -> dict[str, dict]:
    """As many splits as folds, which are equal parts of one shuffled pool."""
    hand = pool(learnable(pooled(sets, settings), settings), settings, purpose)
    return around([hand[fold :: settings["folds"]] for fold in range(settings["folds"])])


def kfold(sets, settings: dict, purpose) -> dict[str, dict]:
    """As RiNALMo's code divides its tables of UTRs: KFold, shuffled with `kfold_seed`, on the rows in file order.

    What then is in two parts stays in the test, or else in valid.
    """
    records = learnable([record for name in named(sets, settings) for record in sets[name]], settings)
    if len(records) < settings["folds"]:
        problem = f"has {len(records)} records for {settings['folds']} folds"
        raise InputError("split by kfold", problem, REMEDY)
    rows = KFold(settings["folds"], shuffle=True, random_state=settings["kfold_seed"])
    made = around([[records[index] for index in test] for _, test in rows.split(records)])
    return {name: without_shared(parts) for name, parts in made.items()}


RULES = {"random": random, "family": family, "given": given, "folds": folds, "kfold": kfold}


def around(parts: list[list[Record]]) -> dict[str, dict]:
    """Each part in turn as the test, the part before it (the last before the first) as valid, the others as train."""
    made = {}
    for fold, test in enumerate(parts):
        others = [part for number, part in enumerate(parts) if number not in (fold, (fold - 1) % len(parts))]
        train = [record for part in others for record in part]
        made[f"_{fold}"] = {"train": train, "valid": parts[fold - 1], "test": test}
    return made


# What the rules share


def pooled(sets: dict[str, list[Record]], settings: dict) -> list[Record]:
    """The first record of every sequence, of all sets or of those that `sets` names."""
    return unique(record for name in named(sets, settings) for record in sets[name])


def named(sets: dict[str, list[Record]], settings: dict) -> list[str]:
    """The sets that `sets` names, or all; InputError for one that is not there."""
    chosen = settings.get("sets", list(sets))
    for name in chosen:
        if name not in sets:
            raise InputError(f"sets: {name}", "is no set of the data", f"it has {', '.join(sets)}")
    return chosen


def limited(sets: dict[str, list[Record]], part: str, settings: dict) -> list[Record]:
    """The set that a part names, within the part's limits."""
    if settings.get(part) not in sets:
        raise InputError(f"{part}: {settings.get(part)}", "is no set of the data", f"it has {', '.join(sets)}")
    records = sets[settings[part]]
    if part == "test":
        return testable(records, settings)
    return learnable(records, settings) if part == "train" else short(records, settings.get("max_length"))


def learnable(records: list[Record], settings: dict) -> list[Record]:
    return [record for record in short(records, settings.get("max_length")) if record.label != []]


def testable(records: list[Record], settings: dict) -> list[Record]:
    return short(records, settings.get("max_test_length"))


def short(records: list[Record], longest: int | None) -> list[Record]:
    return [record for record in records if longest is None or record.length <= longest]


def without_shared(parts: dict[str, list[Record]]) -> dict[str, list[Record]]:
    """Train without what is in valid or test, valid without what is in test."""
    test = {record.molecules for record in parts["test"]}
    valid = [record for record in parts["valid"] if record.molecules not in test]
    held = test | {record.molecules for record in valid}
    train = [record for record in parts["train"] if record.molecules not in held]
    return {"train": train, "valid": valid, "test": parts["test"]}


def shuffled(records: list[Record], purpose: np.uint64) -> list[Record]:
    """Records in an order that depends on each one's sequences and the purpose alone."""
    digests = [digest(record.sequence + record.partner) for record in records]
    ranks = bits(purpose, digest_counters(digests))
    return [records[index] for index in np.lexsort((digests, ranks))] if records else []


def pool(records: list[Record], settings: dict, purpose: np.uint64) -> list[Record]:
    """Records shuffled, `cap` of every family at most, so that a large family does not make the pool."""
    seen, kept = Counter(), []
    for record in shuffled(records, key(purpose, "cap")):
        seen[record.family] += 1
        if seen[record.family] <= settings.get("cap", len(records)):
            kept.append(record)
    # Shuffled anew: the kept ones of a large family have the lowest ranks of the first order.
    return shuffled(kept, purpose)


def deal(hand: list[Record], settings: dict, parts) -> dict[str, list[Record]]:
    """Cut the shuffled records into parts, in turn; InputError where it is too small."""
    dealt, start = {}, 0
    for part in parts:
        asked = settings.get(part, len(hand) - start)
        if isinstance(asked, str):
            raise InputError(f"{part}: {asked}", "is no number of RNAs", "give one, or the rule 'given' to name sets")
        number = round(asked * len(hand)) if isinstance(asked, float) else asked
        dealt[part] = hand[start : start + number]
        start += number
        if not number or start > len(hand):
            problem = f"asks for {number} RNAs in {part}, {max(len(hand) - start + number, 0)} are left of {len(hand)}"
            raise InputError(f"split by {settings['rule']}", problem, REMEDY)
    return dealt


def check_disjoint(parts: dict[str, list[Record]], where: str) -> None:
    """InputError if two parts share a sequence, or a pair of them."""
    seen = {}
    for part, records in parts.items():
        for record in records:
            other, twin = seen.setdefault(record.molecules, (part, record))
            if other != part:
                problem = f"{record.id} in {part} and {twin.id} in {other} are the same sequence"
                raise InputError(where, problem, "remove one of them from the data, or set 'shared: drop' in the split")
