"""Golden input/output pairs: what the authors' own code (of ERNIE-RNA a port of it) gives on small models whose
weights follow a rule.

For tests of this and of other implementations; README.md beside this file says what made them, the rules of the
weights, and what every array is.
"""

import json
from pathlib import Path

import numpy as np

from rnalm.errors import InputError

FOLDER = Path(__file__).parent
NAMES = ("rinalmo", "ernie_rna", "rnaret", "structure")


def load(name: str) -> dict[str, np.ndarray] | list[dict]:
    """The pairs of a model family, arrays by name; for `structure` the cases of decoding and scoring, one dict each.

    InputError for another name.
    """
    if name not in NAMES:
        raise InputError(f"golden pairs {name!r}", "do not exist", f"load one of {', '.join(NAMES)}")
    if name == "structure":
        return json.loads((FOLDER / "structure.json").read_text(encoding="utf-8"))
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return dict(arrays)
