"""Stage delta: what a corpus changed of the earlier one that it updates, as tables, JSON and one page."""

import argparse
from pathlib import Path

from rnalm import errors, files, provenance
from rnalm.corpus import delta
from rnalm.evaluation import delta_page


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="name of the corpus")
    parser.add_argument("--previous", required=True, help="name of the earlier corpus")
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--previous-sequences", required=True, type=Path)
    parser.add_argument("--clusters", required=True, type=Path, help="manifest of cluster")
    parser.add_argument("--previous-clusters", required=True, type=Path)
    parser.add_argument("--excluded", nargs="?", type=Path, help="manifest of exclude: sequences that are not drawn")
    parser.add_argument("--previous-excluded", nargs="?", type=Path)
    parser.add_argument("--leakage", nargs="*", default=[], type=Path, help="manifests of leakage")
    parser.add_argument("--previous-leakage", nargs="*", default=[], type=Path, help="of the same tasks in that order")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--validation-fraction", required=True, type=float, help="expected fraction of the clusters")
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    before = delta.Corpus(
        a.previous, a.previous_sequences, a.previous_clusters, a.previous_excluded, a.previous_leakage
    )
    after = delta.Corpus(a.corpus, a.sequences, a.clusters, a.excluded, a.leakage)
    draw = {"seed": a.seed, "validation_fraction": a.validation_fraction}
    parameters = {"corpus": a.corpus, "previous": a.previous, **draw}
    inputs = [*before.manifests, *after.manifests]
    with provenance.stage("delta", a.manifest, inputs, parameters) as record:
        folder = a.manifest.parent
        with files.atomic_directory(folder) as temporary:
            found = delta.compare(before, after, temporary, **draw)
            files.write_json(temporary / "delta.json", found)
            files.write_text(temporary / "index.html", delta_page.build(temporary, before, after))
        record.outputs = sorted(path for path in folder.iterdir() if path.is_file())
        for part in ("sequences", "records", "clusters"):
            record.counts |= {f"{part}.{what}": number for what, number in found[part].items()}


if __name__ == "__main__":
    main()
