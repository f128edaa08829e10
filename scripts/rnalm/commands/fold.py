"""FASTA -> structures: dot-brackets, or connect tables where the output ends in .ct."""

from pathlib import Path

from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.sequences.alphabet import normalise


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True, help="structures (.dbn or .ct)")


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output)
    from rnalm.inference import LanguageModel
    from rnalm.structure.files import WRITERS, Structure, write_dbn

    folded = LanguageModel.from_directory(arguments.model).fold([record.sequence for record in records])
    structures = [
        Structure(record.accession, normalise(record.sequence).replace("T", "U"), pairs)
        for record, pairs in zip(records, folded, strict=True)
    ]
    with writing(arguments.output):
        WRITERS.get(arguments.output.suffix, write_dbn)(arguments.output, structures)
