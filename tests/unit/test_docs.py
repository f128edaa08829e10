"""The pages for people: links that lead somewhere, commands that exist, every key of the settings explained."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml
from rnalm import cli
from rnalm.tasks import registry
from rnalm.tasks.splits import RULES

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "config/*.md", "resources/*/README.md", "scripts/rnalm/golden/*.md")
    for path in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```(?:bash)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_link_leads_to_a_file(page):
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", (ROOT / page).read_text())
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (ROOT / page).parent.joinpath(target).exists()] == []


def commands(page) -> list[list[str]]:
    """Words of every `rnalm` command that a page shows, in a block or in a line."""
    text = (ROOT / page).read_text()
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    lines += re.findall(r"`(rnalm [^`]+)`", BLOCK.sub("", text))
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("rnalm ")]


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """{command: its options}."""
    found = {}
    for name in cli.COMMANDS:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"rnalm.commands.{name.replace('-', '_')}").add(parser)
        found[name] = {option for action in parser._actions for option in action.option_strings}
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=str)
def test_a_command_of_rnalm_exists_with_its_options(page, options):
    shown = [(words[0], word) for words in commands(page) for word in words[1:] if word.startswith("-")]
    assert {words[0] for words in commands(page)} <= set(options)
    assert [(name, option) for name, option in shown if option not in options[name]] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if re.search(r"`?make [a-z]", (ROOT / page).read_text())], ids=str
)
def test_a_target_of_make_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE)) <= targets


def keys(schema: dict) -> set[str]:
    """Dotted paths of the keys of a schema; a name that the user chooses is {}."""
    if schema.get("$ref"):
        return set()
    parts = dict(schema.get("properties", {}))
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        parts["{}"] = others
    found = set(parts)
    for name, part in parts.items():
        found |= {f"{name}.{key}" for key in keys(part)}
    return found


def explained(section: str) -> set[str]:
    """Dotted paths in the first column of the table `key` of a section of config/README.md."""
    text = (ROOT / "config/README.md").read_text().split(f"## {section}")[1].split("\n## ")[0]
    table = text[text.index("| key |") :].split("\n\n")[0]
    found = set()
    for row in table.splitlines()[2:]:
        first, *others = re.findall(r"`([^`]+)`", row.split("|")[1])
        # "`corpus.min_length`, `max_length`": the second is in the section of the first.
        place = first.rpartition(".")[0]
        found |= {first, *(key if "." in key or not place else f"{place}.{key}" for key in others)}
    return {re.sub(r"\{\w+\}", "{}", key) for key in found}


def schemas(name: str) -> list[dict]:
    """A schema, or those of each family of models."""
    schema = yaml.safe_load((ROOT / f"workflow/schemas/{name}.schema.yaml").read_text())
    return [part for part in schema["$defs"].values() if "properties" in part] if "allOf" in schema else [schema]


@pytest.mark.parametrize(
    ("name", "section"), [("config", "A run"), ("task", "A task"), ("model", "A model")], ids=["run", "task", "model"]
)
def test_every_key_of_the_settings_is_explained_and_no_other(name, section):
    known, told = set().union(*map(keys, schemas(name))), explained(section)
    assert told - known == set()
    # A key is explained by itself, or with those beside it in the row of their section; a name by what it is a name of.
    leaves = {key.removesuffix(".{}"): key for key in known if not any(other.startswith(f"{key}.") for other in known)}
    missing = [key for short, key in leaves.items() if not told & {short, key, short.rpartition(".")[0]}]
    assert missing == []


def test_every_choice_of_a_task_is_explained():
    text = (ROOT / "config/README.md").read_text().split("## A task")[1]
    properties = schemas("task")[0]["properties"]
    choices = {
        *registry.READERS,
        *properties["data"]["properties"],
        *properties["head"]["properties"]["kind"]["enum"],
        *properties["inits"]["items"]["enum"],
        *RULES,
    }
    assert {choice for choice in choices if f"`{choice}`" not in text} == set()
