"""Fixtures of the tests of retrieval and of releases."""

import mirrors
import pytest
from faulty_server import FaultyServer
from rnalm.sequences import transfer


@pytest.fixture
def server(monkeypatch):
    """A server of files with faults on demand; nobody pauses before another attempt."""
    monkeypatch.setattr(transfer, "PAUSE", 0.001)
    with FaultyServer() as server:
        yield server


@pytest.fixture(scope="session")
def databases(tmp_path_factory):
    """A folder with a mirror of every database."""
    folder = tmp_path_factory.mktemp("databases")
    mirrors.write(folder)
    return folder


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(transfer, "SEGMENT", 4096)
