"""Which installed packages a script needs, found by reading its imports and those of the library modules it reaches."""

import ast
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
# import name -> name of the distribution, where they differ
DISTRIBUTIONS = {
    "Bio": "biopython",
    "RNA": "ViennaRNA",
    "google": "protobuf",
    "sklearn": "scikit-learn",
    "tensorboard": "tensorboard",
    "vl_convert": "vl-convert-python",
    "yaml": "PyYAML",
}


def distributions(script: Path) -> set[str]:
    """Names of the distributions outside the standard library that a script imports, directly or through rnalm."""
    seen, waiting, found = set(), [script], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported(path):
            if name.split(".")[0] == "rnalm":
                waiting += modules(name)
            elif (top := name.split(".")[0]) not in sys.stdlib_module_names:
                found.add(DISTRIBUTIONS.get(top, top))
    return found


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports; those inside functions count, except in rnalm's own `load`."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if path == SCRIPTS / "rnalm" / "__init__.py" else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules(name: str) -> list[Path]:
    """Files that importing a dotted name of rnalm runs: each package on the way and the module."""
    parts, files = name.split("."), []
    for end in range(1, len(parts) + 1):
        place = SCRIPTS.joinpath(*parts[:end])
        files += [file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]
    return files
