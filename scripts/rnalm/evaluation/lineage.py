"""The stages behind a set of manifests: their ancestors by inputs, grouped by stage in running order."""

from dataclasses import dataclass
from pathlib import Path

from rnalm import provenance


@dataclass
class StageGroup:
    """All runs of one stage; seconds are summed, memory is the largest (bytes)."""

    name: str
    runs: list[dict]
    wall_seconds: float
    peak_memory_bytes: int
    files: int
    output_bytes: int
    commits: list[str]


def ancestors(manifests) -> list[tuple[str, dict]]:
    """(path, content) of the manifests and of all manifests before them, every one after its inputs.

    Manifests named as inputs that are no longer there are left out: a run may outlive its downloads.
    """
    order, seen = [], set()

    def visit(path: Path) -> None:
        if path.resolve() in seen:
            return
        seen.add(path.resolve())
        content = provenance.load(path)
        for item in content["inputs"]:
            before = Path(item["path"])
            if before.name.endswith("manifest.json") and before.is_file():
                visit(before)
        order.append((str(path), content))

    for manifest in manifests:
        visit(Path(manifest))
    return order


def grouped(order) -> list[StageGroup]:
    """Runs of the same stage together, in the order in which the stages first ran."""
    by_name: dict[str, list] = {}
    for path, content in order:
        by_name.setdefault(content["stage"], []).append({"path": path, **content})
    return [
        StageGroup(
            name,
            runs,
            sum(run["wall_seconds"] for run in runs),
            max(run["peak_memory_bytes"] for run in runs),
            sum(len(run["outputs"]) for run in runs),
            sum(item["bytes"] for run in runs for item in run["outputs"]),
            sorted({run["commit"] or "not in git" for run in runs}),
        )
        for name, runs in by_name.items()
    ]


def versions(order) -> dict[str, str]:
    """Package -> the version or versions the stages ran with."""
    found: dict[str, set] = {}
    for _, content in order:
        for package, version in content["versions"].items():
            found.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(values)) for package, values in found.items()}
