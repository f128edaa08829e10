"""Build the report of a run, one HTML page that opens offline, beside its manifest."""

import argparse
from pathlib import Path

from rnalm import errors, files, provenance
from rnalm.evaluation import report


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--corpus-directory", type=Path, required=True, help="results/corpus/{corpus}")
    parser.add_argument("--collected", type=Path, required=True, help="manifest of collect")
    parser.add_argument("--pretrain", type=Path, required=True, help="manifest of the last pre-training segment")
    parser.add_argument("--model", type=Path, required=True, help="manifest of the exported model")
    parser.add_argument("--atlas", type=Path, required=True, help="manifest of atlas")
    parser.add_argument("--interpretation", type=Path, required=True, help="manifest of interpret")
    parser.add_argument("--evaluations", type=Path, nargs="+", required=True, help="manifests of evaluate and baseline")
    parser.add_argument("--published", type=Path, nargs="+", required=True, help="CSV files of published numbers")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest to write; index.html goes beside it")
    return parser.parse_args()


@errors.exits
def main() -> None:
    given = vars(arguments())
    manifest = given.pop("manifest")
    sources = report.Sources(**given)
    with provenance.stage("report", manifest, [*sources.manifests, *sources.published], {"run": sources.run}) as record:
        page = manifest.parent / "index.html"
        files.write_text(page, report.build(sources))
        record.outputs = [page]
        record.counts = {"bytes": page.stat().st_size}


if __name__ == "__main__":
    main()
