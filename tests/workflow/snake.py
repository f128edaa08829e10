"""Running Snakemake in tests."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The commands of the environment that the tests run in, and no settings of the user's.
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "XDG_CONFIG_HOME": "/nonexistent",
}


def snakemake(*arguments, cwd=ROOT, environment=None, timeout=120) -> subprocess.CompletedProcess:
    """Run snakemake; stdout and stderr as text."""
    command = ["snakemake", "--nocolor", *map(str, arguments)]
    variables = {**ENVIRONMENT, **(environment or {})}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=timeout)


def planned(*arguments, cwd=ROOT) -> dict[str, int]:
    """{rule: jobs} of a dry run; empty if there is nothing to do."""
    done = snakemake(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout + done.stderr
    if "Job stats:" not in output:
        assert "Nothing to be done" in output, output
        return {}
    table = output.split("Job stats:")[1].split("total")[0].splitlines()[3:]
    return {rule: int(jobs) for rule, jobs in (line.split() for line in table if line.strip())}
