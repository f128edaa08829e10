"""Settings: YAML files checked against the JSON schemas of workflow/schemas/, defaults filled in.

A mistake is one line that names the dotted key: an unknown key comes with the nearest known one,
a wrong value with what the schema asks for. What a schema cannot say of two keys is in RELATIONS.
"""

import difflib
import functools
import json
import math
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from rnalm.errors import InputError

SCHEMAS = Path(__file__).parents[2] / "workflow" / "schemas"

# Keys of a task's settings that shape its data; the others are about training and evaluation.
TASK_DATA = ("task", "source", "reader", "data", "expected", "families", "max_length", "max_test_length", "splits")

# Keys of a head by its kind: what it needs, what it may have.
PAIR_HEADS = ("pairs", "plain_pairs", "maps")
DECODING = ("decoder", "threshold")
HEADS = {
    "pairs": (("width", "blocks"), DECODING),
    "plain_pairs": (("width", "blocks"), DECODING),
    "maps": (("maps", "blocks", "dropout"), DECODING),
    "classes": (("width", "activation"), ("pooling", "classes")),
    "scalar": (("width", "blocks"), ("padded_to", "mean", "std")),
    "load": (("width",), ("mean", "std")),
    "positions": (("width",), ("blocks", "padded_to")),
}


def whole(checker, value) -> bool:
    """Not 44.0, which JSON schema takes for an integer: a file name or a range cannot be made from it."""
    return isinstance(value, int) and not isinstance(value, bool)


def finite(checker, value) -> bool:
    """Not .nan, which no bound refuses."""
    return whole(checker, value) or (isinstance(value, float) and math.isfinite(value))


TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": whole, "number": finite})
Validator = extend(Draft202012Validator, type_checker=TYPES)


def load(path, schema: str = "config") -> dict:
    """The settings in a YAML file, checked against `{schema}.schema.yaml`, defaults filled in."""
    return check(read(path), path, schema)


def read(path) -> dict:
    """The mapping in a YAML file; InputError if it cannot be read, is no YAML, or holds no mapping."""
    return mapping(path, yaml.safe_load, "YAML")


def read_json(path) -> dict:
    """The mapping in a JSON file; InputError if it cannot be read, is no JSON, or holds no mapping."""
    return mapping(path, json.loads, "JSON")


def check_deepspeed(path) -> dict:
    """A DeepSpeed configuration; InputError unless it is of ZeRO's stage 1.

    Without ZeRO there is no checkpoint that `export` can read; stages 2 and 3 talk to the other processes in every
    backward pass, of which processes do different numbers.
    """
    settings = read_json(path)
    zero = settings.get("zero_optimization")
    stage = zero.get("stage") if isinstance(zero, dict) else None
    if stage != 1:
        problem = f"has the zero_optimization.stage {stage}"
        raise InputError(path, problem, "write 1, the only one that packed micro-batches work with")
    return settings


def mapping(path, parse, kind: str) -> dict:
    """The mapping that `parse` makes of a file's text."""
    try:
        settings = parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise InputError(path, problem, "create it or correct its path in the config") from None
    # ValueError: no UTF-8, or no JSON.
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(path, f"is not valid {kind} ({error})", "correct the file at that line") from None
    if not isinstance(settings, dict):
        raise InputError(path, "holds no keys with values", "see config/README.md for the keys")
    return settings


def check(settings: dict, where, schema: str = "config") -> dict:
    """A copy of the settings with defaults; InputError with the first thing that is wrong in them.

    where: the file that the settings came from, named in the error
    """
    validator = validators()[schema]
    errors = list(validator.iter_errors(settings))
    if errors:
        # A key that is misspelt is unknown and missing at once: unknown says more.
        raise InputError(where, *explained(min(errors, key=lambda error: error.validator != "additionalProperties")))
    complete = with_defaults(settings, validator.schema)
    for relation in RELATIONS.get(schema, ()):
        relation(complete, where)
    return complete


@functools.cache
def validators() -> dict[str, Validator]:
    """{schema name: validator} of all schema files."""
    files = SCHEMAS.glob("*.schema.yaml")
    return {path.name.split(".")[0]: Validator(yaml.safe_load(path.read_text())) for path in files}


def explained(error) -> tuple[str, str]:
    """(problem, remedy) of a schema error."""
    place = list(map(str, error.path))
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        unknown = min(map(str, set(error.instance) - set(known)))
        return f"unknown key '{'.'.join([*place, unknown])}'", nearest(unknown, known)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"key '{'.'.join([*place, str(missing)])}' is missing", "add it; config/README.md explains every key"
    return f"key '{'.'.join(place)}' is wrong: {error.message}", asked(error)


def nearest(unknown: str, known: list[str]) -> str:
    """What to write instead of an unknown key."""
    alike = difflib.get_close_matches(unknown, known, n=1, cutoff=0)
    return f"the nearest known key is '{alike[0]}'; known here: {', '.join(known)}"


def asked(error) -> str:
    """What the schema asks for in place of a wrong value."""
    wanted = error.validator_value if error.validator == "type" else None
    if wanted == "integer" and isinstance(error.instance, float):
        return "write a whole number, without a decimal point"
    if wanted in ("number", "integer") and isinstance(error.instance, str):
        return "write a number: unquoted, powers of ten as 5.0e-5, and in a file, as --config makes nested values text"
    return error.schema.get("description", "see config/README.md")


