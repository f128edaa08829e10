"""The decoders' benchmark on small maps: its maps are what it says, and it runs to its table."""

import subprocess
import sys
from pathlib import Path

import decoders
import pytest
from rnalm import files
from rnalm.structure import greedy
from rnalm.structure.published import assignment

HERE = Path(__file__).parent


def test_the_map_is_like_a_trained_models():
    probabilities, sequence = decoders.trained_map(300, 0)
    assert (probabilities == probabilities.T).all()
    assert 0.4 < 2 * len(greedy(probabilities, sequence, 0.5)) / 300 < 0.8


def test_the_literal_search_finds_the_same_pairs():
    case = decoders.trained_map(120, 1)
    assert decoders.literal_greedy(*case, 0.1) == greedy(*case, 0.1)


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_the_literal_assignment_is_the_librarys(threshold):
    for seed in range(4):
        case = decoders.trained_map(150, seed)
        found = decoders.literal_assignment(*case, threshold)
        assert found == assignment(*case, threshold) and len(found) > 20


def test_it_runs_to_its_table(tmp_path):
    page, numbers = tmp_path / "page.md", tmp_path / "numbers.json"
    page.write_text("before\n<!-- decoders: begin -->\nstale\n<!-- decoders: end -->\nafter\n")
    sizes = ["--length", "80", "--maps", "2", "--repetitions", "1"]
    command = [sys.executable, HERE / "decoders.py", *sizes, "--page", page, "--numbers", numbers]
    subprocess.run(command, check=True, capture_output=True)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert [row["decoder"] for row in files.read_json(numbers)["rows"]] == [
        "greedy",
        "matching",
        "assignment",
        "nested",
    ] * 2
