"""Which records of a source are taken: named sets of rules, data in resources/nt_rules.yaml, which explains them.

The first rule all of whose conditions hold decides on a record. Conditions are polars expressions, so that a
table of records is decided at once. A condition on something that is not known of a record does not hold.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rnalm.errors import InputError
from rnalm.sequences.compression import BROKEN, broken, open_text

NOT_SELECTED = "not_selected"
EXAMPLES = 3
TITLE = 120  # letters of a title in an example


@dataclass(frozen=True)
class Rule:
    """keeps: whether its records are kept; holds: the boolean expression over a table of records."""

    name: str
    keeps: bool
    holds: pl.Expr


@dataclass(frozen=True)
class Selection:
    """One set of rules.

    files: what it was read from, the rules and the lists they name: inputs of the stage that uses it
    """

    name: str
    rules: tuple[Rule, ...]
    files: tuple[Path, ...]

    def apply(self, records: pl.DataFrame) -> pl.DataFrame:
        """The decision on each record: columns `rule` (the deciding rule, or `not_selected`) and `kept`, no nulls.

        records: columns accession, description, taxid, molecule_type (what `headers.parse` gives) and length, nt
        """
        choice = pl.when(False).then(0)
        for number, rule in enumerate(self.rules):
            choice = choice.when(rule.holds).then(number)
        first = records.select(choice.otherwise(len(self.rules)).alias("rule"))["rule"]
        names = [*(rule.name for rule in self.rules), NOT_SELECTED]
        kept = [*(rule.keeps for rule in self.rules), False]
        return pl.DataFrame({"rule": pl.Series(names).gather(first), "kept": pl.Series(kept).gather(first)})


class Tally:
    """How many records each rule of a selection decided, and the first of them in reading order."""

    def __init__(self, selection: Selection):
        verdicts = {rule.name: rule.keeps for rule in selection.rules} | {NOT_SELECTED: False}
        self.verdicts = {name: "kept" if keeps else "rejected" for name, keeps in verdicts.items()}
        self.counts = dict.fromkeys(self.verdicts, 0)
        self.examples = {name: [] for name in self.verdicts}

    def add(self, records: pl.DataFrame, decisions: pl.DataFrame) -> None:
        """Count the next records in reading order; decisions: what `Selection.apply` gave for them."""
        title = pl.col("description").str.slice(0, TITLE)
        shown = pl.format("{} {} ({} nt)", "accession", title, "length")
        found = decisions.lazy().select("rule", records.select(shown.alias("example"))["example"])
        of_rules = found.group_by("rule", maintain_order=True).agg(pl.len(), pl.col("example").head(EXAMPLES))
        for name, count, examples in of_rules.collect().iter_rows():
            self.counts[name] += count
            self.examples[name] += examples[: EXAMPLES - len(self.examples[name])]

    def merge(self, later: "Tally") -> None:
        """Add the tally of records that come after these, of the same selection."""
        for name, count in later.counts.items():
            self.counts[name] += count
            self.examples[name] += later.examples[name][: EXAMPLES - len(self.examples[name])]

    def notes(self) -> dict[str, dict]:
        """{rule: {kept or rejected: count, examples: [...]}}, rules in their order, `not_selected` last."""
        return {
            name: {verdict: self.counts[name], "examples": self.examples[name]}
            for name, verdict in self.verdicts.items()
        }


def load(path, name: str) -> Selection:
    """The set of rules `name` of a file.

    InputError: no such file or set; a key, value, pattern or list in a rule that is wrong
    """
    from rnalm import config  # with all that checks settings: not needed where nothing is selected

    sets = config.read(path)
    if name not in sets:
        raise InputError(path, f"has no set of rules {name!r}", config.nearest(name, sorted(map(str, sets))))
    if not isinstance(sets[name], list) or not all(isinstance(rule, dict) for rule in sets[name]):
        raise InputError(f"{path}, {name}", "is no list of rules", "start each rule with '- name: ...'")
    rules, files = [], [Path(path)]
    for number, settings in enumerate(sets[name], 1):
        where = f"{path}, {name}, rule {settings.get('name', number)}"
        config.check(settings, where, "selection_rule")
        if settings["name"] in [NOT_SELECTED, *(rule.name for rule in rules)]:
            raise InputError(where, "has a name that is taken", "give each rule of a set a name of its own")
        lists = {key: Path(path).parent / settings[key] for key in LISTS if key in settings}
        check_patterns(settings, where)
        values = settings | {key: LISTS[key](file) for key, file in lists.items()}
        conditions = [holds(values[key]) for key, holds in CONDITIONS.items() if key in values]
        rules.append(Rule(settings["name"], settings["decision"] == "keep", all_of(conditions)))
        files += lists.values()
    return Selection(name, tuple(rules), tuple(files))


def check_patterns(settings: dict, where) -> None:
    for key in settings.keys() & {"title", "veto"}:
        try:
            pl.Series([""]).str.contains(settings[key])
        except pl.exceptions.ComputeError as error:
            problem = f"key {key!r} is no regular expression ({str(error).splitlines()[-1]})"
            raise InputError(where, problem, "correct it; look-around is not known") from error


def read_list(file: Path) -> list[str]:
    """The first words of a file's lines; `#` starts a comment."""
    try:
        with open_text(file) as handle:
            lines = (line.partition("#")[0].split() for line in handle)
            words = [words[0] for words in lines if words]
    except BROKEN as error:
        raise broken(file, "its list cannot be read to the end", error) from error
    if not words:
        raise InputError(file, "lists nothing", "write one entry a line")
    return words


def read_taxids(file: Path) -> list[int]:
    words = read_list(file)
    for word in words:
        if not re.fullmatch(r"[1-9][0-9]{0,9}", word):
            raise InputError(file, f"holds {word!r}, which is no taxonomy id", "correct the list")
    return list(map(int, words))


def all_of(conditions: list[pl.Expr]) -> pl.Expr:
    return pl.all_horizontal(conditions).fill_null(False) if conditions else pl.lit(True)


def has_prefix(prefixes: list[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col("accession").str.starts_with(prefix) for prefix in prefixes)


def is_listed(accessions: list[str]) -> pl.Expr:
    listed = pl.Series(accessions).implode()
    return pl.col("accession").is_in(listed) | pl.col("accession").str.replace(r"\.\d+$", "").is_in(listed)


def matches(pattern: str) -> pl.Expr:
    return pl.col("description").str.contains(f"(?i){pattern}")


# What a key of a rule demands of a record, given the key's value; of a list, what stands in its file.
CONDITIONS = {
    "accession_prefixes": has_prefix,
    "accession_list": is_listed,
    "title": matches,
    "veto": lambda pattern: ~matches(pattern),
    "min_length": lambda length: pl.col("length") >= length,
    "max_length": lambda length: pl.col("length") <= length,
    "taxids": lambda taxids: pl.col("taxid").is_in(taxids),
    "taxid_list": lambda taxids: pl.col("taxid").is_in(taxids),
    "molecule_types": lambda types: pl.col("molecule_type").is_in(types),
}
LISTS = {"accession_list": read_list, "taxid_list": read_taxids}
