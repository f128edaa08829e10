"""Readers of messenger and long non-coding RNAs (RNAret's `lnc.py`, section "lncRNA_H" of its paper; CPAT).

`cds_headers`: FASTA as GENCODE writes it. The fields of a header stand between `|`; `CDS:start-end` gives the coding
region, from 1, both ends in it; an RNA without this field is a lncRNA. The label is 1 at every coding nucleotide.
RNAret's released code reads the first 3,000 nt only (`data: {crop: 3000}`), and then an mRNA whose CDS starts behind
them has no 1 and counts as lncRNA; its paper describes the full length (no `crop`). Whether a record is an mRNA by its
header is kept either way, as its family.

`class_files`: a FASTA file per class, as CPAT's test set has them; no coding region is known.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

from Bio.SeqIO.FastaIO import SimpleFastaParser

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.names import stem, uncompressed
from rnalm.sequences.readers import FASTA, read_fasta
from rnalm.tasks.archives import is_archive, texts
from rnalm.tasks.records import Record
from rnalm.tasks.scores.coding import LONG_NONCODING, MESSENGER

MEMBER = re.compile(r"(?:.*/)?(lncRNA_[HM])/(train|test)\.fa")
LARGEST_MEMBER = 2_000_000_000  # bytes
CDS = re.compile(r"CDS:(\d+)-(\d+)")


def from_cds_headers(paths, settings: dict) -> dict[str, list[Record]]:
    """RNAs with a label per nucleotide; a set is a file, or a file of RNAret's archive (`lncRNA_H_train`).

    settings: `data: {crop}`, nt that are read of each RNA; left out, all
    """
    crop = settings.get("data", {}).get("crop")
    sets = {}
    for path in paths:
        for name, where, rnas in files(path):
            sets[name] = [labelled(header, sequence, crop, where) for header, sequence in rnas]
            if all(record.family == LONG_NONCODING for record in sets[name]):
                problem = "has no 'CDS:start-end' in any header, so every RNA in it would be a lncRNA"
                raise InputError(where, problem, "get the file with GENCODE's headers")
    return not_empty(sets, settings)


def from_class_files(paths, settings: dict) -> dict[str, list[Record]]:
    """RNAs with their class; a set is a file. settings: `data: {classes: {set: class}}`."""
    classes, sets = settings["data"]["classes"], {}
    for path in paths:
        name = stem(path)
        if name in classes:
            found = ((item.accession, normalise(item.sequence)) for item in read_fasta(path))
            sets[name] = [Record(accession, classes[name], sequence, classes[name]) for accession, sequence in found]
    if missing := classes.keys() - sets.keys():
        raise InputError(f"classes: {min(missing)}", "is no FASTA file of the data", "give every class its file")
    return sets


def files(path) -> Iterator[tuple[str, object, Iterator[tuple[str, str]]]]:
    """(set, where, (header, sequence) of each RNA) of a file; none where it is of another kind."""
    if is_archive(path):
        for match, where, text in texts(path, MEMBER, LARGEST_MEMBER):
            yield f"{match[1]}_{match[2]}", where, SimpleFastaParser(io.StringIO(text))
    elif Path(uncompressed(path)).suffix in FASTA:
        rnas = ((f"{item.accession} {item.description}", item.sequence) for item in read_fasta(path))
        yield stem(path), path, rnas


def labelled(header: str, raw: str, crop: int | None, where) -> Record:
    """One RNA with 1 at its coding nucleotides; InputError where the coding region does not lie in it."""
    fields = [field.strip() for field in header.split("|")]
    place = f"{where}, record {fields[0]}"
    sequence = normalise(raw)
    if not sequence:
        raise InputError(place, "has no sequence", "get the whole file again")
    regions = [field for field in fields if field.startswith("CDS:")]
    label = [0] * len(sequence)
    if regions:
        start, end = bounds(regions[0], len(sequence), place)
        label[start - 1 : end] = [1] * (end - start + 1)
    return Record(fields[0], MESSENGER if regions else LONG_NONCODING, sequence[:crop], label[:crop])


def bounds(field: str, length: int, where: str) -> tuple[int, int]:
    """First and last nucleotide of a coding region, from 1."""
    match = CDS.fullmatch(field)
    if not match:
        raise InputError(where, f"has {field!r} where CDS:start-end is due", "correct its header")
    start, end = int(match[1]), int(match[2])
    if not 1 <= start <= end <= length:
        raise InputError(where, f"has {field} in a sequence of {length} nt", "correct its header")
    return start, end


def not_empty(sets: dict, settings: dict) -> dict[str, list[Record]]:
    if not sets:
        raise InputError(settings["source"]["name"], "brought no FASTA file", "give *.fa, or RNAret's archive")
    return sets


READERS = {"cds_headers": from_cds_headers, "class_files": from_class_files}
