"""The workflow's scripts, run in the process of the tests, which has loaded torch already."""

import importlib.util
import sys

from small_models import ROOT


def run_stage(stage: str, monkeypatch, **flags) -> None:
    """scripts/<stage>.py with these options; a list is an option of several values."""
    specification = importlib.util.spec_from_file_location(stage, ROOT / "scripts" / f"{stage}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    options = []
    for flag, value in flags.items():
        options += [f"--{flag.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    monkeypatch.setattr(sys, "argv", [stage, *options])
    module.main()
