"""Data of the secondary-structure task: RNAs with base pairs, and their division into train, valid and test.

Three readers: Stockholm alignments, whose consensus structure is projected onto each row, bpRNA's `.st` files in
the zip of the SPOT-RNA split, and files of structures, one per set. Three rules divide the RNAs:

- `random`: parts of one shuffled pool;
- `family`: one family is the test, the others make train and valid;
- `given`:  the sets of the benchmark itself.

A part's number is a count, a fraction of its pool (a number with a decimal point), or, left out, all that is
left. Shuffling is by digest, so that a new record moves no other. RNAs without any pair cannot be learnt from
and score 0 whatever is predicted: they are in no pool and in no training part; a given test set keeps its own.
"""

import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from rnalm import files, provenance
from rnalm.errors import InputError
from rnalm.randomness import bits, digest_counters, key
from rnalm.sequences.alphabet import digest, normalise
from rnalm.sequences.readers import read_stockholm
from rnalm.sequences.stockholm import consensus_pairs, project
from rnalm.structure.files import Structure, parse_st, read, uncompressed

# Keys of a task's config that shape its data; the others are about training.
KEYS = ("task", "source", "reader", "expected", "families", "max_length", "max_test_length", "splits")
PARTS = ("train", "valid", "test")
STOCKHOLM = {".seed", ".sto", ".stk", ".stockholm"}
MEMBER = re.compile(r"bpRNA_dataset/([A-Z0-9]+)/(bpRNA_[^/]+)\.st")
LARGEST_MEMBER = 1_000_000  # bytes; the largest .st file has 8 kB, so this is a broken or hostile archive
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "family": pa.string(),
        "sequence": pa.string(),
        "length": pa.int32(),
        "pairs": pa.list_(pa.list_(pa.int32())),
    }
)


@dataclass(frozen=True)
class Record:
    """One RNA: normalised sequence; pairs (i, j) with i < j, 0-based, sorted."""

    id: str
    family: str
    sequence: str
    pairs: list[tuple[int, int]]

    @property
    def length(self) -> int:
        return len(self.sequence)


def load(manifest) -> dict[str, Record]:
    """{id: Record} of a task_data manifest."""
    (path,) = provenance.outputs(manifest, "records.parquet")
    columns = pl.read_parquet(path).select("id", "family", "sequence", "pairs")
    return {row[0]: Record(*row[:3], [tuple(pair) for pair in row[3]]) for row in columns.iter_rows()}


def load_split(manifest, split: str) -> dict[str, list[Record]]:
    """{"train": records, "valid": records, "test": records} of one split of a task_data manifest."""
    (path,) = provenance.outputs(manifest, "splits.parquet")
    table = pl.read_parquet(path)
    if split not in table["split"]:
        known = ", ".join(table["split"].unique(maintain_order=True))
        raise InputError(manifest, f"has no split {split!r}", f"choose one of {known}")
    records, parts = load(manifest), {part: [] for part in PARTS}
    for part, name in table.filter(pl.col("split") == split).select("part", "id").iter_rows():
        parts[part].append(records[name])
    return parts


def build(settings: dict, retrieved, seed: int, directory) -> tuple[list[Path], dict]:
    """Write records.parquet and splits.parquet of a task's settings; returns their paths and the counts.

    retrieved: manifest of the download that holds the files
    """
    sets = READERS[settings["reader"]](provenance.outputs(retrieved), settings)
    check_families(sets, settings.get("families", {}))
    check_expected({name: len(records) for name, records in sets.items()}, settings.get("expected", {}), retrieved)
    records = unique(sets)
    splits = {}
    for name, split in settings["splits"].items():
        purpose = key(seed, "split", settings["task"], name)
        splits[name] = RULES[split["rule"]](sets, records, {**settings, **split}, purpose)
        check_disjoint(splits[name], f"{settings['task']}, split {name}")
    return write(records, splits, Path(directory)), counts(sets, records, splits)


# Readers: paths of downloaded files -> {set: records}


