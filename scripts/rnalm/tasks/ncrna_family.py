"""Families of non-coding RNAs: which family, or type, is this RNA of?

Two benchmarks. The 88 families of Rfam on which RiNALMo reports, which `families` selects from an R data file, also
with boundary noise: by `data: {noise: 200}` every RNA gets about its own length of random sequence at either end, as
if it had been cut out of a transcript at the wrong places. And nRC's 13 types in FASTA files whose headers end in the
type; 347 of its 2,600 test sequences are in its training set (measured), so its split drops what is shared.

Source of the noise: official code lbcb-sci/RiNALMo, `rinalmo/utils/ncrna_classification/seqEncoders.py`. There it is
drawn without a seed; here it is a function of the RNA, and of which of its copies in training it is.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from rnalm.errors import InputError
from rnalm.randomness import bits, digest_counters, key, uniform
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.readers import read_fasta
from rnalm.structure.files import uncompressed
from rnalm.tasks.archives import one
from rnalm.tasks.families import selected
from rnalm.tasks.rda import read_string_sets
from rnalm.tasks.records import Record

OBJECTS = {"x_train": "train", "x_val": "valid", "x_test": "test"}
FASTA = (".fasta", ".fa")
SEED = 42
VALID_SHARE = 10  # one training RNA in ten, where a benchmark has no validation set


def from_rda(paths, settings: dict) -> dict[str, list[Record]]:
    """The sets `train` (RNAs several times), `valid` and `test` of the selected families, by the publishers' file.

    settings: `data: {noise, families}`: noise in percent of an RNA's length, left out or 0 for none; how many families
    there must be
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
    return {part: noisy(chosen, data["noise"]) for part, chosen in sets.items()} if data.get("noise") else sets


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


def from_fasta(paths, settings: dict) -> dict[str, list[Record]]:
    """RNAs of FASTA files; a set is a file, the label the last word of a header.

    settings: `data: {valid_from}`: of the set of this name a tenth becomes the set `valid`, chosen by sequence
    """
    sets = {}
    for path in sorted(paths):
        name = uncompressed(path)
        if suffix := next((suffix for suffix in FASTA if name.endswith(suffix)), None):
            sets[name.removesuffix(suffix)] = [labelled(item, path) for item in read_fasta(path)]
    if not sets:
        raise InputError(settings["source"]["name"], "brought no FASTA file", "name it *.fasta or *.fasta.gz")
    name = settings.get("data", {}).get("valid_from")
    if name is None:
        return sets
    if name not in sets:
        raise InputError(f"valid_from: {name}", "is no set of the data", f"it has {', '.join(sets)}")
    return sets | with_valid(sets[name], name)


def labelled(item, path) -> Record:
    """InputError for a header of one word, which has no label."""
    if not item.description.strip():
        where = f"{path}, record {item.accession}"
        raise InputError(where, "has no label", "write the type as the last word of the header")
    label = item.description.split()[-1]
    return Record(item.accession, label, normalise(item.sequence), label)


def with_valid(chosen: list[Record], name: str) -> dict[str, list[Record]]:
    ranks = bits(key(SEED, "valid"), digest_counters([digest(record.sequence) for record in chosen]))
    held = (ranks % np.uint64(VALID_SHARE) == 0).tolist()
    parts = {name: [record for record, out in zip(chosen, held, strict=True) if not out]}
    return parts | {"valid": [record for record, out in zip(chosen, held, strict=True) if out]}


READERS = {"rfam_novel": from_rda, "last_word": from_fasta}
