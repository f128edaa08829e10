"""Write which releases are pinned and which are the newest."""

import argparse
from pathlib import Path

from rnalm import files, provenance
from rnalm.errors import exits
from rnalm.sequences.newest import standings


@exits
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", required=True, help="config/releases.lock.yaml")
    parser.add_argument("--manifest", required=True)
    options = parser.parse_args()

    # The lock is no input: a later change of it does not make what was found wrong.
    with provenance.stage("check_releases", options.manifest, [], {"lock": options.lock}) as record:
        found = [standing.content() for standing in standings(options.lock)]
        target = Path(options.manifest).parent / "releases.json"
        files.write_json(target, found)
        record.outputs = [target]
        states = [standing["state"] for standing in found]
        record.counts = {state: states.count(state) for state in ("newest", "behind", "unknown")}
    for standing in found:
        print(f"{standing['source']} {standing['pinned']}: {standing['state']} ({standing['newest']})")


if __name__ == "__main__":
    main()