def from_stockholm(paths, settings: dict) -> dict[str, list[Record]]:
    """Rows of Stockholm alignments; a set is an alignment, and `families` names the families of those it renames."""
    chosen = [path for path in paths if STOCKHOLM.intersection(path.suffixes)]
    if not chosen:
        raise InputError(settings["source"]["name"], "brought no Stockholm file", "give one named *.sto or *.seed.gz")
    families, sets = settings.get("families", {}), {}
    for path in chosen:
        for alignment in read_stockholm(path):
            name = alignment.identifier or alignment.accession
            where = f"{path}, alignment {name}"
            if alignment.ss_cons is None:
                raise InputError(where, "has no consensus structure", "add its '#=GC SS_cons' line, or remove it")
            if name in sets:
                raise InputError(where, "is not the only one of this name", "give every alignment its own '#=GF ID'")
            columns = consensus_pairs(alignment.ss_cons)
            projected = ((row, *project(aligned, columns)) for row, aligned in alignment.rows)
            sets[name] = [Record(row, families.get(name, name), normalise(raw), own) for row, raw, own in projected]
    return sets


def from_st_zip(paths, settings: dict) -> dict[str, list[Record]]:
    """`.st` members of a zip; a set is a folder. bpRNA knows no families, only source databases."""
    sets = defaultdict(list)
    for folder, item in st_members(paths, settings):
        sets[folder].append(Record(item.name, item.name.split("_")[1], normalise(item.sequence), item.pairs))
    return dict(sets)


def st_members(paths, settings: dict) -> Iterator[tuple[str, Structure]]:
    """(folder, structure as it is written) of each `.st` member of a zip, read in memory."""
    chosen = [path for path in paths if path.suffix == ".zip"]
    if len(chosen) != 1:
        raise InputError(settings["source"]["name"], f"brought {len(chosen)} zip files", "it needs exactly one")
    (path,) = chosen
    try:
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                if match := MEMBER.fullmatch(member.filename):
                    folder, name = match.groups()
                    yield folder, parse_st(member_text(archive, member, path), name, f"{path}, {member.filename}")
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(path, f"is no readable zip file ({error})", "get the whole file again") from error


def member_text(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path) -> str:
    where = f"{path}, {member.filename}"
    if member.file_size > LARGEST_MEMBER:
        raise InputError(where, f"unpacks to {member.file_size} bytes", "get the archive from its publisher")
    try:
        return archive.read(member).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(where, f"is not text ({error})", "get the archive again") from error


def from_files(paths, settings: dict) -> dict[str, list[Record]]:
    """Files of structures (`*.dbn`, `*.ct`, `*.bpseq`, also compressed); a set is a file. They name no families."""
    sets = {}
    for path in paths:
        name = uncompressed(path).partition(".")[0]
        sets[name] = [Record(item.name, name, normalise(item.sequence), item.pairs) for item in read(path)]
    return sets


READERS = {"stockholm": from_stockholm, "st_zip": from_st_zip, "files": from_files}


# Intake checks


def check_expected(found: dict[str, int], expected: dict[str, int], where) -> None:
    """InputError unless the sets named in `expected` have as many RNAs as it says: public copies are often partial."""
    for name, number in expected.items():
        if found.get(name, 0) != number:
            problem = f"set {name} has {found.get(name, 0)} RNAs where {number} are expected"
            raise InputError(where, problem, "get the complete data, or correct 'expected' in the task's config")


def check_families(sets: dict, families: dict[str, str]) -> None:
    """InputError where `families` names what the data lack: after a typo, a family would leak into its own hold-out."""
    for name in families:
        if name not in sets:
            raise InputError(f"families: {name}", "is no alignment of the data", f"choose from {', '.join(sets)}")


def unique(sets: dict[str, list[Record]]) -> list[Record]:
    """The first record of every sequence, in order; InputError where two different RNAs have one id."""
    first, names = {}, {}
    for record in (record for records in sets.values() for record in records):
        if first.setdefault(record.sequence, record) is record and names.setdefault(record.id, record) is not record:
            raise InputError(f"RNA {record.id}", "names two different sequences", "give every RNA a name of its own")
    return list(first.values())


