"""Settings: what is complete, and what is refused in one line."""

import copy
from pathlib import Path

import pytest
import yaml
from rnalm import config
from rnalm.errors import InputError

ROOT = Path(__file__).parents[2]
FILES = {"config": "config/demo.yaml", "task": "config/tasks/structure_demo.yaml", "model": "config/models/demo.yaml"}
GONE = object()


def changed(schema: str, place: str, value) -> dict:
    """The demo's settings with another value, or none, at a dotted place."""
    settings = copy.deepcopy(yaml.safe_load((ROOT / FILES[schema]).read_text()))
    *sections, last = place.split(".")
    section = settings
    for name in sections:
        section = section[name]
    if value is GONE:
        del section[last]
    else:
        section[last] = value
    return settings


@pytest.fixture
def load(tmp_path):
    """A function that loads the demo's settings with one change."""

    def loaded(schema, place, value):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(changed(schema, place, value)))
        return config.load(tmp_path / "own.yaml", schema)

    return loaded


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        *(("config", path) for path in sorted(ROOT.glob("config/*.yaml")) if "lock" not in path.name),
        *(("task", path) for path in sorted(ROOT.glob("config/tasks/*.yaml"))),
        *(("model", path) for path in sorted(ROOT.glob("config/models/*.yaml"))),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_files_of_the_project_are_accepted(schema, path):
    config.load(path, schema)


@pytest.mark.parametrize(
    ("schema", "place", "value", "said"),
    [
        ("config", "pretrain.epochs", 44.0, "'pretrain.epochs' is wrong: 44.0 is not of type 'integer'; write a whole"),
        ("config", "pretrain.epochs", True, "'pretrain.epochs' is wrong"),
        ("config", "pretrain.epochs", "44", "write a number: unquoted"),
        ("config", "pretrain.weight_decay", float("nan"), "'pretrain.weight_decay' is wrong"),
        ("config", "pretrain.device", GONE, "'pretrain.device' is missing"),
        ("config", "corpus.max_length", 15, "'corpus.max_length' is wrong: 15 is less than corpus.min_length, 16"),
        ("config", "corpus.previous", "demo", "'corpus.previous' is wrong: demo is this corpus itself"),
        ("config", "corpus.maxlength", 15, "the nearest known key is 'max_length'"),
        ("config", "corpus.sources", {"Rfam": {"release": "demo"}}, "small letters, digits and '_'"),
        ("config", "tasks", {1: "task.yaml"}, "small letters, digits and '_'"),
        *(("task", "splits.random.train", part, "a fraction above 0") for part in (-4, 0, 1.5, 0.0, 1.0, True)),
        ("task", "splits", {"a-b": {"rule": "random"}}, "letters, digits and '_'"),
        ("task", "expected", {1: 5, "a": 5}, "'expected' is wrong: 1 is not of type 'string'"),
        ("task", "training.unfreeze", {"x": ["head"]}, "'training.unfreeze' is wrong: 'x'"),
        ("task", "training.unfreeze", {"0": ["head"]}, "'training.unfreeze' is wrong: '0'"),
        ("task", "training.unfreeze", {}, "'training.unfreeze.0' is missing"),
        ("task", "training.unfreeze", {1: ["head"]}, "'training.unfreeze.0' is missing"),
        ("task", "training.unfreeze", {0: []}, "'training.unfreeze.0' is wrong"),
        ("model", "family", "llama", "'family' is wrong"),
        ("model", "layers", GONE, "'layers' is missing"),
        ("model", "layers", 0, "'layers' is wrong"),
        ("model", "dim", 128.0, "'dim' is wrong: 128.0"),
        ("model", "heads", 5, "'dim' is wrong: 128 is no even number of channels for each of 5 heads"),
        ("model", "heads", 128, "'dim' is wrong"),
        ("model", "dropout", 1, "'dropout' is wrong"),
        ("model", "head", 4, "unknown key 'head'; the nearest known key is 'heads'"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(load, schema, place, value, said):
    with pytest.raises(InputError) as raised:
        load(schema, place, value)
    text = str(raised.value)
    assert "own.yaml: " in text
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize("part", [1, 0.5, "TR0"])
def test_a_part_is_a_number_a_fraction_or_a_set(load, part):
    assert load("task", "splits.random.train", part)["splits"]["random"]["train"] == part


@pytest.mark.parametrize(
    ("read", "content", "said"),
    [
        (config.read, None, "cannot be read (No such file or directory)"),
        (config.read, b"a: [", "is not valid YAML"),
        (config.read, b"- a", "holds no keys"),
        (config.read_json, b"{a: 1}", "is not valid JSON"),
        (config.read_json, b"\xff", "is not valid JSON"),
        (config.read_json, b"[]", "holds no keys"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, read, content, said):
    content is None or (tmp_path / "own").write_bytes(content)
    with pytest.raises(InputError, match="own: ") as raised:
        read(tmp_path / "own")
    assert said in str(raised.value)


def test_excluding_for_an_unknown_split_is_refused_before_anything_runs():
    run = {"corpus": {"exclude": {"sets": ["structure", "structure/TS0"]}}}
    tasks = {"structure": {"splits": {"TS0": {}, "family": {}}}}
    config.check_excluded_splits(run, tasks, "mine.yaml")
    run["corpus"]["exclude"]["sets"].append("structure/TSO")
    with pytest.raises(InputError, match=r"structure has no split TSO; .*structure/TS0, structure/family"):
        config.check_excluded_splits(run, tasks, "mine.yaml")
