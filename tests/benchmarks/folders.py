"""What the baselines of folding score on random RNAs of a file of structures: the table of docs/baselines.md.

`python tests/benchmarks/folders.py TS0.dbn`: mean exact F1, and seconds on one process, its start included.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rnalm.errors import InputError
from rnalm.structure import score
from rnalm.structure.files import read
from rnalm.structure.folding import FOLDERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path)
    parser.add_argument("--rnas", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2024)
    options = parser.parse_args()

    rnas = read(options.structures)
    chosen = np.random.default_rng(options.seed).choice(len(rnas), min(options.rnas, len(rnas)), replace=False)
    rnas = [rnas[i] for i in sorted(chosen)]
    for name, folder in FOLDERS.items():
        started = time.perf_counter()
        try:
            folded = folder([rna.sequence for rna in rnas], 1)
        except InputError as error:
            print(error)
            continue
        seconds = time.perf_counter() - started
        f1 = [score(pairs, rna.pairs, len(rna.sequence))[2] for pairs, rna in zip(folded, rnas, strict=True)]
        print(f"| `{name}` | {np.mean(f1):.3f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
