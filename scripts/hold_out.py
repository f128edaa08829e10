"""Stage hold_out: one member of every cluster that validation keeps from training."""

import argparse
from pathlib import Path

from rnalm import errors, provenance
from rnalm.corpus import draws


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--clusters", required=True, type=Path, help="manifest of cluster")
    parser.add_argument("--excluded", type=Path, help="manifest of exclude: sequences that are not drawn")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--validation-fraction", required=True, type=float, help="expected fraction of the clusters")
    parser.add_argument("--crop", required=True, type=int, help="longest sequence, nt")
    parser.add_argument("--rows-per-shard", required=True, type=int)
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    parameters = {
        "seed": a.seed,
        "validation_fraction": a.validation_fraction,
        "epoch": draws.VALIDATION,
        "crop": a.crop,
        "rows_per_shard": a.rows_per_shard,
    }
    inputs = [path for path in (a.sequences, a.clusters, a.excluded) if path]
    with provenance.stage("hold_out", a.manifest, inputs, parameters) as record:
        draws.make(record, a.sequences, a.clusters, a.excluded, parameters, a.manifest.parent)


if __name__ == "__main__":
    main()
