"""FASTA -> a page of maps: labelled RNAs as a model, a random start and 5-mer counts place them."""

from pathlib import Path

import polars as pl

from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.errors import InputError
from rnalm.files import write_text
from rnalm.sequences.alphabet import normalise


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    help = "where labels stand: `header`, the words after a record's name, or a CSV file with the columns id and label"
    command.add_argument("--label-from", default="header", help=help)
    command.add_argument("--seed", type=int, default=42, help="of the planes and the random start (42)")
    command.add_argument("-o", "--output", type=Path, required=True, help="page (.html)")


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output, arguments.fasta, *filter(None, [label_file(arguments.label_from)]))
    labels = labels_of(records, arguments.label_from, arguments.fasta)
    from rnalm.evaluation import atlas, atlas_page, page, rna_types
    from rnalm.evaluation.figures import Figures
    from rnalm.inference import LanguageModel

    if len(records) < rna_types.FEWEST_RNAS or len(set(labels)) < 2:
        problem = f"has {len(records)} records with {len(set(labels))} labels between them"
        raise InputError(
            arguments.fasta, problem, f"give {rna_types.FEWEST_RNAS} records or more, of two labels or more"
        )
    sequences = [normalise(record.sequence) for record in records]
    trained = LanguageModel.from_directory(arguments.model)
    embedded = atlas.embeddings(trained, trained.untrained(arguments.seed), sequences)
    rnas = pl.DataFrame({"label": labels, "length": list(map(len, sequences))})
    points, scores = atlas.survey(rnas, embedded, ["label"], arguments.seed)
    figures, everything = Figures(), pl.lit("all").alias("set")
    tables = points.with_columns(everything), scores.with_columns(everything)
    described = atlas_page.describe(*tables, figures, list(atlas.planes()), arguments.seed) | {"left_out": []}
    sections = {"atlas": described, "source": arguments.fasta.name, "model": arguments.model}
    with writing(arguments.output):
        write_text(arguments.output, page.render("own_atlas.html", figures, sections))


def label_file(label_from: str | None) -> Path | None:
    """The file that labels stand in, if they stand in one of their own."""
    return None if label_from in (None, "header") else Path(label_from)


def labels_of(records: list, label_from: str, fasta: Path) -> list[str]:
    """The label of every record; InputError for a record without one."""
    if label_from == "header":
        where, labels = fasta, [record.description.strip() for record in records]
    else:
        where, known = label_from, read_labels(Path(label_from))
        labels = [known.get(record.accession) for record in records]
    for record, label in zip(records, labels, strict=True):
        if not label:
            raise InputError(where, f"has no label for the record {record.accession}", "give every record a label")
    return labels


def read_labels(path: Path) -> dict[str, str]:
    """{id: label} of a CSV file; InputError if it is none or lacks a column."""
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        problem = f"cannot be read as CSV ({str(error).splitlines()[0]})"
        raise InputError(path, problem, "give a CSV file, or --label-from header") from None
    missing = {"id", "label"} - set(table.columns)
    if missing:
        raise InputError(path, f"has no column {sorted(missing)[0]}", "give the columns id and label")
    if table["id"].is_duplicated().any():
        twice = table["id"].filter(table["id"].is_duplicated())[0]
        raise InputError(path, f"names {twice} more than once", "give every record one label")
    return dict(table.select("id", "label").iter_rows())
