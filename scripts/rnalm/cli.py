"""The `rnalm` command: use a trained model on a FASTA file, make and check a corpus, check a run."""

import argparse
import gc
import importlib
import sys

from rnalm import __version__
from rnalm.errors import exits

# In the order of the help; a command is the module of its name in `rnalm.commands`.
COMMANDS = (
    *("releases", "corpus", "cluster", "draw", "leakage"),
    *("intake", "import-weights", "export-weights", "embed", "atlas", "perplexity"),
    *("fold", "predict", "evaluate", "verify"),
)


@exits
def main(argv=None):
    # To look for cycles 700 objects at a time, while libraries make a million, takes 0.1 s, with torch more.
    gc.set_threshold(100_000)
    parser = argparse.ArgumentParser(prog="rnalm", description=__doc__)
    parser.add_argument("--version", action="version", version=f"rnalm {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    asked = (sys.argv[1:] if argv is None else argv)[:1]
    # The other commands' modules take time to import.
    for name in asked if asked and asked[0] in COMMANDS else COMMANDS:
        module = importlib.import_module(f"rnalm.commands.{name.replace('-', '_')}")
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0], description=module.__doc__)
        module.add(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)
    # To look through all that the libraries hold, as Python does when it ends, takes 0.2 s, with torch 0.4.
    gc.freeze()
