"""The lock of releases, config/releases.lock.yaml: which files a release of a source has, and where they lie.

A release names its files, or listings: files of the database itself from which `listings` knows the other ones
(a table of species, the volumes of a BLAST database). The keys stand in workflow/schemas/release.schema.yaml.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from rnalm import config
from rnalm.errors import InputError


@dataclass(frozen=True)
class File:
    """One file of a release; what is not known is None and not checked.

    path:     where it lies, relative to the base URL and to resources/{source}/{release}/
    format:   fasta, stockholm, genbank, blastdb (its path is the database's name), table, archive, or
              blast_part: a file of a BLAST database, or an archive of such files, which is unpacked
    use:      corpus (normalise reads it), task, listing, or part (of a database)
    bytes, sha256: pinned size and hash
    md5_url:  the MD5 file the source publishes, relative to the base URL
    bsd_sum:  (sum, blocks) that the source publishes, as the classic `sum` prints them
    records_url: release notes that say how many records there are at most, relative to the base URL
    rna_type: of every record in it
    url:      where the file lies if not at the lock's base URL
    select:   the set of rules of resources/nt_rules.yaml that takes its non-coding RNAs
    lists, only: how a listing is read (`listings.READERS`), and patterns of the names that are taken from it
    """

    path: str
    format: str
    use: str
    bytes: int | None = None
    sha256: str | None = None
    md5_url: str | None = None
    bsd_sum: tuple[int, int] | None = None
    records_url: str | None = None
    rna_type: str | None = None
    url: str | None = None
    select: str | None = None
    lists: str | None = None
    only: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Release:
    """One release of a source.

    version:  what the database itself calls it, where the release's name says more; None: the name
    newest:   addresses, relative to the base URL, of which the first that answers says what is newest
    database: whose headers its records have; None: the source's
    """

    base_url: str
    note: str
    licence: str
    files: tuple[File, ...]
    version: str | None = None
    newest: tuple[str, ...] = ()
    database: str | None = None


def load_lock(lock) -> dict[str, dict[str, Release]]:
    """{source: {release: its entry}}, in the lock's order; InputError if anything in it is wrong."""
    found = {}
    for source, releases in config.read(lock).items():
        if not isinstance(releases, dict):
            raise InputError(f"{lock}, {source}", "has no releases", "write it as a mapping, as in the shipped lock")
        found[source] = {str(name): parse(lock, source, str(name), entry) for name, entry in releases.items()}
    return found


def load_release(lock, source: str, release: str) -> Release:
    """One release of the lock; InputError if it has none of this name, or anything in it is wrong."""
    return parse(lock, source, release, find(lock, source, release))


def find(lock, source: str, release: str):
    """What the lock says of a release, unchecked; InputError names the nearest known source or release."""
    return pick(lock, pick(lock, config.read(lock), "source", source), f"release of {source}", release)


def parse(lock, source: str, release: str, entry) -> Release:
    where = f"{lock}, {source} {release}"
    if not isinstance(entry, dict):
        raise InputError(where, "has no keys", "write it as a mapping, as the other releases")
    entry = {"version": release} | config.check(entry, where, "release")
    files = [File(**file | {"only": tuple(file.get("only", File.only))}) for file in entry["files"]]
    return Release(**entry | {"files": tuple(files), "newest": tuple(entry.get("newest", ()))})


def pick(lock, choices, kind: str, name: str):
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
