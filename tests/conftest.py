"""Fixtures that several kinds of tests share."""

from pathlib import Path

import pytest
import report_fixture


@pytest.fixture(scope="session")
def report_arguments(tmp_path_factory) -> list[str]:
    """Arguments of scripts/report.py for a made-up run that is written out."""
    return report_fixture.make(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def report_path(report_arguments) -> Path:
    """The report page of the made-up run."""
    done = report_fixture.report(report_arguments)
    assert done.returncode == 0, done.stderr
    return Path(report_arguments[report_arguments.index("--manifest") + 1]).with_name("index.html")


@pytest.fixture
def no_gradients():
    import torch  # takes seconds, and most tests do without

    with torch.no_grad():
        yield
