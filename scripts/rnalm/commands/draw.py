"""A clustered corpus -> what each epoch reads, as in the workflow; continues from `rnalm cluster`.

Leaves DIR/draws/validation and DIR/draws/epoch-000, epoch-001, ...: one sequence of every held-out cluster, and one of
every other cluster per epoch, in training order. Of few clusters none may be held out; then there is no validation.
"""

import shutil
from pathlib import Path

from rnalm.errors import InputError


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

    from rnalm import files, provenance
    from rnalm.corpus import draws

    folder = arguments.folder
    sequences, clusters = folder / "manifest.json", folder / "clusters.manifest.json"
    made_from = [item["sha256"] for item in provenance.load(clusters)["inputs"]]
    if sequences.is_file() and files.sha256(sequences) not in made_from:
        raise InputError(clusters, "was made from other sequences", f"run `rnalm cluster {folder}` again")
    names = ("seed", "validation_fraction", "crop", "rows_per_shard")
    shutil.rmtree(folder / "draws" / draws.VALIDATION, ignore_errors=True)
    held_out = draws.side(draws.members(clusters), arguments.seed, arguments.validation_fraction, draws.VALIDATION)
    validation = [] if held_out.head(1).collect().is_empty() else [draws.VALIDATION]
    for epoch in (*validation, *range(arguments.epochs)):
        stage, name = ("hold_out", epoch) if epoch == draws.VALIDATION else ("draw", f"epoch-{epoch:03d}")
        settings = {name: getattr(arguments, name) for name in names} | {"epoch": epoch}
        output = folder / "draws" / name
        with provenance.stage(stage, output / "manifest.json", [sequences, clusters], settings) as record:
            draws.make(record, sequences, clusters, None, settings, output)
        print(f"{output}: {record.counts['rows']:,} sequences, {record.counts['nucleotides']:,} nt")
