"""The normalise stage: records of one source -> sorted runs of normalised sequences, and why the others were dropped.

Every record is either kept or dropped by the first rule that applies, in this order:
  not_selected    not what the file's set of rules takes (resources/nt_rules.yaml)
  too_short       shorter than min_length, in nt after normalisation
  too_long        longer than max_length
  not_nucleotide  more than half of its letters are ambiguity codes, as in a short peptide
  too_many_n      a larger share of N than max_n_fraction
A record that is evidently a protein, or a structure, is no case for a rule: the file is the wrong one, and the stage
ends.
Files are read in blocks, each by one thread, and every step on a block is one operation on its columns. Memory holds
a few blocks and runs, and what is written does not depend on the number of threads.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rnalm.errors import InputError
from rnalm.parallel import in_order
from rnalm.progress import Progress
from rnalm.sequences import alphabet, fasta, formats, headers, runs
from rnalm.sequences.digests import hexadecimal_digests
from rnalm.sequences.selection import NOT_SELECTED, Selection, Tally

RUN_BYTES = 32 << 20  # of the columns in memory
DROPPED_BYTES = 16 << 20
AMBIGUITY_FRACTION = 0.5
DROPPED = pa.schema([("accession", pa.large_string()), ("rule", pa.large_string())])


@dataclass(frozen=True)
class Rules:
    """What is kept: lengths in nt after normalisation, and the largest share of N."""

    min_length: int
    max_length: int
    max_n_fraction: float

    def __post_init__(self):
        if not 1 <= self.min_length <= self.max_length < fasta.BLOCK:
            problem = f"is no range of lengths: {self.min_length} to {self.max_length}"
            raise InputError("min_length, max_length", problem, f"give 1 to {fasta.BLOCK - 1:,} nt, the smaller first")
        if not 0 <= self.max_n_fraction <= 1:
            raise InputError("max_n_fraction", f"is no share: {self.max_n_fraction}", "give a number from 0 to 1")

    def dropping(self) -> pl.Expr:
        """The name of the first rule that drops a record; null keeps it."""
        length = pl.col("length")
        rules = {
            NOT_SELECTED: ~pl.col("selected"),
            "too_short": length < self.min_length,
            "too_long": length > self.max_length,
            "not_nucleotide": pl.col("ambiguous") > AMBIGUITY_FRACTION * length,
            "too_many_n": pl.col("unknown") > self.max_n_fraction * length,
        }
        return pl.coalesce(pl.when(applies).then(pl.lit(rule)) for rule, applies in rules.items())


@dataclass(frozen=True)
class File:
    """One file of a source.

    format:    one of `formats.READERS`
    rna_type:  of every record in it; None: what headers say
    selection: which of its records are taken; None: all
    """

    path: Path
    format: str = "fasta"
    rna_type: str | None = None
    selection: Selection | None = None


@dataclass(frozen=True)
class Source:
    """database: whose headers its records have, see `headers.parse`."""

    name: str
    database: str
    files: list[File]


class Block(NamedTuple):
    """What became of the records of a block; `tally` is None without a selection."""

    records: int
    kept: pa.Table
    dropped: pa.Table
    rules: Counter
    tally: Tally | None


class Normalised(NamedTuple):
    """Counts `records`, `kept`, `dropped.<rule>`; what the rules of selections decided, by their names; its runs."""

    counts: Counter
    selection: dict[str, dict]
    runs: list[Path | pl.DataFrame]


def normalise(source: Source, rules: Rules, folder: Path, threads: int, held=0, kind=runs.STORED) -> Normalised:
    """Write part-NNNNN.parquet (sorted `runs`) and dropped.parquet (accession, rule) into `folder`.

    held: bytes of the first runs that stay in memory, unsorted, and are not written
    kind: of those that are, `runs.STORED` or `runs.PASSING`
    InputError: a file that cannot be read, or that holds a protein or a structure
    """
    counts, tallies = Counter(records=0, kept=0), {}
    with pq.ParquetWriter(folder / "dropped.parquet", DROPPED, compression="zstd") as writer:

        def kept() -> Iterator[pa.Table]:
            dropped, progress = [], Progress()
            for file, block in in_order(partial(normalise_block, source, rules, kind), texts(source.files), threads):
                counts.update(records=block.records, kept=block.kept.num_rows)
                counts.update({f"dropped.{rule}": number for rule, number in block.rules.items()})
                if block.tally:
                    tallies.setdefault(file.selection.name, Tally(file.selection)).merge(block.tally)
                dropped.append(block.dropped)
                if sum(table.nbytes for table in dropped) > DROPPED_BYTES:
                    writer.write_table(pa.concat_tables(dropped))
                    dropped = []
                progress(f"{source.name}: {counts['records']:,} records read, now in {file.path}")
                yield block.kept
            writer.write_table(pa.concat_tables(dropped))

        tables = placed(joined(kept(), RUN_BYTES), folder, held)
        found = list(in_order(partial(make_run, kind), tables, threads))
    return Normalised(counts, {name: tally.notes() for name, tally in sorted(tallies.items())}, found)


def texts(files: Iterable[File]) -> Iterator[tuple[File, bytes]]:
    """The text of the files in blocks of whole records."""
    for file in files:
        for text in fasta.blocks(file.path, formats.fasta_text(file.path, file.format)):
            yield file, text


def normalise_block(source: Source, rules: Rules, kind: runs.Kind, item: tuple[File, bytes]) -> tuple[File, Block]:
    file, text = item
    parsed = fasta.parse(text)
    records = headers.parse(parsed.identifiers, parsed.descriptions, source.database).with_columns(
        source=pl.lit(source.name),
        length=lengths(parsed.sequences),
        gaps=parsed.kinds[alphabet.GAP],
        ambiguous=parsed.kinds[alphabet.AMBIGUITY],
        protein=parsed.kinds[alphabet.PROTEIN],
        bracket=parsed.kinds[alphabet.BRACKET],
        unknown=parsed.kinds[[alphabet.UNKNOWN, alphabet.PROTEIN, alphabet.BRACKET]].sum(axis=0),
    )
    refuse(file.path, records)
    if file.rna_type:
        records = records.with_columns(rna_type=pl.lit(file.rna_type))
    selected, tally = pl.lit(True), None
    if file.selection:
        decisions, tally = file.selection.apply(records), Tally(file.selection)
        tally.add(records, decisions)
        selected = decisions["kept"]
    records = records.with_columns(selected=selected).with_columns(rule=rules.dropping())
    keep = records["rule"].is_null()
    dropped = records.filter(~keep).select(DROPPED.names)
    by_rule = Counter(dict(dropped["rule"].value_counts().iter_rows()))
    sequences = parsed.sequences if keep.all() else parsed.sequences.filter(keep.to_arrow())
    kept = records.select(name for name in kind.columns if name in records.columns).filter(keep).to_arrow()
    digest, key = digests(sequences)
    kept = kept.append_column("sequence", sequences).append_column("digest", digest).append_column("key", key)
    kept = kept.select([*kind.columns, "key"])
    return file, Block(records.height, kept, dropped.to_arrow(), by_rule, tally)


def refuse(path, records: pl.DataFrame) -> None:
    """Raise InputError for the first record that no FASTA file of nucleotide sequences has."""
    wrong = {
        "identifier": pl.col("accession") == "",
        "sequence": pl.col("length") + pl.col("gaps") == 0,
        "protein": foreign("protein"),
        "structure": foreign("bracket"),
    }
    problem = pl.coalesce(pl.when(is_so).then(pl.lit(name)) for name, is_so in wrong.items())
    found = records.select(accession=pl.col("accession"), before=pl.col("accession").shift(1), problem=problem)
    for accession, before, problem in found.filter(pl.col("problem").is_not_null()).head(1).iter_rows():
        if problem == "identifier":
            after = f" after record {before}" if before else ""
            raise InputError(path, f"has a header without an identifier{after}", "name the record")
        where = f"{path}, record {accession}"
        if problem == "sequence":
            raise InputError(where, "has a header but no sequence", "get the whole file again")
        if problem == "structure":
            raise InputError(where, "has brackets in its sequence, as a structure has", "give the sequences alone")
        raise InputError(where, "is a protein, not a nucleotide sequence", "remove it, or give the right file")


def foreign(kind: str) -> pl.Expr:
    """Whether a record has more bytes of a kind than a nucleotide record can have by mistake."""
    return (pl.col(kind) > 0) & (pl.col(kind) >= alphabet.FOREIGN_FRACTION * pl.col("length"))


def lengths(sequences: pa.LargeStringArray) -> np.ndarray:
    """Length of each sequence in nt, int32."""
    return np.diff(np.frombuffer(sequences.buffers()[1], np.int64)[: len(sequences) + 1]).astype(np.int32)


def digests(sequences: pa.LargeStringArray) -> tuple[pa.LargeStringArray, pa.UInt64Array]:
    """The digest of each sequence, as `alphabet.digest` has it, and its `runs.KEY`."""
    _, ends, letters = (np.frombuffer(buffer or b"", np.uint8) for buffer in sequences.buffers())
    found, halves = hexadecimal_digests(letters, ends.view(np.int64)[: len(sequences) + 1])
    ends = np.arange(0, found.size + 1, 32)
    text = pa.LargeStringArray.from_buffers(len(sequences), pa.py_buffer(ends), pa.py_buffer(found))
    return text, pa.UInt64Array.from_buffers(pa.uint64(), len(sequences), [None, pa.py_buffer(halves)])


def joined(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The rows of `tables` in tables of `size` bytes and a little more; the last may be smaller."""
    waiting = []
    for table in tables:
        waiting.append(table)
        if sum(table.nbytes for table in waiting) > size:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def placed(tables: Iterable[pa.Table], folder: Path, held: int) -> Iterator[tuple[pa.Table, Path | None]]:
    """Each table with the path of its run; None while less than `held` bytes stay in memory."""
    for number, table in enumerate(tables):
        held -= table.nbytes
        yield table, folder / f"part-{number:05d}.parquet" if held <= 0 else None


def make_run(kind: runs.Kind, item: tuple[pa.Table, Path | None]) -> Path | pl.DataFrame:
    table, path = item
    records = pl.from_arrow(table)
    if path is None:
        return records
    runs.write(records, path, kind)
    pa.default_memory_pool().release_unused()  # or else memory grows by a fifth in 10 M records
    return path
