"""Training order of a clustered corpus: one member of every cluster per epoch, some clusters held out.

Leaves DIR/draws/validation and DIR/draws/epoch-000, ... with shards (row, digest, cluster, sequence, crop_start,
is_fragment) and a manifest each. Rows depend on the seed, the epoch and the cluster alone.
"""

from pathlib import Path


def add(command) -> None:
    command.add_argument("corpus", type=Path, metavar="DIR", help="folder of `rnalm corpus`, after `rnalm cluster`")
    command.add_argument("--epochs", type=int, required=True)
    command.add_argument("--seed", type=int, required=True)
    command.add_argument("--validation-fraction", type=float, default=0.001, help="of the clusters (default: 0.001)")
    command.add_argument("--crop", type=int, default=1022, help="longest sequence, nt (default: 1022)")
    command.add_argument("--rows-per-shard", type=int, default=100_000, help="(default: 100000)")


def run(arguments) -> None:
    from rnalm import provenance
    from rnalm.corpus import draws

    sequences, clusters = arguments.corpus / "manifest.json", arguments.corpus / "clusters.manifest.json"
    shared = {name: getattr(arguments, name) for name in ("seed", "validation_fraction")}
    for epoch in (draws.VALIDATION, *range(arguments.epochs)):
        stage, name = ("draw", f"epoch-{epoch:03d}") if isinstance(epoch, int) else ("hold_out", epoch)
        folder = arguments.corpus / "draws" / name
        settings = {**shared, "epoch": epoch, "crop": arguments.crop, "rows_per_shard": arguments.rows_per_shard}
        with provenance.stage(stage, folder / "manifest.json", [sequences, clusters], settings) as record:
            draws.make(record, sequences, clusters, None, settings, folder)
        print(f"{folder}: {record.counts['rows']:,} rows")
