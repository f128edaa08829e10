"""Re-hash every file that manifests name.

Exit code 1 if a file that a stage made is missing, or any file differs. Inputs that are not here, as when a folder was
copied without them, are only named.
"""

from pathlib import Path

from rnalm.errors import InputError
from rnalm.provenance import inputs, load, verify


def add(command) -> None:
    command.add_argument("manifests", type=Path, nargs="+", help="manifest files, or folders to look for them in")


def run(arguments) -> None:
    manifests = []
    for path in arguments.manifests:
        if path.is_file() and path.suffix != ".json":
            raise InputError(path, "is no manifest", "name manifests, or the folder of a run")
        manifests += sorted(path.rglob("*manifest.json")) if path.is_dir() else [path]
    if not manifests:
        raise InputError(arguments.manifests[0], "holds no manifest", "name a run's folder, such as results/demo")
    wrong, absent = [], []
    for manifest in manifests:
        folder = run_folder(manifest)
        wrong += verify(manifest, folder)
        gone = [path for path, _ in inputs(manifest, folder) if not path.is_file()]
        absent += [f"{path}: not here, read for {manifest}" for path in gone]
    found = f"{len(manifests)} manifests, {len(wrong)} files missing or changed"
    print("\n".join([*absent, *wrong, found + (f", {len(absent)} inputs not here" if absent else "")]))
    if wrong:
        raise SystemExit(1)


def run_folder(manifest: Path) -> Path:
    """The folder a run was started in, which inputs are relative to: the nearest above `manifest` that holds them.

    Of several the one that holds most of them, as files may be missing; the working directory where none holds any.
    """
    relative = [path for item in load(manifest).get("inputs", []) if not (path := Path(item["path"])).is_absolute()]

    def found(folder: Path) -> int:
        return sum((folder / path).is_file() for path in relative)

    best = max(manifest.absolute().parents, key=found)
    return best if found(best) else Path.cwd()
