"""What is pinned in the lock against what the databases have now, and how a newer release gets into the lock.

A release with `newest` names the addresses that say which one is the newest; releases with the same address are one
line of releases, of which the highest pinned one is compared. A new one is made from its entry in the lock, as text, so
that comments stay and the difference is the new entry alone: its version replaced wherever it stands, without sizes,
hashes and the note, which are of the old files.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urljoin

import yaml

from rnalm import files
from rnalm.errors import InputError
from rnalm.sequences.releases import Release, load_lock, local_path
from rnalm.sequences.transfer import CONNECTIONS, Client

# How a database's own text names the release.
VERSIONS = {
    "rnacentral": r"RNAcentral Release\s+(\d+(?:\.\d+)?)",
    "rfam": r"Release\s+(\d+\.\d+)",
    # pub/VERSION is a number; the REST server answers {"releases":[115]} or {"version":"62"}.
    "ensembl": r'\A\s*(?:\{"(?:releases|version)":\s*\[?"?)?(\d+)\D*\Z',
    "nt": r'"last-updated":\s*"(\d{4}-\d\d-\d\d)',
    # Folders of one assembly's versions.
    "refseq": r"\b(GCF_\d{9}\.\d+_[\w.-]+)/",
}
ATTEMPTS = 2
OF_FILES = re.compile(r"\s*(bytes|sha256):")


@dataclass(frozen=True)
class Standing:
    """A line of releases: the pinned one and its version, the newest version or None, and why that is not known."""

    source: str
    pinned: str
    version: str
    newest: str | None
    address: str
    problem: str | None

    @property
    def state(self) -> str:
        if self.newest is None:
            return "unknown"
        return "behind" if order(self.newest) > order(self.version) else "newest"

    def content(self) -> dict:
        return asdict(self) | {"state": self.state}


def standings(lock) -> list[Standing]:
    """How every line of releases stands, in the lock's order. A server that is not reached is no error."""
    client, pinned = Client(), {}
    for source, releases in load_lock(lock).items():
        watched = [(source, name, release) for name, release in releases.items() if release.newest]
        for line in sorted(watched, key=lambda line: order(line[2].version)):
            pinned[source, addresses(line[2])] = line
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(lambda line: standing(client, *line), pinned.values()))


def addresses(release: Release) -> tuple[str, ...]:
    return tuple(urljoin(f"{release.base_url}/", address) for address in release.newest)


def standing(client: Client, source: str, name: str, release: Release) -> Standing:
    """Ask the addresses in order, until one names a version."""
    pattern, problems = VERSIONS[release.database or source], []
    for address in addresses(release):
        try:
            text = (content(client, address) or b"").decode("utf-8", errors="replace")
        except InputError as error:
            problems.append(str(error))
            continue
        if found := re.findall(pattern, text):
            newest = max(found, key=order)
            # RNAcentral's notes say 27, its folder is 27.0.
            newest += ".0" * (release.version.count(".") - newest.count("."))
            return Standing(source, name, release.version, newest, address, None)
        problems.append(f"{address}: names no version")
    return Standing(source, name, release.version, None, addresses(release)[0], "; ".join(problems))


def content(client: Client, address: str) -> bytes | None:
    """What stands at an address; of a folder on this machine, its folders, as a server's index has them."""
    here = local_path(address)
    if here and here.is_dir():
        return "".join(f"{path.name}/\n" for path in here.iterdir()).encode()
    return client.read(address, ATTEMPTS)


def order(version: str) -> list[int]:
    return list(map(int, re.findall(r"\d+", version)))


def pin(lock, source: str) -> list[str]:
    """Add entries for the newer releases of a source to the lock; their names. InputError if there is none."""
    found = [standing for standing in standings(lock) if standing.source == source]
    if not found:
        raise InputError(lock, f"has no release of {source!r} with a `newest` address", "name another source")
    behind = [standing for standing in found if standing.state == "behind"]
    unknown = next((standing.problem for standing in found if standing.newest is None), None)
    if not behind and unknown:
        raise InputError(source, f"what is newest is not known ({unknown})", "try again later")
    names = [standing.pinned.replace(standing.version, standing.newest) for standing in behind]
    for standing in behind:
        text = with_newer(Path(lock).read_text(encoding="utf-8"), standing)
        files.write_text(lock, text)
    load_lock(lock)
    return names


def with_newer(text: str, standing: Standing) -> str:
    """The lock's text with an entry for the newest version after the pinned one."""
    releases = values(values(yaml.compose(text))[standing.source][1])
    key, entry = releases[standing.pinned]
    lines, first = text.splitlines(), key.start_mark.line
    last = end(lines, entry)
    note, said = values(entry)["note"]
    inside = range(note.start_mark.line, end(lines, said))
    old = re.compile(rf"(?<![\d.]){re.escape(standing.version)}(?!\d|\.\d)")
    made = [f"{' ' * key.start_mark.column}{quoted(standing.pinned.replace(standing.version, standing.newest))}:"]
    for number in range(first + 1, last):
        if number == inside.start:
            made.append(f"{' ' * note.start_mark.column}note: Made from {standing.pinned} by rnalm releases --pin.")
        elif number not in inside and not OF_FILES.match(lines[number]):
            made.append(old.sub(standing.newest, lines[number]))
    return "\n".join([*lines[:last], "", *made, *lines[last:]]) + "\n"


def values(mapping: yaml.MappingNode) -> dict[str, tuple]:
    """{key: (its node, its value's node)}"""
    return {key.value: (key, value) for key, value in mapping.value}


def end(lines: list[str], node: yaml.Node) -> int:
    """The line after a node's last one; comments and empty lines that follow belong to what comes next."""
    # A block ends where the next token begins, a line later; what is in brackets or quotes ends in its own line.
    block = (node.style if isinstance(node, yaml.ScalarNode) else node.flow_style) in ("|", ">", False)
    after = node.end_mark.line + (not block)
    while not lines[after - 1].strip() or lines[after - 1].lstrip().startswith("#"):
        after -= 1
    return after


def quoted(name: str) -> str:
    return f'"{name}"'
