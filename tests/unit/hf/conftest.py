"""Directories of small models, and no way to the network."""

import socket
from pathlib import Path

import pytest
import rnalm.hf  # noqa: F401  registers the Auto classes
from models_of_hf import ENCODERS
from rnalm.models import directory


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One model directory per encoder."""
    folder = tmp_path_factory.mktemp("models")
    for name, made in ENCODERS.items():
        directory.save(folder / name, made, "# card")
    return folder
