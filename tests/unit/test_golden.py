"""Golden pairs come with the installed library."""

import importlib.resources

import numpy as np
import pytest
from rnalm import golden
from rnalm.errors import InputError


def test_arrays():
    for name, keys in {"rinalmo": "representation0", "ernie_rna": "h0_3", "rnaret": "k3_L80_logits"}.items():
        pairs = golden.load(name)
        assert pairs[keys].dtype == np.float32
        assert all(isinstance(array, np.ndarray) for array in pairs.values())


def test_cases():
    assert len(golden.load("structure")) == 10


def test_they_are_documented_and_packaged():
    files = {item.name for item in importlib.resources.files("rnalm.golden").iterdir()}
    assert {"README.md", "rinalmo.npz", "ernie_rna.npz", "rnaret.npz", "structure.json"} <= files


def test_another_name():
    with pytest.raises(InputError, match="load one of rinalmo"):
        golden.load("bert")
