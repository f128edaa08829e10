"""FASTA -> .csv: how well a model predicts masked nucleotides, of all records and by label.

Masked as the model's family pre-trains. Columns: sequences, selected tokens, their mean loss in nats, its exponential
(the perplexity; 4 is a guess among four) and the share of tokens predicted right.
"""

import sys
from pathlib import Path

from rnalm.commands.atlas import label_file, labels_of
from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.files import write_text
from rnalm.sequences.alphabet import normalise


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    help = "where labels stand: `header`, the words after a record's name, or a CSV file with the columns id and label"
    command.add_argument("--label-from", help=f"{help} (no labels)")
    command.add_argument("--seed", type=int, default=42, help="of the masks (42)")
    command.add_argument("-o", "--output", type=Path, help="table (.csv); default: the terminal")


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    if arguments.output:
        check_output(arguments.output, arguments.fasta, *filter(None, [label_file(arguments.label_from)]))
    from rnalm.evaluation import perplexity
    from rnalm.inference import LanguageModel

    labels = [perplexity.EVERY] * len(records)
    if arguments.label_from:
        labels = labels_of(records, arguments.label_from, arguments.fasta)
    encoder = LanguageModel.from_directory(arguments.model).encoder
    surveyed = perplexity.survey(encoder, [normalise(record.sequence) for record in records], arguments.seed)
    table = perplexity.by_group(surveyed, labels).write_csv(float_precision=4)
    if arguments.output:
        with writing(arguments.output):
            write_text(arguments.output, table)
    else:
        sys.stdout.write(table)
