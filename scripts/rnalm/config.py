"""Settings: YAML files checked against the JSON schemas of workflow/schemas/, defaults filled in.

A mistake is one line that names the dotted key: an unknown key comes with the nearest known one,
a wrong value with what the schema asks for.
"""

import difflib
import functools
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from rnalm.errors import InputError

SCHEMAS = Path(__file__).parents[2] / "workflow" / "schemas"


def load(path, schema: str = "config") -> dict:
    """The settings in a YAML file, checked against `{schema}.schema.yaml`, defaults filled in."""
    return check(read(path), path, schema)


def read(path) -> dict:
    """The mapping in a YAML file; InputError if it is missing, is no YAML, or holds no mapping."""
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "does not exist", "create it or correct its path in the config") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not valid YAML ({error})", "correct the file at that line") from None
    if not isinstance(settings, dict):
        raise InputError(path, "holds no 'key: value' lines", "see config/README.md for the keys")
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
    return with_defaults(settings, validator.schema)


@functools.cache
def validators() -> dict[str, Draft202012Validator]:
    """{schema name: validator} of all schema files."""
    files = SCHEMAS.glob("*.schema.yaml")
    return {path.name.split(".")[0]: Draft202012Validator(yaml.safe_load(path.read_text())) for path in files}


def explained(error) -> tuple[str, str]:
    """(problem, remedy) of a schema error."""
    place = list(map(str, error.path))
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        unknown = min(map(str, set(error.instance) - set(known)))
        return f"unknown key '{'.'.join([*place, unknown])}'", nearest(unknown, known)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"key '{'.'.join([*place, missing])}' is missing", "add it; config/README.md explains every key"
    return f"key '{'.'.join(place)}' is wrong: {error.message}", asked(error)


def nearest(unknown: str, known: list[str]) -> str:
    """What to write instead of an unknown key."""
    alike = difflib.get_close_matches(unknown, known, n=1, cutoff=0)
    return f"the nearest known key is '{alike[0]}'; known here: {', '.join(known)}"


def asked(error) -> str:
    """What the schema asks for in place of a wrong value."""
    number = error.validator == "type" and error.validator_value in ("number", "integer")
    if number and isinstance(error.instance, str):
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
