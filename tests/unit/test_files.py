"""Atomic outputs: all or nothing under the final name, and nothing beside it."""

import os
import signal
import subprocess
import sys

import pytest
from rnalm import files

# Fills a temporary and says so, then waits to be killed.
HELD = """
import pathlib, sys, time
from rnalm import files
with getattr(files, sys.argv[1])(pathlib.Path(sys.argv[2])) as temporary:
    (temporary / "x" if temporary.is_dir() else temporary).write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def killed(kind: str, path) -> None:
    """Leave what a process killed while it writes `path` leaves."""
    process = subprocess.Popen([sys.executable, "-c", HELD, kind, path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_a_file_killed_half_way_leaves_the_earlier_one_and_goes_with_the_next(tmp_path):
    path = tmp_path / "name.json"
    path.write_text("before")
    killed("atomic", path)
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2
    files.write_text(path, "after")
    assert [p.name for p in tmp_path.iterdir()] == ["name.json"]
    assert path.read_text() == "after"


def test_a_folder_killed_half_way_leaves_the_earlier_one_and_goes_with_the_next(tmp_path):
    path = tmp_path / "name"
    path.mkdir()
    (path / "before").write_text("whole")
    killed("atomic_directory", path)
    assert [p.name for p in path.iterdir()] == ["before"]
    with files.atomic_directory(path) as temporary:
        (temporary / "after").write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == ["name"]
    assert [p.name for p in path.iterdir()] == ["after"]


def test_a_folder_is_never_half_removed_under_its_name(tmp_path, monkeypatch):
    path = tmp_path / "name"
    path.mkdir()
    (path / "before").write_text("whole")
    seen = []

    def removed(folder, **_):
        seen.append((folder.name, sorted(p.name for p in path.iterdir())))

    monkeypatch.setattr(files.shutil, "rmtree", removed)
    with files.atomic_directory(path) as temporary:
        (temporary / "after").write_text("whole")
    assert path.name not in [name for name, _ in seen]
    assert {tuple(held) for _, held in seen} == {("after",)}


@pytest.mark.parametrize("kind", ["atomic", "atomic_directory"])
def test_a_failure_leaves_the_earlier_one_and_nothing_else(tmp_path, kind):
    path = tmp_path / "name"
    if kind == "atomic":
        path.write_text("before")
    else:
        path.mkdir()
    with pytest.raises(ZeroDivisionError), getattr(files, kind)(path) as temporary:
        (temporary / "x" if kind == "atomic_directory" else temporary).write_text("half")
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["name"]
    assert kind == "atomic_directory" or path.read_text() == "before"


def test_what_others_write_stays(tmp_path):
    """A running process's temporary, and those of a file whose name begins alike."""
    others = {f".name.{os.getppid()}.tmp", ".name.7.999999999.tmp", ".names.999999999.tmp", ".name.tmp"}
    for other in others:
        (tmp_path / other).write_text("theirs")
    (tmp_path / ".name.999999999.tmp").write_text("left")
    (tmp_path / ".name.999999999.earlier.tmp").mkdir()
    files.write_text(tmp_path / "name", "mine")
    assert {p.name for p in tmp_path.iterdir()} == others | {"name"}
