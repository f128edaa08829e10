"""Readers of structures in published folds that each leave one family out: ArchiveII (Szikszai et al.).

`fold_table`: a table of RNAs and one of folds, as sinc-lab's `revisiting_xval_rnafolding` publishes them: 3,864 RNAs of
up to 510 nt. `ct_folds`: `ct/fam-fold/{family}/{train,valid,test}/*.ct` in one archive (dl-rna), which RiNALMo's paper
uses.

Both give a set for every part of every fold, `{fold}_train`, `{fold}_valid` and `{fold}_test`; a fold is named after
the family that is its test. In the table, train and valid of a fold share 45 to 75 sequences, so a split needs
`shared: drop`. The family of an RNA is what its name begins with.
"""

import json
import re
from collections import defaultdict

from rnalm.errors import InputError
from rnalm.sequences.names import uncompressed
from rnalm.structure.files import Structure, from_one, parse_ct, structure
from rnalm.tasks import tables
from rnalm.tasks.archives import is_archive, texts
from rnalm.tasks.records import PARTS, Record
from rnalm.tasks.structure import paired

MEMBER = re.compile(r"(?:.*/)?fam-fold/([^/]+)/(train|valid|test)/([^/]+)\.ct")
LARGEST_MEMBER = 1_000_000  # bytes; a connect table of 3,000 nt has 100 kB


def from_fold_table(paths, settings: dict) -> dict[str, list[Record]]:
    """Parts of folds from two tables: `id,sequence,structure` or `base_pairs`, and `fold_name,partition,id`."""
    chosen = [path for path in paths if uncompressed(path).endswith(tables.SUFFIXES)]
    columns = {path: tables.names(path) for path in chosen}
    rnas = [path for path in chosen if "sequence" in columns[path]]
    folds = [path for path in chosen if "partition" in columns[path]]
    if len(rnas) != 1 or len(folds) != 1:
        problem = f"brought {len(rnas)} tables of RNAs and {len(folds)} of folds"
        raise InputError(settings["source"]["name"], problem, "give one with a column sequence, one with partition")
    return parts(folds[0], {record.id: record for record in records(rnas[0], columns[rnas[0]])})


def records(path, columns: list[str]) -> list[Record]:
    """The RNAs of a table; pairs are those of the column `base_pairs`, or else of the dot-bracket `structure`."""
    label = "base_pairs" if "base_pairs" in columns else "structure"
    found = []
    for line, name, sequence, text in tables.read(path, ("id", "sequence", label)).iter_rows():
        where = f"{path}, line {line}"
        if not name or not sequence:
            raise InputError(where, "has no id or no sequence", "correct the line")
        if label == "base_pairs":
            item = Structure(name, sequence, listed(text or "", len(sequence), where))
        else:
            item = structure(name, sequence, text or "", where)
        found.append(paired(item, name, family(name), where))
    return found


def listed(text: str, length: int, where: str) -> list[tuple[int, int]]:
    """The pairs of `[[i, j], ...]`, which counts from 1; InputError for one that cannot be."""
    try:
        pairs = [(int(i), int(j)) for i, j in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise InputError(where, f"has base pairs that are no list ({error})", "write [[1, 9], [2, 8]]") from None
    return from_one(pairs, length, where)


def family(name: str) -> str:
    """`5s_Acidovorax-temperans-1` -> `5s`; names of tRNAs and SRP RNAs in ArchiveII begin in the same way."""
    return name.partition("_")[0]


def parts(path, known: dict[str, Record]) -> dict[str, list[Record]]:
    """{`{fold}_{part}`: records} as a table of folds says."""
    sets = defaultdict(list)
    for line, fold, part, name in tables.read(path, ("fold_name", "partition", "id")).iter_rows():
        where = f"{path}, line {line}"
        if part not in PARTS:
            raise InputError(where, f"has the partition {part!r}", f"write {', '.join(PARTS)}")
        if name not in known:
            raise InputError(where, f"names {name}, which is not among the RNAs", "get both tables from one place")
        sets[f"{fold}_{part}"].append(known[name])
    return dict(sets)


def from_ct_folds(paths, settings: dict) -> dict[str, list[Record]]:
    """Parts of folds from the folders of an archive of connect tables."""
    sets = defaultdict(list)
    for path in filter(is_archive, paths):
        for match, where, text in texts(path, MEMBER, LARGEST_MEMBER):
            fold, part, name = match.groups()
            items = parse_ct(text, where)
            if len(items) != 1:
                raise InputError(where, f"holds {len(items)} RNAs", "give a file for each")
            sets[f"{fold}_{part}"].append(paired(items[0], name, family(name), where))
    if not sets:
        problem = "brought no fam-fold/{family}/{part}/*.ct"
        raise InputError(settings["source"]["name"], problem, "give the archive of connect tables")
    return {name: sorted(records, key=lambda record: record.id) for name, records in sorted(sets.items())}


READERS = {"fold_table": from_fold_table, "ct_folds": from_ct_folds}
