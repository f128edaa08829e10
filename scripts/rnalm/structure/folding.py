"""Minimum free energy structures by ViennaRNA's RNAfold: the baseline that needs no training.

Lorenz et al., ViennaRNA Package 2.0, Algorithms for Molecular Biology 2011; energies of Turner 2004, 37 °C.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import RNA

from rnalm.structure.notation import parse_dot_bracket


def fold(sequence: str) -> list[tuple[int, int]]:
    """Base pairs of the minimum free energy structure; T is read as U, a letter other than ACGU pairs with none."""
    brackets, _ = RNA.fold(sequence.upper().replace("T", "U"))
    return parse_dot_bracket(brackets)


def fold_all(sequences: list[str], processes: int) -> list[list[tuple[int, int]]]:
    """`fold` of every sequence, in order, on so many processes."""
    # Spawned, not forked: the tables' library runs threads, which do not survive a fork.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(fold, sequences, chunksize=8))
