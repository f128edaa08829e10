"""State directories: the pointer, pruning, the fingerprint and the lock."""

import os
import signal
import subprocess
import sys
import time

import filelock
import pytest
from rnalm import files
from rnalm.errors import InputError
from rnalm.training.checkpoints import State, fingerprint

HOLDER = """
import sys, time
from rnalm.training.checkpoints import State
lock = State(sys.argv[1], "x").lock()
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state", fingerprint("run"))


def checkpoint(state, step: int) -> str:
    """What an engine leaves behind before it is published."""
    tag = f"step-{step:08d}"
    (state.directory / tag).mkdir()
    (state.directory / tag / "weights").write_text(tag)
    return tag


def tags(state) -> list[str]:
    return sorted(path.name for path in state.directory.glob("step-*"))


def test_nothing_yet(state):
    assert state.latest() is None


def test_publish_keeps_two(state):
    for step in (5, 10, 15, 20):
        state.publish(checkpoint(state, step), step=step, tokens=100 * step)
        latest = state.latest()
        assert (latest["tag"], latest["step"], latest["tokens"]) == (f"step-{step:08d}", step, 100 * step)
        assert tags(state) == [f"step-{kept:08d}" for kept in (step - 5, step) if kept]


def test_half_written_checkpoint_is_not_latest(state):
    state.publish(checkpoint(state, 5), step=5)
    checkpoint(state, 10)
    assert state.latest()["step"] == 5
    # Nor does it make a complete one go.
    state.publish("step-00000005", step=5)
    assert "step-00000005" in tags(state)


def test_pointer_is_replaced_whole_or_not_at_all(state, monkeypatch):
    state.publish(checkpoint(state, 5), step=5)
    checkpoint(state, 10)

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        state.publish("step-00000010", step=10)
    monkeypatch.undo()
    assert state.latest()["step"] == 5
    assert [path.name for path in state.directory.glob("*latest*")] == ["latest.json"]


def test_state_of_another_run(state):
    state.publish(checkpoint(state, 5), step=5)
    other = State(state.directory, fingerprint("other run"))
    with pytest.raises(InputError, match="other settings") as error:
        other.latest()
    assert str(error.value).startswith(str(state.directory))
    assert "\n" not in str(error.value)
    assert tags(state) == ["step-00000005"]


def test_the_end_of_a_finished_run_is_gone_on_from(state):
    state.publish(checkpoint(state, 5), step=5)
    state.finish()
    again = State(state.directory, state.fingerprint)
    again.begin()
    assert again.latest()["step"] == 5 and tags(again) == ["step-00000005"]


def test_another_run_takes_over_what_a_finished_one_left(state):
    state.publish(checkpoint(state, 5), step=5)
    state.finish()
    other = State(state.directory, fingerprint("other run"))
    other.begin()
    assert other.latest() is None and tags(other) == []


def test_the_pointer_is_written_after_what_it_points_to(state, monkeypatch):
    written = []
    monkeypatch.setattr(files.os, "fsync", lambda number: written.append(os.readlink(f"/proc/self/fd/{number}")))
    state.publish(checkpoint(state, 5), step=5)
    assert written[0].endswith("step-00000005/weights") and "latest.json" in written[-1]


def test_fingerprint_is_of_content():
    assert fingerprint({"a": 1, "b": [2]}, None) == fingerprint({"b": [2], "a": 1}, None)
    assert fingerprint({"a": 1}) != fingerprint({"a": 2}) != fingerprint({"a": 1}, None)


def test_lock_waits_for_a_live_holder_and_not_for_a_dead_one(state):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, state.directory], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(filelock.Timeout):
            state.lock().acquire(timeout=0.3)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    started = time.monotonic()
    with state.lock().acquire(timeout=5):
        assert time.monotonic() - started < 1
