"""Stage deduplicate: the sorted runs of all sources -> unique sequences and the ledger of records."""

import argparse
from pathlib import Path

import polars as pl
from rnalm import errors, files, provenance
from rnalm.corpus import deduplication


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--normalised", nargs="+", required=True, help="manifests of normalise, in order of precedence")
    parser.add_argument("--ledger", required=True, type=Path, help="CSV of source, rule, records")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--manifest", required=True, type=Path)
    arguments = parser.parse_args()

    with provenance.stage("deduplicate", arguments.manifest, arguments.normalised, {}) as record:
        sources = [deduplication.read_source(manifest) for manifest in arguments.normalised]
        folder = arguments.manifest.parent
        with files.atomic_directory(folder) as temporary:
            ledger = deduplication.deduplicate(sources, temporary, arguments.threads)
        files.write_text(arguments.ledger, pl.DataFrame(ledger).write_csv())
        record.outputs = sorted(folder.glob("part-*.parquet"))
        record.counts, record.notes["ledger"] = deduplication.totals(ledger), ledger


if __name__ == "__main__":
    main()
