"""Make a conda channel of empty packages, so that environments are solved and installed without a network."""

import asyncio
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

from rattler import index

# conda's python starts the interpreter of the tests.
PYTHON = {"bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'}


def make(root: Path, packages: dict[str, str]) -> None:
    """Write the channel: {package: version}, plus python and pip."""
    package(root, "python", "3.11.9", "linux-64", PYTHON)
    package(root, "pip", "26.0", "noarch", {})
    for name, version in packages.items():
        package(root, name, version, "noarch", {f"share/{name}": version})
    asyncio.run(index.index_fs(root))


def package(root: Path, name: str, version: str, subdir: str, files: dict[str, str]) -> None:
    path = root / subdir / f"{name}-{version}-0.tar.bz2"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "subdir": subdir}
    entries = [
        {
            "_path": file,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "size_in_bytes": len(text.encode()),
        }
        for file, text in files.items()
    ]
    members = {
        **files,
        "info/index.json": json.dumps(about | ({"noarch": "generic"} if subdir == "noarch" else {})),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": entries}),
        "info/files": "".join(f"{file}\n" for file in files),
        "info/about.json": "{}",
    }
    with tarfile.open(path, "w:bz2") as archive:
        for file, text in members.items():
            info = tarfile.TarInfo(file)
            info.size, info.mode = len(text.encode()), 0o755 if file.startswith("bin/") else 0o644
            archive.addfile(info, io.BytesIO(text.encode()))
