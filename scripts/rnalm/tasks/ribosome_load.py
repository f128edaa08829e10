"""Mean ribosome load of 5' untranslated regions (UTRs), measured by polysome profiling of reporter libraries.

Two readers of the library of 25-100 nt in GEO's GSE114002: by RiNALMo's rule and by ERNIE-RNA's. Other tables of UTRs,
such as Smart5UTR's, need none of their own: config/tasks/ribosome_load_50nt.yaml. Notable:

- Both rules take UTRs with 10 reads or more. The tests are the 100 with most reads of every length from 25 to 100 nt:
  Random7600, and in RiNALMo's rule Human7600 beside it. The other human UTRs are not used.
- RiNALMo's rule drops all copies of a UTR that comes more than once, not all but one.
- The role trap: in RiNALMo's paper Random7600 is validation and test at once. The configs here never choose an epoch by
  the set that they test.
- Among equal numbers of reads the earlier row counts as more; the papers' code leaves that order to its sorting.
- ERNIE-RNA pads with N to 100 nt and reads these N as padding: here a UTR is as long as it is.

Source: official code lbcb-sci/RiNALMo, `rinalmo/data/downstream/ribosome_loading/dataset.py`, and Bruce-ywj/ERNIE-RNA,
`predict_MRL.py`.
"""

import random

import polars as pl

from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise
from rnalm.tasks import tables
from rnalm.tasks.archives import members, one
from rnalm.tasks.records import Record

LIBRARY = "GSM4084997_varying_length_25to100.csv.gz"
COLUMNS = ("utr", "set", "total_reads", "rl", "len")
FEWEST_READS = 10
LENGTHS, PER_LENGTH = (25, 100), 100  # nt, UTRs of each length in a test
VALID_SHARE, VALID_SEED = 10, 1  # one in ten, of ERNIE-RNA's rule


def rinalmo(paths, settings: dict) -> dict[str, list[Record]]:
    """The sets `train`, `Random7600` and `Human7600` of GSE114002."""
    table = library(paths, settings).filter(pl.col("set").is_in(["random", "human"]))
    table = table.filter(pl.col("total_reads") >= FEWEST_READS).filter(pl.col("utr").is_unique())
    chosen = {f"{kind.capitalize()}7600": best_covered(table.filter(set=kind)) for kind in ("random", "human")}
    train = table.filter(set="random").join(chosen["Random7600"], on=tables.LINE, how="anti", maintain_order="left")
    return {name: records(part) for name, part in {"train": train, **chosen}.items()}


def ernie_rna(paths, settings: dict) -> dict[str, list[Record]]:
    """The sets `train`, `valid` and `Random7600` of GSE114002: random UTRs alone, a tenth of them for validation."""
    table = library(paths, settings).filter(set="random").filter(pl.col("total_reads") >= FEWEST_READS)
    table = table.sort("total_reads", descending=True, maintain_order=True)
    test = best_covered(table)
    others = table.join(test, on=tables.LINE, how="anti", maintain_order="left")
    rows = random.Random(VALID_SEED).sample(range(others.height), others.height // VALID_SHARE)
    parts = {"train": others.filter(~pl.row_index().is_in(rows)), "valid": others[rows], "Random7600": test}
    return {name: records(part) for name, part in parts.items()}


READERS = {"gse114002": rinalmo, "gse114002_ernie_rna": ernie_rna}


def library(paths, settings: dict) -> pl.DataFrame:
    """The rows of the library that have a load, in file order."""
    archive = one(paths, (".tar",), settings["source"]["name"])
    where = f"{archive}, {LIBRARY}"
    table = tables.parse(members(archive, [LIBRARY])[LIBRARY], COLUMNS, where)
    table = table.drop_nulls("rl")
    tables.sequences(table, "utr", where)
    table = tables.numbers(table, ("rl", "total_reads", "len"), where)
    wrong = table.filter(pl.col("utr").str.len_chars() != pl.col("len"))
    if wrong.height:
        problem = f"has a UTR of another length than the {wrong['len'][0]:.0f} nt in column 'len'"
        raise InputError(f"{where}, line {wrong[tables.LINE][0]}", problem, "get the whole file again")
    return table


def best_covered(table: pl.DataFrame) -> pl.DataFrame:
    """The PER_LENGTH rows with most reads of each length, shortest first."""
    return (
        table.filter(pl.col("len").is_between(*LENGTHS))
        .sort("len", "total_reads", descending=[False, True], maintain_order=True)
        .filter(pl.int_range(pl.len()).over("len") < PER_LENGTH)
    )


def records(table: pl.DataFrame) -> list[Record]:
    """A record per row, named by its line in the file; the family is the part of the library it belongs to."""
    rows = table.select(tables.LINE, "set", "utr", "rl").iter_rows()
    return [Record(f"utr_{line}", family, normalise(utr), load) for line, family, utr, load in rows]
