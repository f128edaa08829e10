"""Stage draw_audit: the draws of all epochs, checked row by row and compared with the corpus."""

import argparse
from pathlib import Path

from rnalm import errors, files, provenance
from rnalm.corpus import draw_audit


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--clusters", required=True, type=Path, help="manifest of cluster")
    parser.add_argument("--excluded", type=Path, help="manifest of exclude: sequences that must not be drawn")
    parser.add_argument("--validation", required=True, type=Path, help="manifest of hold_out")
    parser.add_argument("--epochs", required=True, type=Path, nargs="+", help="manifests of draw, in order")
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    inputs = [path for path in (a.sequences, a.clusters, a.excluded, a.validation) if path] + a.epochs
    with provenance.stage("draw_audit", a.manifest, inputs, {}) as record:
        corpus = draw_audit.load(a.sequences, a.clusters, a.excluded)
        tables, record.counts = draw_audit.audit(corpus, a.validation, a.epochs)
        for name, table in tables.items():
            record.outputs.append(a.manifest.parent / f"{name}.csv")
            files.write_text(record.outputs[-1], table.write_csv())


if __name__ == "__main__":
    main()
