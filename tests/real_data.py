"""Real records that are no part of the project: they lie beside the checkout, where a machine has them."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"


def from_data(name: str) -> Path:
    """A file or folder of them; where it is absent the test is skipped."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return path
