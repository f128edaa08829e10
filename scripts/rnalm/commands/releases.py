"""Print the pinned releases against the newest ones; pin a newer one.

Servers that do not answer are named; the exit code is 1 only if none of them does.
"""

import json
from pathlib import Path

LOCK = Path("config/releases.lock.yaml")


def add(command) -> None:
    command.add_argument("--json", action="store_true", help="machine-readable: a list of objects")
    command.add_argument("--lock", type=Path, default=LOCK, help=f"the lock of releases (default: {LOCK})")
    command.add_argument("--pin", metavar="SOURCE", help="add an entry for the newest release of a source to the lock")


def run(arguments) -> None:
    from rnalm.sequences import newest

    if arguments.pin:
        names = newest.pin(arguments.lock, arguments.pin)
        print("\n".join(f"{arguments.lock}: {arguments.pin} {name} added" for name in names) or "nothing is newer")
        return
    found = newest.standings(arguments.lock)
    if arguments.json:
        print(json.dumps([standing.content() for standing in found], indent=2))
    else:
        print(table([("source", "pinned", "newest", ""), *map(row, found)]))
    if found and all(standing.newest is None for standing in found):
        raise SystemExit(1)


def row(standing) -> tuple[str, ...]:
    return standing.source, standing.pinned, standing.newest or "?", standing.problem or standing.state


def table(rows: list[tuple[str, ...]]) -> str:
    """Lines of aligned columns; the last one is as wide as its text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows)
