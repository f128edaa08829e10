"""Small models of all families, and what the tests of the Transformers integration compare."""

from pathlib import Path

import numpy as np
import pytest
import small_models
import torch
from rnalm import cli
from rnalm.tokens.packing import PackedBatch, pack
from small_models import encoder, ernie_rna, rnaret

ENCODERS = {"rinalmo": encoder(), "ernie_rna": ernie_rna(), "rnaret": rnaret(), "rnaret_3mer": rnaret(k=3)}
EVERY = pytest.mark.parametrize("name", ENCODERS)
# As RNA and DNA, in both cases, with ambiguity codes; the shortest last.
SEQUENCES = ["GGCUAUUCGGCAGCCAUUGCU", "ggcunRYuuaccg", "ACGTacgtACGTTTT", "GCA"]
MASKED = "GGCUAUUCGGC<mask>GCCAUUGCU"


def close(ours: torch.Tensor, expected: torch.Tensor) -> None:
    small_models.close(ours, expected, max(1.0, expected.abs().max().item()))


def packed(made) -> PackedBatch:
    return pack([made.tokeniser.encode(sequence) for sequence in SEQUENCES])


def same_weights(one, other) -> None:
    one, other = one.state_dict(), other.state_dict()
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def embedded(model: Path, tmp_path: Path) -> dict[str, np.ndarray]:
    (tmp_path / "in.fa").write_text("".join(f">{i}\n{sequence}\n" for i, sequence in enumerate(SEQUENCES)))
    cli.main(["embed", str(model), str(tmp_path / "in.fa"), "-o", str(tmp_path / "out.npz")])
    with np.load(tmp_path / "out.npz") as arrays:
        return dict(arrays)
