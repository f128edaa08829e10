"""Stage leakage: relatives of a task's valid and test items in the corpus and in the task's own train part."""

import argparse
import shutil
from pathlib import Path

from rnalm import errors, provenance
from rnalm.corpus import leakage, mmseqs, search


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--data", required=True, type=Path, help="manifest of task_data")
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--coverage", required=True, type=float, help="fraction of an item that a relative covers")
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--state", required=True, type=Path, help="working folder; a killed run goes on from there")
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    parameters = {"task": a.task, "coverage": a.coverage, "search": search.description()}
    with provenance.stage("leakage", a.manifest, [a.data, a.sequences], parameters) as record:
        items, training = leakage.task_items(a.data)
        record.outputs, record.counts = leakage.audit(
            items, training, a.sequences, a.state, a.manifest.parent, a.coverage, a.threads
        )
        record.notes["mmseqs"] = mmseqs.version()
    shutil.rmtree(a.state)


if __name__ == "__main__":
    main()