def check_disjoint(parts: dict[str, list[Record]], where: str) -> None:
    """InputError if two parts share a sequence."""
    seen = {}
    for part, records in parts.items():
        for record in records:
            other, twin = seen.setdefault(record.sequence, (part, record))
            if other != part:
                problem = f"{record.id} in {part} and {twin.id} in {other} are the same sequence"
                raise InputError(where, problem, "remove one of them from the data")


# Rules: how a split divides the RNAs


def random(sets, records: list[Record], settings: dict, purpose) -> dict[str, list[Record]]:
    """Parts of one pool, at most `cap` RNAs of a family."""
    return deal(pool(learnable(records, settings), settings, purpose), settings, ("test", "valid", "train"))


def family(sets, records: list[Record], settings: dict, purpose) -> dict[str, list[Record]]:
    """The family `hold_out` is the test; train and valid are parts of the others, at most `cap` RNAs of a family."""
    name = settings.get("hold_out")
    held = [record for record in records if record.family == name and record.pairs]
    if not held:
        known = ", ".join(sorted({record.family for record in records if record.pairs}))
        raise InputError(f"hold_out {name}", "is no family with base pairs", f"hold out one of {known}")
    others = [record for record in learnable(records, settings) if record.family != name]
    test = deal(shuffled(testable(held, settings), purpose), settings, ("test",))
    return deal(pool(others, settings, purpose), settings, ("valid", "train")) | test


def given(sets, records: list[Record], settings: dict, purpose) -> dict[str, list[Record]]:
    """The sets that `train`, `valid` and `test` name; the length limit holds for train and valid."""
    for part in PARTS:
        if settings.get(part) not in sets:
            raise InputError(f"{part}: {settings.get(part)}", "is no set of the data", f"it has {', '.join(sets)}")
    parts = {part: sets[settings[part]] for part in PARTS}
    return {
        "train": learnable(parts["train"], settings),
        "valid": short(parts["valid"], settings.get("max_length")),
        "test": testable(parts["test"], settings),
    }


RULES = {"random": random, "family": family, "given": given}


def learnable(records: list[Record], settings: dict) -> list[Record]:
    return [record for record in short(records, settings.get("max_length")) if record.pairs]


def testable(records: list[Record], settings: dict) -> list[Record]:
    return short(records, settings.get("max_test_length"))


def short(records: list[Record], longest: int | None) -> list[Record]:
    return [record for record in records if longest is None or record.length <= longest]


def shuffled(records: list[Record], purpose: np.uint64) -> list[Record]:
    """Records in an order that depends on each one's sequence and the purpose alone."""
    digests = [digest(record.sequence) for record in records]
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
            raise InputError(f"split by {settings['rule']}", problem, "ask for less, or raise max_length or cap")
    return dealt


# Outputs


def write(records: list[Record], splits: dict, directory: Path) -> list[Path]:
    columns = {name: [getattr(record, name) for record in records] for name in SCHEMA.names}
    assigned = [(split, part, record.id) for split, parts in splits.items() for part in PARTS for record in parts[part]]
    tables = {
        "records.parquet": pl.from_arrow(pa.table(columns, SCHEMA)),  # polars itself reads nested lists slowly
        "splits.parquet": pl.DataFrame(assigned, schema=["split", "part", "id"], orient="row"),
    }
    for name, table in tables.items():
        with files.atomic(directory / name) as temporary:
            table.write_parquet(temporary)
    return [directory / name for name in tables]


def counts(sets, records: list[Record], splits: dict) -> dict[str, int]:
    """Records read and kept; per set; per split and part, in all and by family."""
    found = {
        "read": sum(map(len, sets.values())),
        "unique": len(records),
        "without_pairs": sum(not record.pairs for record in records),
    }
    found |= {f"set.{name}": len(part) for name, part in sets.items()}
    for split, parts in splits.items():
        for part in PARTS:
            found[f"{split}.{part}"] = len(parts[part])
            families = Counter(record.family for record in parts[part])
            found |= {f"{split}.{part}.{name}": number for name, number in sorted(families.items())}
    return found
