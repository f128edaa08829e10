"""GenBank flat files (RefSeq's .gbff, GenBank's .seq), parsed by Biopython, one record in memory.

Records are cut apart here, at `LOCUS` and `//`, because Biopython passes over text between records without a
word; and the length that LOCUS announces is compared with the sequence, so that nothing is lost silently.
The RNA type is that of the RNA feature which spans the whole record: INSDC's /ncRNA_class, or else the
feature's own name (rRNA, tRNA, precursor_RNA ...). https://www.insdc.org/submitting-standards/feature-table/
"""

import io
import re
import warnings
from collections.abc import Iterator

from Bio import BiopythonParserWarning, GenBank
from Bio.GenBank.Record import Feature, Record

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_text

RNA_FEATURES = ("ncRNA", "rRNA", "tRNA", "tmRNA", "precursor_RNA", "misc_RNA")


def genbank_fasta(path) -> Iterator[bytes]:
    """The FASTA bytes of one record after another; the header ends in the tags moltype, rna_type and taxid.

    InputError: no such file, another format, no record in it, broken compression, a record that is cut, that
    has no sequence, or that Biopython cannot read
    """
    count = 0
    try:
        with open_text(path) as handle:
            for lines in _records(path, handle):
                yield _fasta(_parse(path, lines)).encode()
                count += 1
    except BROKEN as error:
        raise broken(path, f"breaks off after {count:,} records", error) from error
    if not count:
        raise InputError(path, "holds no record", "give a GenBank flat file, whose records start with LOCUS")


def _records(path, handle) -> Iterator[list[str]]:
    """The lines of one record at a time, from LOCUS to `//`; a release file may start with a page of text."""
    lines, preamble = [], True
    for line in handle:
        if line.startswith("LOCUS "):
            if lines:
                raise _cut(path, lines)
            preamble = False
        elif not lines:
            if (preamble and line.rstrip() != "//") or not line.strip():
                continue
            problem = f"has a line between records: {line.strip()[:40]!r}"
            raise InputError(path, problem, "correct the file, or get it again")
        lines.append(line)
        if line.rstrip() == "//":
            yield lines
            lines = []
    if lines:
        raise _cut(path, lines)


def _parse(path, lines: list[str]) -> Record:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BiopythonParserWarning)
            record = GenBank.read(io.StringIO("".join(lines)))
    # What Biopython raises on a record that is none depends on where it is broken.
    except (ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise InputError(_where(path, lines), f"is no valid GenBank record ({error})", "correct the file") from error
    if not (record.version or record.accession):
        raise InputError(_where(path, lines), "has no accession", "correct the file")
    if not record.sequence:
        problem = "has no sequence of its own"
        raise InputError(_where(path, lines), problem, "get the file with sequences, not with CONTIG lines")
    if str(len(record.sequence)) != record.size:
        problem = f"has {len(record.sequence):,} of the {record.size} letters that LOCUS announces"
        raise InputError(_where(path, lines), problem, "get the whole file again")
    return record


def _fasta(record: Record) -> str:
    source = next((feature for feature in record.features if feature.key == "source"), Feature())
    taxa = [name.removeprefix("taxon:") for name in _values(source, "db_xref") if name.startswith("taxon:")]
    tags = {"moltype": _values(source, "mol_type"), "rna_type": _rna_types(record), "taxid": taxa}
    # What is said twice, and differently, is not certain.
    certain = {name: values[0] for name, values in tags.items() if len(set(values)) == 1}
    words = [record.version or record.accession[0], *record.definition.split()]
    words += [f"[{name}={value}]" for name, value in certain.items()]
    return f">{' '.join(words)}\n{record.sequence}\n"


def _rna_types(record: Record) -> list[str]:
    """The types of the RNA features that span the record."""
    whole = re.compile(rf"<?1\.\.>?{record.size}")
    found = [part for part in record.features if part.key in RNA_FEATURES and whole.fullmatch(part.location)]
    classes = [(_values(part, "ncRNA_class"), part.key) for part in found]
    # "other" says only that the list of classes has none for it.
    return [named[0] if named and named[0] != "other" else key for named, key in classes]


def _values(feature: Feature, name: str) -> list[str]:
    return [qualifier.value.strip('"') for qualifier in feature.qualifiers if qualifier.key == f"/{name}="]


def _cut(path, lines: list[str]) -> InputError:
    return InputError(_where(path, lines), "does not end in '//'", "get the whole file again")


def _where(path, lines: list[str]) -> str:
    return f"{path}, record {' '.join(lines[0].split()[1:2])}"
