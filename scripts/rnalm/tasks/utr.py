"""Translation efficiency and expression level of mRNAs, from their 5' untranslated region (UTR) alone.

UTR-LM's tables of three cell lines, `{cell line}_sequence.csv`, a row per gene. Notable: column `utr` has UTRs that
are filled up with the text `<pad>`, which is no sequence; the two measurements stand in one table, as logarithms, and
are two tasks; RiNALMo divides the rows into ten folds by scikit-learn's KFold with seed 42 (the rule `kfold` of a
split), of which the one before the test's is for validation.

Source: official code lbcb-sci/RiNALMo, `rinalmo/utils/prepare_mrna_te_and_el_data.py`.
"""

from functools import partial

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.names import uncompressed
from rnalm.tasks import tables
from rnalm.tasks.records import Record

# {name in the file's name: cell line, as the paper calls it}
CELL_LINES = {"Muscle": "Muscle", "pc3": "PC3", "HEK": "HEK"}
PAD = "<pad>"


def from_tables(paths, settings: dict, target: str) -> dict[str, list[Record]]:
    """{cell line: records} of the tables; label: column `target`, a logarithm."""
    files = {uncompressed(path).removesuffix("_sequence.csv"): path for path in paths}
    sets = {line: read(files[name], line, target) for name, line in CELL_LINES.items() if name in files}
    if not sets:
        known = ", ".join(f"{name}_sequence.csv" for name in CELL_LINES)
        raise InputError(settings["source"]["name"], "brought no table of UTRs", f"give {known}")
    return sets


READERS = {
    "translation_efficiency": partial(from_tables, target="te_log"),
    "expression_level": partial(from_tables, target="rnaseq_log"),
}


def read(path, cell_line: str, target: str) -> list[Record]:
    """A record per row, named by its line in the file; the family is the cell line."""
    table = tables.read(path, ("utr", target))
    tables.sequences(table, "utr", path)
    table = tables.numbers(table, (target,), path)
    records = []
    for line, utr, value in table.iter_rows():
        sequence = normalise(utr.replace(PAD, ""))
        if not sequence:
            raise InputError(f"{path}, line {line}", f"has nothing but {PAD} in column 'utr'", "remove the row")
        records.append(Record(f"{cell_line}_{line}", cell_line, sequence, value))
    return records