def with_defaults(value, schema: dict):
    """A copy of a value in which optional keys that are absent have the schema's defaults."""
    if not isinstance(value, dict):
        return value
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    absent = {key: part["default"] for key, part in properties.items() if "default" in part and key not in value}
    return {
        key: with_defaults(part, properties.get(key) or (others if isinstance(others, dict) else {}))
        for key, part in {**value, **absent}.items()
    }


def check_lengths(config: dict, where) -> None:
    """InputError if no length is allowed."""
    shortest, longest = config["corpus"]["min_length"], config["corpus"]["max_length"]
    if longest < shortest:
        problem = f"key 'corpus.max_length' is wrong: {longest} is less than corpus.min_length, {shortest}"
        raise InputError(where, problem, "no sequence is left; give a larger one")


def check_previous(config: dict, where) -> None:
    """InputError if a corpus updates itself."""
    corpus = config["corpus"]
    if corpus["previous"] == corpus["name"]:
        problem = f"key 'corpus.previous' is wrong: {corpus['name']} is this corpus itself"
        raise InputError(where, problem, "give this corpus a new corpus.name, so that the earlier one stays")


def check_exclude(config: dict, where) -> None:
    """InputError if what is excluded resembles items of a task that the run does not have."""
    for name in config["corpus"].get("exclude", {}).get("sets", []):
        if name.partition("/")[0] not in config["tasks"]:
            problem = f"key 'corpus.exclude.sets' is wrong: {name} is no task of this run"
            raise InputError(where, problem, f"name tasks, or task/split, of: {', '.join(config['tasks']) or 'none'}")


def excluded_tasks(config: dict) -> list[str]:
    """The tasks whose relatives are kept from training: `corpus.exclude.sets` names them, or splits of them."""
    sets = config["corpus"].get("exclude", {}).get("sets", ())
    return sorted({name.partition("/")[0] for name in sets})


def check_excluded_splits(config: dict, tasks: dict, where) -> None:
    """InputError if what is excluded resembles items of a split that its task does not have; after `check_exclude`.

    tasks: {task: its settings}
    """
    for name in config["corpus"].get("exclude", {}).get("sets", []):
        task, _, split = name.partition("/")
        known = split_names(tasks[task]) if split else [split]
        if split not in known:
            problem = f"key 'corpus.exclude.sets' is wrong: {task} has no split {split}"
            known = ", ".join(f"{task}/{name}" for name in known)
            raise InputError(where, problem, f"name {task}, or one of: {known}")


def split_names(task: dict) -> list[str]:
    """The splits that a task's `splits` section makes: one of each entry, or one of each of its folds."""
    found = []
    for name, split in task["splits"].items():
        found += [f"{name}_{fold}" for fold in range(split["folds"])] if "folds" in split else [name]
    return found


def check_folds(task: dict, where) -> None:
    """InputError where a rule that divides into folds does not say how many, or another one does."""
    for name, split in task["splits"].items():
        key = f"splits.{name}"
        if (split["rule"] in ("folds", "kfold")) != ("folds" in split):
            problem = f"key '{key}.folds' goes with the rules folds and kfold, the rule is {split['rule']}"
            raise InputError(where, problem, "add the number of folds, or leave it out")
        if (split["rule"] == "kfold") != ("kfold_seed" in split):
            problem = f"key '{key}.kfold_seed' goes with the rule kfold, the rule is {split['rule']}"
            raise InputError(where, problem, "add scikit-learn's seed, or leave it out")


def check_heads(model: dict, where) -> None:
    """InputError if the heads do not share the width, or a head has an odd number of channels."""
    dim, heads = model["dim"], model["heads"]
    if dim % (2 * heads):
        problem = f"key 'dim' is wrong: {dim} is no even number of channels for each of {heads} heads"
        raise InputError(where, problem, f"give a multiple of {2 * heads}")
    values = model.get("value_dim", heads)
    if values % heads:
        problem = f"key 'value_dim' is wrong: {values} channels are not shared by {heads} heads"
        raise InputError(where, problem, f"give a multiple of {heads}")


def check_head(task: dict, where) -> None:
    """InputError where a head lacks a key of its kind, or has one of another kind; and a start that predicts pairs."""
    head = task["head"]
    needed, possible = HEADS[head["kind"]]
    for key in needed:
        if key not in head:
            raise InputError(where, f"key 'head.{key}' is missing", f"a head of kind {head['kind']} needs it")
    for key in head:
        if key not in {"kind", *needed, *possible}:
            known = ", ".join((*needed, *possible))
            raise InputError(where, f"key 'head.{key}' is none of a head of kind {head['kind']}", f"it has {known}")
    for init in task["inits"]:
        if init.startswith("zeroshot") and head["kind"] not in PAIR_HEADS:
            problem = f"key 'inits' has {init}, which predicts base pairs, and the head's kind is {head['kind']}"
            raise InputError(where, problem, f"leave {init} out")


RELATIONS = {
    "config": (check_lengths, check_previous, check_exclude),
    "model": (check_heads,),
    "task": (check_folds, check_head),
}
