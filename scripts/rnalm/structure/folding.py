"""Secondary structures by programs that are not language models: the baselines of the structure tasks, by name.

- rnafold, rnafold_*: minimum free energy by ViennaRNA (Lorenz et al., Algorithms for Molecular Biology 6:26, 2011) with
  the energies of Turner 2004 or 1999, Andronescu 2007 or Langdon 2018; mea: the pairs of maximum expected accuracy
- contrafold: maximum expected accuracy of CONTRAfold's complementary model (Do et al., Bioinformatics 22:e90, 2006)
- eternafold: that of EternaFold's parameters (Wayment-Steele et al., Nature Methods 19:1234, 2022) in LinearPartition

All at 37 °C with their programs' own defaults. The last two are packages of their own, imported only when they are
asked for; docs/baselines.md has their licences and what each scores.
"""

import importlib.util
import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial

import RNA

from rnalm.errors import InputError
from rnalm.structure.notation import parse_dot_bracket

Pairs = list[tuple[int, int]]


def minimum_energy(sequence: str) -> str:
    """Dot-bracket of the minimum free energy structure."""
    return RNA.fold(sequence)[0]


def expected_accuracy(sequence: str) -> str:
    """Dot-bracket of the pairs of maximum expected accuracy, a pair weighing as much as two lone bases."""
    compound = RNA.fold_compound(sequence)
    # Scaled by the minimum energy, or the partition function of a long RNA overflows.
    compound.exp_params_rescale(compound.mfe()[1])
    compound.pf()
    return compound.MEA()[0]


def contrafold(sequence: str) -> str:
    from gpu_contrafold import mea

    return mea(sequence, contrafold_parameters())


@cache
def contrafold_parameters():
    from gpu_contrafold import load

    return load()


def eternafold(sequence: str) -> str:
    import linearpartition

    return linearpartition.partition(sequence, mode="eterna")["structure"]


def fold(sequence: str, method: Callable[[str], str]) -> Pairs:
    """Base pairs of an RNA; T is read as U, a letter other than ACGU pairs with none."""
    return parse_dot_bracket(method(re.sub("[^ACGU]", "N", sequence.upper().replace("T", "U"))))


def fold_all(
    sequences: list[str], processes: int, method: Callable[[str], str], prepare: Callable[[], object] | None = None
) -> list[Pairs]:
    """`fold` of every sequence, in order, on so many processes, each of which calls `prepare` first."""
    # Spawned, not forked: the tables' library runs threads, which do not survive a fork. Never in this process, where
    # energies once loaded would stay.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=prepare) as pool:
        return list(pool.map(partial(fold, method=method), sequences, chunksize=8))


def packaged(sequences: list[str], processes: int, method: Callable[[str], str], package: str) -> list[Pairs]:
    """`fold_all` by a package that need not be there; InputError where it is not."""
    if importlib.util.find_spec(package) is None:
        remedy = "install it by `pip install 'rnalm[baselines]'`; docs/baselines.md has its licence"
        raise InputError(f"baseline {method.__name__}", f"needs the package {package}", remedy)
    return fold_all(sequences, processes, method)


# Each: (sequences, processes) -> base pairs of each sequence.
FOLDERS: dict[str, Callable[[list[str], int], list[Pairs]]] = {
    "rnafold": partial(fold_all, method=minimum_energy),
    "rnafold_turner1999": partial(fold_all, method=minimum_energy, prepare=RNA.params_load_RNA_Turner1999),
    "rnafold_andronescu": partial(fold_all, method=minimum_energy, prepare=RNA.params_load_RNA_Andronescu2007),
    "rnafold_langdon": partial(fold_all, method=minimum_energy, prepare=RNA.params_load_RNA_Langdon2018),
    "mea": partial(fold_all, method=expected_accuracy),
    "contrafold": partial(packaged, method=contrafold, package="gpu_contrafold"),
    "eternafold": partial(packaged, method=eternafold, package="linearpartition"),
}
# As a table or figure writes them.
TITLES = {
    "rnafold": "RNAfold",
    "rnafold_turner1999": "RNAfold, Turner 1999",
    "rnafold_andronescu": "RNAfold, Andronescu 2007",
    "rnafold_langdon": "RNAfold, Langdon 2018",
    "mea": "RNAfold, MEA",
    "contrafold": "CONTRAfold",
    "eternafold": "EternaFold",
}
