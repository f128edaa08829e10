"""FASTA -> structures: dot-brackets, or connect tables where the output ends in .ct, one RNA's in .bpseq or .st.

Pairs are decoded as the model's head was published, ERNIE-RNA's and RNAret's too, unless --decoder says otherwise.
`matching` is exact where pairs may cross, `nested` where they may not; both, and `greedy`, leave loops of three.
`zero-shot` reads pairs off the attention of an ERNIE-RNA, with or without a head; `zero-shot-p0` likewise, with all of
its scores of pairs 0, which is what the published script gives the model.
"""

from pathlib import Path

from rnalm.commands.rnas import check_output, read_rnas, writing
from rnalm.errors import InputError
from rnalm.sequences.alphabet import normalise

DECODERS = ("greedy", "matching", "nested", "assignment", "unrolled")

# What is chosen of a model that reads its attention.
ZERO_SHOT = {"zero-shot": {}, "zero-shot-p0": {"pairs": "none"}}


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("fasta", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True, help="structures (.dbn, .ct, .bpseq or .st)")
    help = "default: the one the model's head was published with"
    command.add_argument("--decoder", choices=(*DECODERS, *ZERO_SHOT), help=help)


def run(arguments) -> None:
    records = read_rnas(arguments.fasta)
    check_output(arguments.output, arguments.fasta)
    ending = arguments.output.suffix.lower()
    if ending in (".bpseq", ".st") and len(records) > 1:
        raise InputError(arguments.output, f"holds one RNA in this format, not {len(records)}", "end it in .dbn or .ct")
    from rnalm.inference import LanguageModel
    from rnalm.structure.files import WRITERS, Structure, write_dbn

    model, decoder = LanguageModel.from_directory(arguments.model), arguments.decoder
    if decoder in ZERO_SHOT:
        model, decoder = model.zero_shot(**ZERO_SHOT[decoder]), None
    folded = model.fold([record.sequence for record in records], decoder)
    structures = [
        Structure(record.accession, normalise(record.sequence).replace("T", "U"), pairs)
        for record, pairs in zip(records, folded, strict=True)
    ]
    with writing(arguments.output):
        WRITERS.get(ending, write_dbn)(arguments.output, structures)
