"""Small models with weights by rule, and short real RNAs: what the tests of models and training share."""

import functools
import zlib
from pathlib import Path

import numpy as np
import torch
from rnalm.models import registry
from rnalm.models.ernie_rna import MULTIMOLECULE_NAMES
from rnalm.models.names import rename
from rnalm.sequences.alphabet import normalise
from rnalm.sequences.readers import read_stockholm
from rnalm.sequences.stockholm import consensus_pairs, project
from rnalm.tasks.records import Record
from rnalm.tokens.ernie_rna import TOKENS

# With more threads than free cores torch is an order of magnitude slower.
torch.set_num_threads(1)

ROOT = Path(__file__).parents[1]
GOLDEN = {"family": "rinalmo", "dim": 60, "layers": 3, "heads": 6}
TINY = {"family": "rinalmo", "dim": 32, "layers": 2, "heads": 4}
RNARET = {"family": "rnaret", "k": 1, "dim": 48, "value_dim": 64, "hidden": 64, "layers": 3, "heads": 4}
ERNIE_RNA = {"family": "ernie_rna", "dim": 72, "layers": 3, "heads": 6, "hidden": 288, "pair_hidden": 3}
# MultiMolecule's tokens, in the order of its ids.
MULTIMOLECULE = (
    *("<pad>", "<cls>", "<eos>", "<unk>", "<mask>", "<null>"),
    *("A", "C", "G", "U", "N", "R", "Y", "S", "W", "K", "M", "B", "D", "H", "V", "I", "X", "|", ".", "*", "-", "?"),
)


def weights_by_rule(module: torch.nn.Module, prefix: str = "") -> torch.nn.Module:
    """Fill a module with the weights of the golden pairs, see scripts/rnalm/golden/README.md; in evaluation mode."""
    module.load_state_dict({name: by_rule(prefix + name, tensor.shape) for name, tensor in module.state_dict().items()})
    return module.eval()


def drawn(key: str, shape) -> np.ndarray:
    return np.random.default_rng([2024, zlib.crc32(key.encode())]).standard_normal(tuple(shape))


def by_rule(key: str, shape) -> torch.Tensor:
    x = drawn(key, shape)
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


def rnaret(**changes) -> torch.nn.Module:
    """RNAret with the weights of its golden pairs, in evaluation mode."""
    model = registry.build({**RNARET, **changes})
    state = {}
    for key, tensor in model.state_dict().items():
        x = drawn(key, tensor.shape)
        if "layer_norm.weight" in key:
            x = 1 + 0.1 * x
        else:
            x = x / np.sqrt(tensor.shape[-1]) * (2 if "q_proj" in key or "k_proj" in key else 1)
        if key == "embed_tokens.weight":
            x[0] = 0
        state[key] = torch.from_numpy(x.astype(np.float32))
    model.load_state_dict(state)
    return model.eval()


def ernie_rna_weights(key: str, shape) -> np.ndarray:
    """The rule of ERNIE-RNA's golden pairs; key: MultiMolecule's name."""
    x = drawn(key, shape)
    if "layer_norm.weight" in key:
        return 1 + 0.1 * x
    return 0.05 * x if key.endswith("bias") or len(shape) == 1 else x / np.sqrt(shape[-1])


def ernie_rna(**changes) -> torch.nn.Module:
    """ERNIE-RNA with the weights of its golden pairs, in evaluation mode; tokens MultiMolecule lacks have zeros."""
    model = registry.build({**ERNIE_RNA, **changes})
    state = {}
    for name, tensor in model.state_dict().items():
        key, shape, by_token = rename(name, MULTIMOLECULE_NAMES), tensor.shape, tensor.shape[0] == len(TOKENS)
        if by_token:
            # The word embedding is tied to the decoder and named after it.
            key, shape = key.replace("model.embeddings.word_embeddings", "lm_head.decoder"), (28, *shape[1:])
        x = ernie_rna_weights(key, shape)
        if by_token:
            x = np.stack([x[MULTIMOLECULE.index(t)] if t in MULTIMOLECULE else 0 * x[0] for t in TOKENS])
        state[name] = torch.from_numpy(x.astype(np.float32))
    model.load_state_dict(state)
    return model.eval()


def close(ours, expected, scale: float = 1.0) -> None:
    """The same numbers as recorded ones, to 1e-5 of `scale`."""
    torch.testing.assert_close(ours, torch.as_tensor(expected), rtol=0, atol=1e-5 * scale)


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
