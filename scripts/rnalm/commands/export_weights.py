"""Model directory -> checkpoint in the layout of its authors, or directory for MultiMolecule.

Read back, it gives every tensor bit by bit, the decoding threshold and the scaler of targets; what a layout has no
place for is refused.
"""

from pathlib import Path

from rnalm.commands.import_weights import LAYOUTS
from rnalm.commands.rnas import writing


def add(command) -> None:
    command.add_argument("model", help="model directory")
    command.add_argument("--to", dest="layout", choices=LAYOUTS, required=True, help="whose layout to write")
    command.add_argument("--out", type=Path, required=True, help="file to make, for multimolecule a directory")


def run(arguments) -> None:
    from rnalm.models.directory import load
    from rnalm.models.exchange.transfer import export_weights

    loaded = load(arguments.model)
    with writing(arguments.out):
        export_weights(loaded, arguments.layout, arguments.out)
