"""What the sets of a task hold, in numbers: records, duplicates, lengths, letters, and labels by their kind.

Duplicates are equal after normalisation (case, T and U), in a task of pairs in both molecules; a reverse complement is
another molecule.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from statistics import fmean, median

from rnalm.structure.notation import dot_bracket
from rnalm.tasks.records import Record

CANONICAL = {"AT", "TA", "GC", "CG", "GT", "TG"}
SHORTEST_LOOP = 3  # nt between the two bases of a pair
ENDS = (50, 100, 200, 500, 1000, 3000)  # nt, the upper ends of the histogram of lengths
BINS = ("nt to 50", "nt to 100", "nt to 200", "nt to 500", "nt to 1000", "nt to 3000", "nt above 3000")
LISTED = 12  # classes; more are not listed


def summary(sets: dict[str, list[Record]], kind: str, raw: dict[str, list[str]]) -> list[dict]:
    """A row per set: what it holds, in records unless said otherwise.

    raw: {set: sequences as written}, of the sets whose reader knows them
    """
    homes = Counter(one for records in sets.values() for one in {record.molecules for record in records})
    binned = {name: Counter(bin_of(record) for record in records) for name, records in sets.items()}
    used = [name for name in BINS if any(own[name] for own in binned.values())]
    names = sorted({str(record.label) for records in sets.values() for record in records}) if kind == "classes" else []
    return [
        {
            "set": name,
            **counts(records, homes, "RNAs" if kind == "pairs" else "records"),
            **lengths(records),
            **{length: binned[name][length] for length in used},
            **(letters(raw[name]) if name in raw else {}),
            "with other letters than ACGTU": sum(bool(set(record.sequence) - set("ACGT")) for record in records),
            **LABELS[kind](records, names),
        }
        for name, records in sets.items()
    ]


def counts(records: list[Record], homes: Counter, what: str) -> dict:
    """homes: of every sequence, or pair of them, in how many sets it is"""
    labels = defaultdict(set)
    for record in records:
        labels[record.molecules].add(str(record.label))
    return {
        what: len(records),
        "distinct": len(labels),
        "in other sets": sum(homes[molecules] > 1 for molecules in labels),
        "with several labels": sum(len(own) > 1 for own in labels.values()),
    }


def lengths(records: list[Record]) -> dict:
    """Of the first molecules, and of the second ones where there are any."""
    found = span("nt", [record.length for record in records])
    partners = [len(record.partner) for record in records if record.partner]
    return found | (span("nt of the partner", partners) if partners else {})


def span(name: str, values: list[int]) -> dict:
    return {f"{name}, shortest": min(values), f"{name}, median": median(values), f"{name}, longest": max(values)}


def bin_of(record: Record) -> str:
    return BINS[bisect_left(ENDS, record.length)]


def letters(raw: list[str]) -> dict:
    return {
        "with T": sum("T" in sequence.upper() for sequence in raw),
        "with U": sum("U" in sequence.upper() for sequence in raw),
        "with lower case": sum(sequence != sequence.upper() for sequence in raw),
    }


# Labels by kind: (records of a set, all classes) -> rows


def pairs(records: list[Record], names: list[str]) -> dict:
    found = [(record.sequence[i] + record.sequence[j], j - i - 1) for record in records for i, j in record.label]
    texts = [dot_bracket(record.label, record.length) for record in records]
    return {
        "without pairs": sum(not record.label for record in records),
        "with pseudoknots": sum("[" in text for text in texts),
        "with pseudoknots of four kinds or more": sum("<" in text for text in texts),
        "pairs": len(found),
        "pairs, not canonical": sum(both not in CANONICAL for both, _ in found),
        f"pairs, loop below {SHORTEST_LOOP} nt": sum(loop < SHORTEST_LOOP for _, loop in found),
    }


def classes(records: list[Record], names: list[str]) -> dict:
    sizes = Counter(record.label for record in records)
    listed = {f"class {name}": sizes[name] for name in names} if len(names) <= LISTED else {}
    return {"classes": len(sizes), "in the smallest class": min(sizes.values()), **listed}


def numbers(records: list[Record], names: list[str]) -> dict:
    values = [record.label for record in records]
    return {"smallest label": min(values), "mean label": fmean(values), "largest label": max(values)}


def positions(records: list[Record], names: list[str]) -> dict:
    ones = [sum(record.label) for record in records]
    total = sum(record.length for record in records)
    return {"without a 1": ones.count(0), "nt": total, "nt with a 1": sum(ones), "share of 1": sum(ones) / total}


LABELS = {"pairs": pairs, "classes": classes, "number": numbers, "positions": positions}
