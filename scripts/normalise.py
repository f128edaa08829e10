"""Normalise the records of one retrieved release into shards of sequences."""

import argparse
from pathlib import Path

from rnalm import provenance
from rnalm.errors import InputError, exits
from rnalm.files import atomic_directory
from rnalm.sequences.headers import load_title_rule
from rnalm.sequences.normalisation import Rules, normalise_files
from rnalm.sequences.releases import load_release

NT_RULES = Path(__file__).resolve().parents[1] / "resources" / "nt_rules.yaml"


@exits
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--lock", required=True, help="config/releases.lock.yaml")
    parser.add_argument("--retrieved", required=True, help="manifest of the retrieve stage")
    parser.add_argument("--min-length", type=int, required=True, help="nt")
    parser.add_argument("--max-length", type=int, required=True, help="nt")
    parser.add_argument("--max-n-fraction", type=float, required=True)
    parser.add_argument("--manifest", required=True)
    options = parser.parse_args()

    release = load_release(options.lock, options.source, options.release)
    corpus = [file for file in release.files if file.use == "corpus"]
    if not corpus:
        where = f"{options.lock}, {options.source} {options.release}"
        raise InputError(where, "has no file for the corpus", "name a release with files of `use: corpus`")
    limits = {name: getattr(options, name) for name in ("min_length", "max_length", "max_n_fraction")}
    rule_files = [NT_RULES] if options.source == "nt" else []
    title = next(map(load_title_rule, rule_files), None)
    parameters = {"source": options.source, "release": options.release, **limits}
    with provenance.stage("normalise", options.manifest, [options.retrieved, *rule_files], parameters) as record:
        provenance.outputs(options.retrieved)  # refuses files that were cut or deleted since
        base, folder = Path(options.retrieved).parent, Path(options.manifest).parent
        files = [(base / file.path, file) for file in corpus]
        with atomic_directory(folder) as temporary:
            record.counts = dict(normalise_files(files, options.source, Rules(**limits, title=title), temporary))
        record.outputs = sorted(folder.glob("*.parquet"))


if __name__ == "__main__":
    main()
