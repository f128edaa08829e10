"""FASTA -> .csv: what a fine-tuned model says of each record, a class, a number, or a probability of every nucleotide.

For base pairs there is `rnalm fold`; of ERNIE-RNA's closeness, which is no pairing, it is a probability of every two
nucleotides. A model of pairs of molecules (a microRNA and its target) takes the second ones
from another FASTA file, in the same order.
"""

from pathlib import Path

from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.errors import InputError
from rnalm.files import write_text


def add(command) -> None:
    command.add_argument("model", help="model directory, fine-tuned")
    command.add_argument("fasta", type=Path)
    command.add_argument("--partners", type=Path, help="FASTA file of the second molecules, one for each record")
    command.add_argument("-o", "--output", type=Path, required=True, help="table (.csv)")


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    partners = read_rnas(arguments.partners) if arguments.partners else None
    if partners is not None and len(partners) != len(records):
        problem = f"has {len(partners)} records, {arguments.fasta} has {len(records)}"
        raise InputError(arguments.partners, problem, "give a partner for each, in the same order")
    check_output(arguments.output, *filter(None, (arguments.fasta, arguments.partners)))
    import polars as pl

    from rnalm.inference import LanguageModel
    from rnalm.tasks import kinds

    model = LanguageModel.from_directory(arguments.model)
    head = model.config["head"] or {}
    if model.model is not None and kinds.of(head) == "pairs" and "threshold" in head:
        raise InputError(arguments.model, "predicts base pairs", "use `rnalm fold`")
    found = model.predict(*([one.sequence for one in part] for part in (records, partners) if part is not None))
    rows = [
        {"id": record.accession, **row}
        for record, prediction in zip(records, found, strict=True)
        for row in kinds.module(head).told(prediction, head)
    ]
    with writing(arguments.output):
        write_text(arguments.output, pl.DataFrame(rows).write_csv(float_precision=5))
