"""FASTA -> structures: dot-brackets, or connect tables where the output ends in .ct, one RNA's in .bpseq or .st.

Pairs are decoded as the model's head was published, ERNIE-RNA's and RNAret's too, unless --decoder says otherwise.
`matching` is exact where pairs may cross, `nested` where they may not; both, and `greedy`, leave loops of three.
"""

from pathlib import Path

from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise

DECODERS = ("greedy", "matching", "nested", "assignment", "unrolled")


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True, help="structures (.dbn, .ct, .bpseq or .st)")
    command.add_argument("--decoder", choices=DECODERS, help="default: the one the model's head was published with")


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output, arguments.fasta)
    ending = arguments.output.suffix.lower()
    if ending in (".bpseq", ".st") and len(records) > 1:
        raise InputError(arguments.output, f"holds one RNA in this format, not {len(records)}", "end it in .dbn or .ct")
    from rnalm.inference import LanguageModel
    from rnalm.structure.files import WRITERS, Structure, write_dbn

    model = LanguageModel.from_directory(arguments.model)
    folded = model.fold([record.sequence for record in records], arguments.decoder)
    structures = [
        Structure(record.accession, normalise(record.sequence).replace("T", "U"), pairs)
        for record, pairs in zip(records, folded, strict=True)
    ]
    with writing(arguments.output):
        WRITERS.get(ending, write_dbn)(arguments.output, structures)
