"""A copy of the project to run Snakemake in."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from snake import ROOT


@pytest.fixture(scope="session")
def make_clone():
    """A function that copies the tracked and new files of the project, without results, to a folder."""

    def make(folder: Path) -> Path:
        copy = folder / "clone"
        copy.mkdir()
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
            if os.path.lexists(ROOT / name):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
        return copy

    return make


@pytest.fixture
def clone(tmp_path, make_clone) -> Path:
    return make_clone(tmp_path)
