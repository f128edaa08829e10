"""Normalise the records of one retrieved release into sorted runs of sequences."""

import argparse
from pathlib import Path

from rnalm import provenance
from rnalm.errors import InputError, exits
from rnalm.files import atomic_directory
from rnalm.sequences import selection
from rnalm.sequences.normalisation import File, Rules, Source, normalise

NT_RULES = Path(__file__).resolve().parents[1] / "resources" / "nt_rules.yaml"


@exits
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--retrieved", required=True, help="manifest of the retrieve stage")
    parser.add_argument("--min-length", type=int, required=True, help="nt")
    parser.add_argument("--max-length", type=int, required=True, help="nt")
    parser.add_argument("--max-n-fraction", type=float, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--manifest", required=True)
    options = parser.parse_args()

    notes = provenance.load(options.retrieved).get("notes", {})
    corpus = [file for file in notes.get("files", []) if file["use"] == "corpus"]
    if not corpus:
        where = f"{options.retrieved}, {options.source} {options.release}"
        raise InputError(where, "has no file for the corpus", "name a release with files of `use: corpus`")
    names = {file["select"] for file in corpus if file.get("select")}
    selections = {name: selection.load(NT_RULES, name) for name in sorted(names)}
    rules = sorted({path for found in selections.values() for path in found.files})
    limits = {name: getattr(options, name) for name in ("min_length", "max_length", "max_n_fraction")}
    parameters = {"source": options.source, "release": options.release, **limits}
    with provenance.stage("normalise", options.manifest, [options.retrieved, *rules], parameters) as record:
        provenance.outputs(options.retrieved)  # refuses files that were cut or deleted since
        base, folder = Path(options.retrieved).parent, Path(options.manifest).parent
        source = Source(
            options.source,
            notes.get("database", options.source),
            [
                File(base / file["path"], file["format"], file.get("rna_type"), selections.get(file.get("select")))
                for file in corpus
            ],
        )
        with atomic_directory(folder) as temporary:
            normalised = normalise(source, Rules(**limits), temporary, options.threads)
        record.outputs = sorted(folder.glob("*.parquet"))
        record.counts = dict(normalised.counts)
        record.notes["selection"] = normalised.selection


if __name__ == "__main__":
    main()
