"""Tables of benchmarks: files whose first line names the columns. Whatever is wrong has a line number.

Columns stand between commas, or between tabs where the file's name says `.tsv`.
"""

import csv
import io

import polars as pl

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_binary, open_text
from rnalm.sequences.names import uncompressed

SUFFIXES = (".csv", ".tsv")
MISSING = ["", "NA", "NaN", "nan"]  # how the tables write that there is no value
LINE = "line"


def read(path, columns: tuple[str, ...]) -> pl.DataFrame:
    """The columns of a file (also compressed), as in `parse`."""
    try:
        with open_binary(path) as handle:
            return parse(handle.read(), columns, path, separator(path))
    except BROKEN as error:
        raise broken(path, "it breaks off", error) from error


def names(path) -> list[str]:
    """The names of a table's columns."""
    try:
        with open_text(path) as handle:
            return [name.removeprefix("\ufeff") for name in next(csv.reader(handle, delimiter=separator(path)), [])]
    except BROKEN as error:
        raise broken(path, "it breaks off", error) from error


def separator(path) -> str:
    return "\t" if uncompressed(path).endswith(".tsv") else ","


def parse(content: bytes, columns: tuple[str, ...], where, separator: str = ",") -> pl.DataFrame:
    """These columns of a table as text, missing values as null, and `line`, the number of each row's line in the file.

    InputError: no table, or one that lacks a column
    """
    try:
        table = pl.read_csv(
            io.BytesIO(content), separator=separator, infer_schema=False, null_values=MISSING, row_index_name=LINE
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise InputError(
            where, f"is no table ({str(error).splitlines()[0]})", "give comma-separated columns"
        ) from error
    for name in columns:
        if name not in table.columns:
            problem = f"has no column {name!r}, only {', '.join(table.columns[1:][:10])}"
            raise InputError(where, problem, "give a table with commas (tabs in .tsv) that has it")
    return table.select(pl.col(LINE) + 2, *columns)


def numbers(table: pl.DataFrame, names: tuple[str, ...], where) -> pl.DataFrame:
    """The table with these columns as float64; InputError names the line of what is no finite number."""
    for name in names:
        cast = table[name].cast(pl.Float64, strict=False)
        wrong = table.filter(~cast.is_finite().fill_null(False))
        if wrong.height:
            line, value = wrong[LINE][0], wrong[name][0]
            problem = f"has {value!r} in column {name!r}" if value else f"has no value in column {name!r}"
            raise InputError(f"{where}, line {line}", problem, "write a number")
        table = table.with_columns(cast)
    return table


def sequences(table: pl.DataFrame, name: str, where) -> None:
    """InputError for a row without a sequence."""
    wrong = table.filter(pl.col(name).is_null())
    if wrong.height:
        raise InputError(f"{where}, line {wrong[LINE][0]}", f"has no sequence in column {name!r}", "remove the row")
