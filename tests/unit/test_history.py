"""The table that a training run appends to and a resumed one cuts back."""

import polars as pl
import pytest
from rnalm.training.history import TRAIN, Reporter, Table

COLUMNS = ("step", "tokens", "loss")


def rows(path) -> list[tuple]:
    return pl.read_csv(path).rows()


def test_resumed_run_cuts_back_to_its_checkpoint(tmp_path):
    path = tmp_path / "history.csv"
    table = Table(path, COLUMNS, 0)
    for step in range(1, 6):
        table.append({"step": step, "tokens": 100 * step, "loss": 1 / step})
    whole = path.read_text()
    again = Table(path, COLUMNS, 3)
    assert [row[0] for row in rows(path)] == [1, 2, 3]
    for step in (4, 5):
        again.append({"step": step, "tokens": 100 * step, "loss": 1 / step})
    assert path.read_text() == whole


def test_killed_before_the_first_row(tmp_path):
    Table(tmp_path / "t.csv", COLUMNS, 0)
    Table(tmp_path / "t.csv", COLUMNS, 30)
    assert (tmp_path / "t.csv").read_text() == "step,tokens,loss\n"


@pytest.mark.parametrize("torn", ["4", "4,", "4,400,0.2", "1"])
def test_killed_in_the_middle_of_a_row(tmp_path, torn):
    path = tmp_path / "t.csv"
    path.write_text("step,tokens,loss\n3,300,0.5\n" + torn)
    Table(path, COLUMNS, 5)
    assert rows(path) == [(3, 300, 0.5)]


def test_large_counts_are_exact(tmp_path):
    table = Table(tmp_path / "t.csv", COLUMNS, 0)
    table.append({"step": 75_894, "tokens": 98_765_432_101, "loss": 0.123456789})
    assert rows(tmp_path / "t.csv") == [(75_894, 98_765_432_101, 0.12345679)]


def test_reporter_writes_lines_and_events_where_there_is_no_terminal(tmp_path, capsys):
    row = dict.fromkeys(TRAIN, 1.0) | {"step": 5, "epoch": 0, "tokens": 12, "memory_bytes": 2**30}
    with Reporter(tmp_path, tmp_path / "logs" / "log", 0, 10) as report:
        report.step(row)
        report.validation({"step": 5, "tokens": 12, "loss": 1.5, "perplexity": 4.48, "masked_accuracy": 0.4})
    lines = (tmp_path / "logs" / "log").read_text().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 5", "step 5"]
    assert "validation loss 1.5000" in lines[1]
    assert rows(tmp_path / "history.csv")[0][0] == rows(tmp_path / "validation.csv")[0][0] == 5
    assert list((tmp_path / "tensorboard").glob("events.*"))
    assert "\x1b" not in capsys.readouterr().err
