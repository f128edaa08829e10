"""Baselines of folding by name: their pairs, their energies, and packages that are not there."""

import importlib.util
import sys

import pytest
import RNA
from rnalm.errors import InputError
from rnalm.structure.folding import FOLDERS, TITLES
from small_models import transfer_rnas

RNAS = [rna.sequence for rna in transfer_rnas()[1:5]]
HAIRPIN, STEM = "GGGGGAAAACCCCC", [(0, 13), (1, 12), (2, 11), (3, 10), (4, 9)]
PACKAGES = {"contrafold": "gpu_contrafold", "eternafold": "linearpartition"}


def missing(name: str) -> bool:
    return name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None


@pytest.mark.parametrize("name", FOLDERS)
def test_a_hairpin_folds_in_order_in_either_case_and_alphabet(name):
    if missing(name):
        pytest.skip("an optional package")
    written = [HAIRPIN, "AAAAAAAA", HAIRPIN.lower(), "GGGGGTTTTCCCCC", "NNNNNNNNNNNNNN", "GGGGGAARACCCCC"]
    assert FOLDERS[name](written, 1) == [STEM, [], STEM, STEM, [], STEM]


def test_each_method_of_viennarna_is_its_own_and_leaves_this_process_alone():
    before = RNA.fold(RNAS[0])
    names = [name for name in FOLDERS if name not in PACKAGES]
    found = {name: FOLDERS[name](RNAS, 1) for name in names}
    assert len(set(map(str, found.values()))) == len(names)
    assert RNA.fold(RNAS[0]) == before


def test_every_baseline_has_a_title():
    assert set(TITLES) == set(FOLDERS) and len(set(TITLES.values())) == len(TITLES)


@pytest.mark.parametrize("name", PACKAGES)
def test_an_absent_package_is_one_line(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, PACKAGES[name], raising=False)
    with pytest.raises(InputError, match=r"needs the package .*rnalm\[baselines\]"):
        FOLDERS[name](RNAS, 1)
