"""Settings: what is complete, and what is refused in one line."""

import copy
import inspect
from pathlib import Path

import pytest
import yaml
from rnalm import config
from rnalm.cli import main
from rnalm.errors import InputError
from rnalm.models import finetuned
from rnalm.sequences import releases
from rnalm.tasks import kinds, registry

ROOT = Path(__file__).parents[2]
FILES = {"config": "config/demo.yaml", "task": "config/tasks/structure_demo.yaml", "model": "config/models/demo.yaml"}
GONE = object()
TASKS = sorted((*ROOT.glob("config/tasks/*.yaml"), *ROOT.glob("tests/configs/smoke/*.yaml")))
LOCKS = {"tasks": "config/releases.lock.yaml", "smoke": "tests/configs/real.lock.yaml"}


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


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_has_its_reader_and_its_download(path):
    settings = config.load(path, "task")
    assert registry.reader(settings["reader"])
    release = releases.load_release(ROOT / LOCKS[path.parent.name], *settings["source"].values())
    assert [file.path for file in release.files if file.use == "task"]


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_intake_takes_every_task_by_its_file_or_its_name(path, tmp_path, capsys, monkeypatch):
    """It gets as far as reading: the folder holds nothing that any reader knows."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "notes.pdf").write_text("x")
    names = (path, path.stem) if path.parent == ROOT / "config" / "tasks" else (path,)
    for name in names:
        with pytest.raises(SystemExit) as ended:
            main(["intake", str(name), "--data", str(tmp_path)])
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert any(said in line for said in ("brought ", "holds no structures", "is no FASTA file of the data")), line


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
        ("task", "head.width", GONE, "'head.width' is missing; a head of kind pairs needs it"),
        ("task", "head.pooling", "mean", "'head.pooling' is none of a head of kind pairs; it has width, blocks"),
        ("task", "head.threshold", 0.001, "'head.threshold' is wrong"),
        ("task", "head", {"kind": "classes", "width": 8}, "'head.activation' is missing; a head of kind classes"),
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


def test_keys_of_a_head_are_those_of_its_model():
    """What the schema lets through is what can be built, and what a model needs is asked for at once."""
    for kind, (needed, possible) in config.HEADS.items():
        sizes = inspect.signature(finetuned.KINDS[kind]).parameters.values()
        sizes = {each.name: each.default is each.empty for each in sizes if each.name != "encoder"}
        # The labels decide on these: `described` of the kind.
        by_labels = {"mean", "std"} if kinds.of({"kind": kind}) == "number" else {"classes"}
        assert {name for name, due in sizes.items() if due} - by_labels == set(needed), kind
        assert set(possible) - finetuned.ABOUT <= set(sizes), kind
    assert set(config.HEADS) == set(finetuned.KINDS) - {"tokens", "zero_shot"}


def test_zero_shot_predicts_base_pairs_alone(tmp_path):
    settings = yaml.safe_load((ROOT / "config/tasks/nrc.yaml").read_text()) | {"inits": ["frozen", "zeroshot"]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match=r"own\.yaml: key 'inits' has zeroshot, which predicts base pairs"):
        config.load(tmp_path / "own.yaml", "task")
