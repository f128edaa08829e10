"""Published checkpoints -> model directory.

RiNALMo, ERNIE-RNA and RNAret as their authors publish them, pre-trained and fine-tuned, and MultiMolecule's layout of
the first two. Nothing that a checkpoint contains is run. A file of a published name must be that file, where the
SHA-256 is known.
"""

from pathlib import Path

from rnalm.commands.rnas import writing

LAYOUTS = ("rinalmo", "ernie-rna", "rnaret", "multimolecule")


def add(command) -> None:
    command.add_argument("file", type=Path, help="checkpoint (.pt, .pth, .safetensors), or MultiMolecule's directory")
    command.add_argument("--from", dest="layout", choices=LAYOUTS, required=True, help="whose layout it has")
    command.add_argument("--out", type=Path, required=True, help="model directory to make")
    command.add_argument("--heads", type=int, help="attention heads of a RiNALMo, 20 in all that are published")


def run(arguments) -> None:
    from rnalm.models.exchange.transfer import import_weights

    with writing(arguments.out):
        import_weights(arguments.file, arguments.layout, arguments.out, arguments.heads)
