"""Stage baseline: RNAfold's minimum free energy structures of a split's test RNAs, scored like a model's."""

import argparse
from pathlib import Path

from rnalm import errors, provenance
from rnalm.evaluation.tables import write_evaluation
from rnalm.structure.folding import fold_all
from rnalm.tasks.structure import load_split


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="manifest of task_data")
    parser.add_argument("--split", required=True)
    parser.add_argument("--threads", type=int, default=1, help="RNAs folded at a time")
    parser.add_argument("--manifest", required=True, type=Path)
    arguments = parser.parse_args()

    with provenance.stage("baseline", arguments.manifest, [arguments.data], {"split": arguments.split}) as record:
        made_with = provenance.load(arguments.data)["parameters"]
        test = load_split(arguments.data, arguments.split)["test"]
        folded = fold_all([rna.sequence for rna in test], arguments.threads)
        record.outputs = write_evaluation(
            list(zip(test, folded, strict=True)),
            made_with["task"],
            arguments.split,
            "RNAfold",
            "baseline",
            made_with["seed"],
            arguments.manifest.parent,
        )
        record.counts["rnas"] = len(test)


if __name__ == "__main__":
    main()
