"""Retrieve the files of one pinned release into the folder of the manifest."""

import argparse
from pathlib import Path

from rnalm import provenance
from rnalm.errors import exits
from rnalm.sequences.releases import load_release
from rnalm.sequences.retrieve import retrieve


@exits
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--lock", required=True, help="config/releases.lock.yaml")
    parser.add_argument("--base-url", help="a mirror or folder instead of the lock's URLs: https://, file:///, file:")
    parser.add_argument("--manifest", required=True)
    options = parser.parse_args()

    release = load_release(options.lock, options.source, options.release)
    base_url = options.base_url or None
    parameters = {"source": options.source, "release": options.release, "base_url": base_url or release.base_url}
    with provenance.stage("retrieve", options.manifest, [], parameters) as record:
        folder = Path(options.manifest).parent
        found = retrieve(release, base_url, folder)
        about = {"database": release.database or options.source, "licence": release.licence, "note": release.note}
        record.notes = {"files": found.files, "absent": found.absent, **about}
        record.outputs = [folder / path for path in found.outputs]
        sizes = sum((folder / path).stat().st_size for path in found.outputs)
        record.counts = {"files": len(found.outputs), "bytes": sizes, "absent": len(found.absent)}


if __name__ == "__main__":
    main()
