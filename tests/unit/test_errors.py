"""One line and an exit code for what is wrong outside of the program; a traceback for what is wrong in it."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from rnalm.errors import InputError, exits, outside


def ends(capsys, error) -> tuple[int, str]:
    @exits
    def main():
        raise error

    with pytest.raises(SystemExit) as left:
        main()
    (line,) = capsys.readouterr().err.splitlines()
    return left.value.code, line


def test_wrong_input(capsys):
    assert ends(capsys, InputError("x.fa", "is\nempty", "fill it")) == (2, "error: x.fa: is empty; fill it")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOTDIR])
def test_what_the_system_refuses(capsys, number):
    code, line = ends(capsys, OSError(number, os.strerror(number), "out/x"))
    assert code == 2
    assert line.startswith(f"error: out/x: cannot be written or read ({os.strerror(number)}); ")


def test_a_full_disk_by_way_of_polars(capsys):
    # /dev/full is a disk without room.
    with pytest.raises((OSError, pl.exceptions.PolarsError)) as raised:
        pl.LazyFrame({"x": range(100_000)}).sink_parquet("/dev/full")
    code, line = ends(capsys, raised.value)
    assert code == 2
    assert os.strerror(errno.ENOSPC) in line


def test_a_full_disk_by_way_of_torch(capsys):
    with pytest.raises(RuntimeError) as raised:
        torch.save(torch.zeros(100_000), "/dev/full")
    code, line = ends(capsys, raised.value)
    assert code == 2 and line.startswith("error: a checkpoint: cannot be written (") and "make room" in line


def test_a_damaged_parquet_file(capsys, tmp_path):
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes((tmp_path / "x.parquet").read_bytes()[:-4] + b"ACGT")
    with pytest.raises(pl.exceptions.ComputeError) as raised:
        pl.read_parquet(tmp_path / "x.parquet")
    code, line = ends(capsys, raised.value)
    assert code == 2
    assert "a Parquet file: is damaged" in line


@pytest.mark.parametrize("library", [np, torch])
def test_more_memory_than_there_is(capsys, library):
    with pytest.raises((MemoryError, RuntimeError)) as raised:
        library.empty(10**14)
    code, line = ends(capsys, raised.value)
    assert code == 2
    assert line.startswith("error: memory: is not enough")


@pytest.mark.parametrize("error", [ValueError("x"), OSError("no number"), OSError(errno.EBADF, "bad descriptor")])
def test_errors_of_the_program_keep_their_traceback(error):
    assert outside(error) is None
    with pytest.raises(type(error)):
        exits(lambda: (_ for _ in ()).throw(error))()


def test_ctrl_c():
    program = "from rnalm.errors import exits\n@exits\ndef main():\n  print('on', flush=True)\n  input()\nmain()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (130, "interrupted\n")
