"""The workflow's style: linters, complete rules, one script and one environment per rule."""

import functools
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from imports import distributions
from rattler import MatchSpec
from snake import ENVIRONMENT, ROOT, snakemake

DIRECTIVES = ("output", "log", "benchmark", "conda", "threads", "resources", "params", "message", "shell")
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
# distribution -> conda package, where they differ
CONDA_NAMES = {"isal": "python-isal", "torch": "pytorch-gpu"}
# Imported where it is installed, needed nowhere.
OPTIONAL = {"flash-attn", "gpu-contrafold", "linearpartition", "linearpartition-unofficial", "umap", "umap-learn"}


@functools.cache
def rules() -> dict[str, str]:
    """{rule: its text} of the stages, which are the rules in workflow/rules/."""
    files = [path for path in sorted((ROOT / "workflow/rules").glob("*.smk")) if path.stem != "common"]
    text = "\n".join(path.read_text() for path in files)
    parts = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@functools.cache
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {normal(name): version for name, version in (line.split("==") for line in lines if "==" in line)}


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def specs(environment: Path) -> dict[str, str]:
    """{normalised distribution name: version} of an environment, conda's and pip's together."""
    found = {}
    originals = {conda: name for name, conda in CONDA_NAMES.items()}
    for item in yaml.safe_load(environment.read_text())["dependencies"]:
        for spec in item["pip"] if isinstance(item, dict) else [item]:
            name, _, version = re.split(r"\s*(==|=)", spec, maxsplit=1) if "=" in spec else (spec, "", "")
            found[originals.get(name, normal(name))] = version
    return found


def test_snakemake_lint_is_clean():
    done = snakemake("--lint", "--configfile", "config/demo.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakefmt_is_clean():
    done = subprocess.run(
        ["snakefmt", "--check", "workflow"], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_snakefile_is_a_table_of_contents():
    text = (ROOT / "workflow/Snakefile").read_text()
    assert not re.search(r"^\s*(def|if|for|while|try|shell|run)\b", text, flags=re.MULTILINE)
    included = set(re.findall(r'include: "rules/(\w+)\.smk"', text))
    assert included == {path.stem for path in (ROOT / "workflow/rules").glob("*.smk")}


@pytest.mark.parametrize("rule", sorted(rules()))
def test_a_rule_is_complete_and_has_its_own_script_and_environment(rule):
    text = rules()[rule]
    assert [directive for directive in DIRECTIVES if not re.search(rf"^    {directive}:", text, re.MULTILINE)] == []
    assert "stage_version=" in text
    assert "mem=" in text
    assert "runtime=" in text
    assert "lambda" not in text
    assert f"scripts/{rule}.py" in text
    assert f'"../../envs/{rule}.yaml"' in text
    assert (ROOT / "scripts" / f"{rule}.py").is_file()


@pytest.mark.parametrize("rule", sorted(rules()))
def test_a_rule_gives_its_script_the_options_that_it_takes(rule):
    script = (ROOT / "scripts" / f"{rule}.py").read_text()
    command = rules()[rule].split("    shell:")[1].split(f"scripts/{rule}.py")[1]
    given = set(re.findall(r"--([a-z-]+)", command))
    taken = dict(re.findall(r'add_argument\(\s*"--([a-z-]+)"(.*?)\)$', script, flags=re.MULTILINE | re.DOTALL))
    assert given <= set(taken)
    assert {name for name, rest in taken.items() if "required=True" in rest} <= given


def test_there_is_no_script_or_environment_without_a_rule():
    assert {path.stem for path in (ROOT / "scripts").glob("*.py")} == set(rules())
    assert {path.stem for path in ENVIRONMENTS} == set(rules())


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_parses_and_pins_what_the_constraints_pin(environment):
    content = yaml.safe_load(environment.read_text())
    assert set(content["channels"]) <= {"conda-forge", "bioconda"}
    for spec in content["dependencies"]:
        if isinstance(spec, str):
            MatchSpec(spec, strict=True)
    wrong = {name: version for name, version in specs(environment).items() if pins().get(name, version) != version}
    assert wrong == {}
    unpinned = [name for name, version in specs(environment).items() if not version]
    assert unpinned in ([], ["pip"])


@pytest.mark.parametrize("rule", sorted(rules()))
def test_an_environment_holds_all_that_its_script_imports(rule):
    needed = {normal(name) for name in distributions(ROOT / "scripts" / f"{rule}.py")} - OPTIONAL
    assert needed - set(specs(ROOT / "envs" / f"{rule}.yaml")) == set()
