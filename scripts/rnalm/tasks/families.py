"""Which families of non-coding RNA RiNALMo classifies, and how many sequences of each: 88 of 177 families of Rfam.

From three sets of named sequences, in this order:

1. families that all three sets have;
2. sequences of A, C, G and T alone;
3. without the families that their length gives away: those that a decision tree on the length alone (depth 10, ten
   stratified folds, seed 42) finds with a mean F1 above 0.8;
4. sequences of 200 nt at most;
5. families with at least 400 training sequences;
6. of each family three times the smallest family's number for training, drawn with replacement, so that sequences
   come several times; at most that many for validation, drawn without; all for the test.

The data's publishers decided step 3 by C5.0 in R, RiNALMo's port by the tree used here: a set of families that is not
the published one is to be expected rather than excluded. So intake compares their number (`data: {families: 88}`).

Source: official code lbcb-sci/RiNALMo, `rinalmo/utils/prepare_ncrna_classification_data.py`.
"""

from collections import Counter, defaultdict

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from rnalm.errors import InputError
from rnalm.tasks.records import PARTS, Record

SEED = 42
DEPTH, FOLDS, GIVEN_AWAY = 10, 10, 0.8
LONGEST = 200  # nt
FEWEST = 400  # training sequences
OVERSAMPLED = 3


def selected(sets: dict[str, list[Record]]) -> dict[str, list[Record]]:
    """The sets `train`, `valid` and `test` of records labelled by family -> what is used of them, families by size.

    InputError if nothing is left
    """
    common = set.intersection(*({record.label for record in records} for records in sets.values()))
    sets = {part: [r for r in sets[part] if r.label in common and set(r.sequence) <= set("ACGT")] for part in PARTS}
    check(sets, "in train, valid and test")
    away = given_away([record for part in PARTS for record in sets[part]])
    sets = {part: [r for r in sets[part] if r.label not in away and r.length <= LONGEST] for part in PARTS}
    sizes = Counter(record.label for record in sets["train"])
    families = [name for name, number in sizes.most_common() if number >= FEWEST]
    check(families, f"with {FEWEST} training sequences of at most {LONGEST} nt")
    number = OVERSAMPLED * sizes[families[-1]]
    grouped = {part: by_family(sets[part]) for part in PARTS}
    return {
        "train": [r for name in families for r in drawn(grouped["train"][name], number, True)],
        "valid": [r for name in families for r in at_most(grouped["valid"][name], number)],
        "test": [r for name in families for r in grouped["test"][name]],
    }


def check(left, which: str) -> None:
    if not left or (isinstance(left, dict) and not all(left.values())):
        raise InputError("ncRNA families", f"there are none {which}", "get the complete data")


def by_family(records: list[Record]) -> dict[str, list[Record]]:
    grouped = defaultdict(list)
    for record in records:
        grouped[record.label].append(record)
    return grouped


def given_away(records: list[Record]) -> set[str]:
    """The families that their length gives away."""
    lengths, labels = np.array([[r.length] for r in records]), np.array([r.label for r in records])
    names = sorted(set(labels.tolist()))
    scores = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(lengths, labels):
        tree = DecisionTreeClassifier(random_state=SEED, max_depth=DEPTH).fit(lengths[train], labels[train])
        predicted = tree.predict(lengths[test])
        scores.append(f1_score(labels[test], predicted, labels=names, average=None, zero_division=0))
    return {name for name, score in zip(names, np.mean(scores, axis=0), strict=True) if score > GIVEN_AWAY}


def at_most(records: list[Record], number: int) -> list[Record]:
    return records if len(records) < number else drawn(records, number, False)


def drawn(records: list[Record], number: int, again: bool) -> list[Record]:
    """Records as pandas' `DataFrame.sample` draws rows with seed 42, which the paper used. again: with replacement"""
    return [records[row] for row in np.random.RandomState(SEED).choice(len(records), number, replace=again)]
