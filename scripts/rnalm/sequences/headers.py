"""What the header of a FASTA record says: the RNA type in each source's words, and the title selection of nt."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from rnalm.errors import InputError

RNACENTRAL = re.compile(r"(\S+) from \d+ species")
# The transcript's biotype before the gene's; Ensembl Genomes wrote `ncrna:miRNA` before 2016.
ENSEMBL = (
    re.compile(r"transcript_biotype:(\S+)"),
    re.compile(r"gene_biotype:(\S+)"),
    re.compile(r"^ncrna:([^\s:]+)"),
)


def rnacentral_type(description: str) -> str | None:
    """`rRNA from 13 species` -> rRNA; None for species-specific headers, whose text is free."""
    found = RNACENTRAL.fullmatch(description)
    return found[1] if found else None


def ensembl_type(description: str) -> str | None:
    """`ncrna chromosome:... gene_biotype:snoRNA transcript_biotype:snoRNA ...` -> snoRNA."""
    found = (pattern.search(description) for pattern in ENSEMBL)
    return next((match[1] for match in found if match), None)


def no_type(description: str) -> None:
    """Rfam's and nt's headers name no type."""


def type_reader(source: str) -> Callable[[str], str | None]:
    return {"rnacentral": rnacentral_type, "ensembl": ensembl_type}.get(source, no_type)


@dataclass(frozen=True)
class TitleRule:
    """nt's selection: titles that match `keep` and not `veto`, records of at most `max_length` nt."""

    keep: re.Pattern
    veto: re.Pattern
    max_length: int

    def accepts(self, title: str) -> bool:
        return bool(self.keep.search(title)) and not self.veto.search(title)


def load_title_rule(path) -> TitleRule:
    try:
        with open(path, encoding="utf-8") as handle:
            content = next(rule for rule in yaml.safe_load(handle)["nt_titles"] if rule["name"] == "title")
        patterns = {
            name: re.compile(content[key], re.IGNORECASE) for name, key in (("keep", "title"), ("veto", "veto"))
        }
        return TitleRule(**patterns, max_length=int(content["max_length"]))
    except FileNotFoundError:
        raise InputError(path, "does not exist", "it selects nt's records; restore it") from None
    except (KeyError, TypeError, ValueError, re.error, yaml.YAMLError) as error:
        problem = f"is no title rule ({type(error).__name__}: {error})"
        raise InputError(path, problem, "give keep, veto and max_length") from error
