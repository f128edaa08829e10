"""The normalise stage: records of one source -> shards of normalised sequences, and why the others were dropped.

Every record is either kept or dropped by the first rule that applies, in this order:
  title           nt only: its title is not that of a non-coding RNA (resources/nt_rules.yaml)
  too_short       shorter than min_length, in nt after normalisation
  too_long        longer than max_length (nt: or than the title rule's cap)
  not_nucleotide  more than half of its letters are ambiguity codes, as in a short peptide
  too_many_n      a larger share of N than max_n_fraction
A record that is evidently a protein is no case for a rule: the file is the wrong one, and the stage ends.
Memory holds one shard, and the longest record.
"""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rnalm.errors import InputError
from rnalm.sequences.alphabet import digest, is_protein, normalise
from rnalm.sequences.headers import TitleRule, type_reader
from rnalm.sequences.readers import FastaRecord, read_fasta
from rnalm.sequences.releases import File

SHARD_LETTERS = 1 << 27  # nt
SHARD_RECORDS = 250_000
AMBIGUITY_FRACTION = 0.5
KEPT = pa.schema(
    [
        ("digest", pa.string()),
        ("sequence", pa.string()),
        ("length", pa.int32()),
        ("rna_type", pa.string()),
        ("source", pa.string()),
        ("accession", pa.string()),
    ]
)
DROPPED = pa.schema([("accession", pa.string()), ("rule", pa.string())])


@dataclass(frozen=True)
class Rules:
    """What is kept: lengths in nt after normalisation, the largest share of N, and nt's title rule or None."""

    min_length: int
    max_length: int
    max_n_fraction: float
    title: TitleRule | None = None

    def drops(self, record: FastaRecord, sequence: str) -> str | None:
        """The name of the first rule that drops a record with this normalised sequence; None keeps it."""
        longest = self.max_length if self.title is None else min(self.max_length, self.title.max_length)
        if self.title and not self.title.accepts(record.description):
            return "title"
        if len(sequence) < self.min_length:
            return "too_short"
        if len(sequence) > longest:
            return "too_long"
        if ambiguous(sequence) > AMBIGUITY_FRACTION * len(sequence):
            return "not_nucleotide"
        if sequence.count("N") > self.max_n_fraction * len(sequence):
            return "too_many_n"
        return None


def ambiguous(sequence: str) -> int:
    """How many letters are neither a base, nor N, nor inosine."""
    return len(sequence) - sum(map(sequence.count, "ACGTNI"))


class Buffer:
    """Rows on their way to Parquet, handed to `write` as a table whenever a shard's worth has come together."""

    def __init__(self, schema: pa.Schema, write: Callable[[pa.Table], None]):
        self.schema, self.write = schema, write
        self.rows, self.letters = [], 0

    def add(self, row: tuple, letters: int = 0) -> None:
        self.rows.append(row)
        self.letters += letters
        if len(self.rows) >= SHARD_RECORDS or self.letters >= SHARD_LETTERS:
            self.flush()

    def flush(self) -> None:
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.schema)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self.schema, strict=True)]
        self.write(pa.Table.from_arrays(arrays, schema=self.schema))
        self.rows, self.letters = [], 0


def normalise_files(files: list[tuple[Path, File]], source: str, rules: Rules, folder: Path) -> Counter:
    """Write part-NNNNN.parquet and dropped.parquet into `folder`; counts `records`, `kept`, `dropped.<rule>`.

    files: (where the file lies, its entry in the lock), in reading order
    InputError: a file that cannot be read, or that holds a protein
    """
    counts, numbers = Counter(records=0, kept=0), itertools.count()

    def write_part(table: pa.Table) -> None:
        pq.write_table(table, folder / f"part-{next(numbers):05d}.parquet", compression="zstd")

    with pq.ParquetWriter(folder / "dropped.parquet", DROPPED, compression="zstd") as writer:
        kept, dropped = Buffer(KEPT, write_part), Buffer(DROPPED, writer.write_table)
        for path, file in files:
            rna_type = type_of(source, file)
            for record in read_fasta(path):
                counts["records"] += 1
                refuse_protein(path, record)
                sequence = normalise(record.sequence)
                if rule := rules.drops(record, sequence):
                    counts[f"dropped.{rule}"] += 1
                    dropped.add((record.accession, rule))
                else:
                    counts["kept"] += 1
                    described = rna_type(record.description), source, record.accession
                    kept.add((digest(sequence), sequence, len(sequence), *described), len(sequence))
        kept.flush()
        dropped.flush()
    return counts


def type_of(source: str, file: File) -> Callable[[str], str | None]:
    """Description -> RNA type: the one type of all records of a file, or what the source's headers say."""
    return type_reader(source) if file.rna_type is None else lambda _: file.rna_type


def refuse_protein(path: Path, record: FastaRecord) -> None:
    if is_protein(record.sequence):
        where = f"{path}, record {record.accession}"
        raise InputError(where, "is a protein, not a nucleotide sequence", "remove it, or give the right file")
