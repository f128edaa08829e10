"""Small models with weights by rule, and short real RNAs: what the tests of models and training share."""

import functools
import zlib
from pathlib import Path

import numpy as np
import torch
from rnalm.models import registry
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.readers import read_stockholm
from rnalm.sequences.stockholm import consensus_pairs, project
from rnalm.tasks.structure import Record

# With more threads than free cores torch is an order of magnitude slower.
torch.set_num_threads(1)

ROOT = Path(__file__).parents[1]
GOLDEN = {"family": "rinalmo", "dim": 60, "layers": 3, "heads": 6}
TINY = {"family": "rinalmo", "dim": 32, "layers": 2, "heads": 4}


def weights_by_rule(module: torch.nn.Module, prefix: str = "") -> torch.nn.Module:
    """Fill a module with the weights of the golden pairs, see parity/golden/README.md; in evaluation mode."""
    module.load_state_dict({name: by_rule(prefix + name, tensor.shape) for name, tensor in module.state_dict().items()})
    return module.eval()


def by_rule(key: str, shape) -> torch.Tensor:
    x = np.random.default_rng([2024, zlib.crc32(key.encode())]).standard_normal(tuple(shape))
    if key.endswith(("norm.weight", "beta")):
        x = 1 + 0.1 * x
    elif key.endswith("bias") or len(shape) == 1:
        x = 0.05 * x
    else:
        x = x / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


def encoder(settings: dict = GOLDEN, **changes) -> torch.nn.Module:
    """Encoder with weights by rule, in evaluation mode."""
    return weights_by_rule(registry.build({**settings, **changes}))


@functools.cache
def transfer_rnas() -> tuple[Record, ...]:
    """The demo's tRNAs of known structure, those without letters beyond A, C, G, T, in file order."""
    paths = (ROOT / "resources/demo/rfam").rglob("*seed*")
    alignments = (alignment for path in sorted(paths) for alignment in read_stockholm(path))
    alignment = next(alignment for alignment in alignments if alignment.identifier == "tRNA_1415")
    columns = consensus_pairs(alignment.ss_cons)
    records = []
    for name, aligned in alignment.rows:
        raw, pairs = project(aligned, columns)
        sequence = normalise(raw)
        if set(sequence) <= set("ACGT"):
            records.append(Record(name, "tRNA", sequence, pairs))
    return tuple(records)
