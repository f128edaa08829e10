"""A clustered corpus -> what each epoch reads, as in the workflow; continues from `rnalm cluster`.

Leaves DIR/draws/validation and DIR/draws/epoch-000, epoch-001, ...: one sequence of every held-out cluster, and one of
every other cluster per epoch, in training order. Of few clusters none may be held out; then there is no validation.
Draws of another seed, other settings or other clusters that are there are removed first; epochs of the same stay.
"""

import shutil
from pathlib import Path

from rnalm.commands import folders
from rnalm.errors import InputError

NAMES = ("seed", "validation_fraction", "crop", "rows_per_shard")


def add(command) -> None:
    command.add_argument("folder", metavar="DIR", type=Path, help="what `rnalm corpus` and `rnalm cluster` left")
    command.add_argument("--epochs", type=int, required=True, help="how many, from 1")
    command.add_argument("--seed", type=int, required=True, help="of the hold-out, the draws, orders and crops")
    command.add_argument(
        "--validation-fraction", type=float, default=0.01, help="of the clusters, held out (default: 0.01)"
    )
    command.add_argument("--crop", type=int, default=1022, help="longest sequence, nt (default: 1022)")
    command.add_argument("--rows-per-shard", type=int, default=100_000, help="sequences per file (default: 100000)")


def run(arguments) -> None:
    for option in ("epochs", "crop", "rows_per_shard"):
        if getattr(arguments, option) < 1:
            raise InputError(f"--{option.replace('_', '-')}", "is below 1", "ask for at least 1")
    if arguments.seed < 0:
        raise InputError("--seed", "is below 0", "give a whole number from 0")
    if not 0 <= arguments.validation_fraction < 1:
        raise InputError("--validation-fraction", "is no part of the clusters", "give a number from 0 to below 1")

    from rnalm import files, provenance
    from rnalm.corpus import draws

    folder = arguments.folder
    sequences, clusters = folders.manifest_of(folder), folder / "clusters.manifest.json"
    if not clusters.is_file():
        raise InputError(clusters, "does not exist", f"run `rnalm cluster {folder}` first")
    hashes = [files.sha256(sequences), files.sha256(clusters)]
    if hashes[0] not in [item["sha256"] for item in provenance.load(clusters).get("inputs", [])]:
        raise InputError(clusters, "was made from other sequences", f"run `rnalm cluster {folder}` again")
    settings = {name: getattr(arguments, name) for name in NAMES}
    remove_others(folder / "draws", settings, hashes)
    held_out = draws.side(draws.members(clusters), arguments.seed, arguments.validation_fraction, draws.VALIDATION)
    validation = [] if held_out.head(1).collect().is_empty() else [draws.VALIDATION]
    if not validation:
        shutil.rmtree(folder / "draws" / draws.VALIDATION, ignore_errors=True)
    for epoch in (*validation, *range(arguments.epochs)):
        stage, name = ("hold_out", epoch) if epoch == draws.VALIDATION else ("draw", f"epoch-{epoch:03d}")
        of_epoch, output = settings | {"epoch": epoch}, folder / "draws" / name
        with provenance.stage(stage, output / "manifest.json", [sequences, clusters], of_epoch) as record:
            draws.make(record, sequences, clusters, None, of_epoch, output)
        print(f"{output}: {record.counts['rows']:,} sequences, {record.counts['nucleotides']:,} nt")


def remove_others(folder: Path, settings: dict, hashes: list[str]) -> None:
    """Remove what was drawn with other settings or from inputs of other hashes: two draws must not be mixed."""
    from rnalm import provenance

    for manifest in folder.glob("*/manifest.json"):
        content = provenance.load(manifest)
        same_settings = settings.items() <= content.get("parameters", {}).items()
        if not same_settings or [item["sha256"] for item in content.get("inputs", [])] != hashes:
            shutil.rmtree(manifest.parent)
