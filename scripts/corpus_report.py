"""Stage corpus_report: one HTML page about a corpus, from its sources to its draws; it opens offline."""

import argparse
from pathlib import Path

from rnalm import errors, files, provenance
from rnalm.evaluation import corpus_page


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="name of the corpus")
    parser.add_argument("--normalised", nargs="+", required=True, type=Path, help="manifests of normalise")
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--clusters", required=True, type=Path, help="manifest of cluster")
    parser.add_argument("--ledger", required=True, type=Path, help="CSV of source, rule, records")
    parser.add_argument("--leakage", nargs="*", default=[], type=Path, help="manifests of leakage")
    parser.add_argument("--excluded", type=Path, help="manifest of exclude")
    parser.add_argument("--delta", nargs="?", type=Path, help="manifest of delta")
    parser.add_argument("--audit", required=True, type=Path, help="manifest of draw_audit")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest to write; index.html goes beside it")
    given = vars(parser.parse_args())

    manifest = given.pop("manifest")
    sources = corpus_page.Sources(**given)
    inputs = [*sources.manifests, sources.ledger]
    with provenance.stage("corpus_report", manifest, inputs, {"corpus": sources.corpus}) as record:
        page = manifest.parent / "index.html"
        files.write_text(page, corpus_page.build(sources))
        record.outputs = [page]
        record.counts = {"bytes": page.stat().st_size}


if __name__ == "__main__":
    main()
