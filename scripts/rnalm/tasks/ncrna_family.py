"""Families of non-coding RNAs: the 88 families of Rfam on which RiNALMo reports, out of an R data file.

`families` selects them. With boundary noise, `data: {noise: 200}`, every RNA gets about its own length of random
sequence at either end, as if it had been cut out of a transcript at the wrong places. nRC's 13 types, the other
benchmark of this kind, need no reader of their own: config/tasks/nrc.yaml.

Source of the noise: official code lbcb-sci/RiNALMo, `rinalmo/utils/ncrna_classification/seqEncoders.py`. There it is
drawn without a seed; here it is a function of the RNA, and of which of its copies in training it is.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from rnalm.errors import InputError
from rnalm.randomness import key, uniform
from rnalm.sequences.alphabet import normalise
from rnalm.tasks.archives import one
from rnalm.tasks.families import selected
from rnalm.tasks.rda import read_string_sets
from rnalm.tasks.records import Record
from rnalm.tasks.splits import without_shared

OBJECTS = {"x_train": "train", "x_val": "valid", "x_test": "test"}
SEED = 42


def from_rda(paths, settings: dict) -> dict[str, list[Record]]:
    """The sets `train` (RNAs several times), `valid` and `test` of the selected families, by the publishers' file.

    settings: `data: {noise, families}`: noise in percent of an RNA's length, left out or 0 for none, and then train is
    without what is in valid or test, valid without what is in test; how many families there must be
    """
    path, data = one(paths, (".RDa", ".rda", ".RData"), settings["source"]["name"]), settings.get("data", {})
    found = read_string_sets(path)
    for name in OBJECTS:
        if name not in found:
            raise InputError(path, f"has no object {name}, only {', '.join(found)}", "get the published file")
    sets = selected({part: records(found[name], part) for name, part in OBJECTS.items()})
    number = len({record.label for record in sets["train"]})
    if number != data.get("families", number):
        problem = f"gives {number} families where {data['families']} are expected"
        raise InputError(path, problem, "get the published file, or correct 'families' in the task's config")
    if not data.get("noise"):
        return sets
    # Between different noise, an RNA that two sets have would not be found to be the same.
    return {part: noisy(chosen, data["noise"]) for part, chosen in without_shared(sets).items()}


def records(named: list[tuple[str, str]], part: str) -> list[Record]:
    """Records named by their place in the file; label and family are the family."""
    rows = enumerate(named, start=1)
    return [Record(f"{part}_{number}", family, normalise(letters), family) for number, (family, letters) in rows]


def noisy(chosen: list[Record], percent: int) -> list[Record]:
    """Each RNA between random sequence; the copies of one RNA get different ones, and names of their own."""
    copies, made = Counter(), []
    for record in chosen:
        copies[record.id] += 1
        name = f"{record.id}_{copies[record.id]}"
        made.append(replace(record, id=name, sequence=between_noise(record.sequence, percent, name)))
    return made


def between_noise(sequence: str, percent: int, name: str) -> str:
    """A sequence of L nt with L * percent / 400 dinucleotides of its own, rounded down, drawn for either end.

    It is cut into dinucleotides from its start, so that the last has one letter if L is odd. name: keys the draw
    """
    pieces = [sequence[start : start + 2] for start in range(0, len(sequence), 2)]
    number = int(0.25 * len(sequence) * percent / 100)
    places = (uniform(key(SEED, "boundary noise", name), np.arange(2 * number)) * len(pieces)).astype(int)
    drawn = [pieces[place] for place in places]
    return "".join([*drawn[:number], sequence, *drawn[number:]])


READERS = {"rfam_novel": from_rda}
