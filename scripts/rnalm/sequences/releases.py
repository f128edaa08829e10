"""The lock of releases, config/releases.lock.yaml: which files a release of a source has."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import yaml

from rnalm.errors import InputError


@dataclass(frozen=True)
class File:
    """One file of a release; what is not known is None and not checked.

    path:     where it lies, relative to the base URL and to resources/{source}/{release}/
    format:   fasta, stockholm or archive
    use:      corpus (normalise reads it) or task
    bytes, sha256: pinned size and hash
    md5_url:  the checksum file the source publishes, relative to the base URL
    rna_type: of every record in it
    url:      where the file lies if not at the lock's base URL
    """

    path: str
    format: str
    use: str
    bytes: int | None = None
    sha256: str | None = None
    md5_url: str | None = None
    rna_type: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Release:
    base_url: str
    note: str
    licence: str
    files: tuple[File, ...]


def load_release(lock, source: str, release: str) -> Release:
    """One release of the lock; InputError names the nearest known source or release."""
    if not Path(lock).is_file():
        raise InputError(lock, "does not exist", "give the lock of releases")
    try:
        content = yaml.safe_load(Path(lock).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(lock, f"is no valid YAML ({error})", "correct it") from error
    entry = _pick(lock, _pick(lock, content, "source", source), f"release of {source}", release)
    try:
        return Release(**{**entry, "files": tuple(File(**file) for file in entry["files"])})
    except (TypeError, KeyError) as error:
        raise InputError(f"{lock}, {source} {release}", f"has wrong keys ({error})", "correct the entry") from error


def _pick(lock, choices, kind: str, name: str):
    if not isinstance(choices, dict):
        raise InputError(lock, f"has no {kind} {name!r}", "write it as a mapping, as in the shipped lock")
    known = {str(key): value for key, value in choices.items()}
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0) or ["none"]
        raise InputError(lock, f"has no {kind} {name!r}", f"the nearest one is {nearest[0]!r}")
    return known[name]


def resolve(release: Release, base_url: str | None, file: File) -> str:
    """The URL of a file: below the given base URL, or else where the lock says."""
    if base_url is None and file.url:
        return file.url
    return join(base_url or release.base_url, file.path)


def join(base_url: str, path: str) -> str:
    return f"{base_url.rstrip('/')}/{path}"


def local_path(url: str) -> Path | None:
    """The path of a file URL, absolute (`file:///data`) or relative to the working directory (`file:data`)."""
    if not url.startswith("file:"):
        return None
    return Path(unquote(url.removeprefix("file://").removeprefix("file:")))
