"""Stage collect: the metrics of all evaluations in one table, and the corpus ledger beside it."""

import argparse
from pathlib import Path

import polars as pl
from rnalm import errors, files, provenance


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", nargs="+", required=True, help="manifests of evaluate and baseline")
    parser.add_argument("--ledger", required=True, type=Path)
    parser.add_argument("--run-directory", required=True, type=Path)
    parser.add_argument("--manifest", required=True, type=Path)
    arguments = parser.parse_args()

    inputs = [*arguments.evaluations, arguments.ledger]
    with provenance.stage("collect", arguments.manifest, inputs, {}) as record:
        tables = [
            pl.read_csv(path, schema_overrides={"value": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64})
            for manifest in arguments.evaluations
            for path in provenance.outputs(manifest, "metrics.csv")
        ]
        metrics, ledger = arguments.run_directory / "metrics.csv", arguments.run_directory / "ledger.csv"
        files.write_text(metrics, pl.concat(tables).write_csv())
        files.write_text(ledger, arguments.ledger.read_text(encoding="utf-8"))
        record.outputs = [metrics, ledger]
        record.counts["evaluations"] = len(tables)


if __name__ == "__main__":
    main()
