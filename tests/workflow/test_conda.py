"""The conda environments in use: every rule's is solved, installed and active in its job.

A stand-in for conda and a channel of empty packages with the pinned versions take the place of the network. So this
shows that the environments parse, that Snakemake finds them and that jobs run in them; not that conda-forge has these
versions.
"""

import re
import sys
from pathlib import Path

import pytest
import yaml
from snake import ROOT, snakemake

TOOLS = ROOT / "tests/conda"
STAND_IN = """
import argparse, os, sys
from pathlib import Path

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--manifest", type=Path)
parser.add_argument("--ledger", type=Path)
arguments, _ = parser.parse_known_args()
packages = sorted(path.name for path in Path(os.environ["CONDA_PREFIX"], "share").iterdir())
arguments.manifest.write_text("\\n".join(packages))
arguments.ledger and arguments.ledger.write_text("")
"""


def pinned() -> dict[str, str]:
    """{package: version} of all environments."""
    found = {}
    for path in (ROOT / "envs").glob("*.yaml"):
        specs = yaml.safe_load(path.read_text())["dependencies"]
        found |= dict(re.split(r"\s*==", spec) for spec in specs if isinstance(spec, str) and "==" in spec)
    return found


@pytest.fixture(scope="module")
def channels(tmp_path_factory):
    """Folder of two channels, both with all packages."""
    sys.path.insert(0, str(TOOLS))
    import channel

    root = tmp_path_factory.mktemp("channels")
    for name in ("conda-forge", "bioconda"):
        channel.make(root / name, pinned())
    return root


def test_jobs_run_in_their_own_environments(clone, channels):
    for script in (clone / "scripts").glob("*.py"):
        script.write_text(STAND_IN)
    (clone / "scripts/launch.sh").write_text('shift 3; exec python "$@"')
    done = snakemake(
        *("--profile", "workflow/profiles/demo", "--configfile", "tests/configs/mini.yaml"),
        *("--software-deployment-method", "conda", "--", "tasks_all"),
        cwd=clone,
        environment={
            "PATH": f"{TOOLS / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "CONDA_STAND_IN": f"file://{channels}",
        },
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    normalised = (clone / "results/normalised/rfam/demo/16-120nt-n0.1/manifest.json").read_text().split()
    assert "biopython" in normalised
    assert "pytorch-gpu" not in normalised
    trained = (clone / "results/pretrain/mini/epochs-002/manifest.json").read_text().split()
    assert {"pytorch-gpu", "deepspeed"} <= set(trained)
    folded = (clone / "results/tasks/structure/mini/random/baseline-rnafold/manifest.json").read_text().split()
    assert "viennarna" in folded
