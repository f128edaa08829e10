"""Stage exclude: sequences of the corpus that resemble benchmark items too much to train on."""

import argparse
import json
from pathlib import Path

import polars as pl
from rnalm import errors, files, provenance
from rnalm.corpus import exclusion, partitions


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--leakage", required=True, nargs="+", type=Path, help="manifests of leakage, of the named tasks"
    )
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--clusters", required=True, type=Path, help="manifest of cluster")
    parser.add_argument("--ledger", required=True, type=Path, help="ledger.csv of deduplicate")
    parser.add_argument("--settings", required=True, type=json.loads, help="JSON: sets, identity, coverage, scope")
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    folder = a.manifest.parent
    inputs = [*a.leakage, a.sequences, a.clusters, a.ledger]
    with provenance.stage("exclude", a.manifest, inputs, a.settings) as record:
        audits = {provenance.load(manifest)["parameters"]["task"]: manifest for manifest in a.leakage}
        clusters = pl.scan_parquet(provenance.outputs(a.clusters, ".parquet")).select("digest", "cluster")
        excluded = exclusion.exclude(audits, clusters, **a.settings)
        with files.atomic(folder / "excluded.parquet") as temporary:
            partitions.write(excluded, temporary)
        sequences = provenance.outputs(a.sequences, ".parquet")
        ledger = exclusion.without(pl.read_csv(a.ledger), excluded, sequences)
        files.write_text(folder / "ledger.csv", ledger.write_csv())
        record.outputs = [folder / "excluded.parquet", folder / "ledger.csv"]
        record.counts = exclusion.counts(excluded, clusters)


if __name__ == "__main__":
    main()
