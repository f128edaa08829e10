"""Stage collect: the results of all evaluations in one table each, and the corpus ledger beside them."""

import argparse
from pathlib import Path

import polars as pl
from rnalm import config, errors, files, provenance
from rnalm.evaluation import collection
from rnalm.evaluation.comparison import compare, read_published


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", nargs="+", required=True, type=Path, help="manifests of evaluate and baseline")
    parser.add_argument("--tasks", nargs="+", required=True, help="TASK=FILE of config/tasks/ for each task")
    parser.add_argument("--leakage", nargs="*", default=[], help="TASK=MANIFEST of leakage for each task")
    parser.add_argument("--published", nargs="+", required=True, type=Path, help="CSV files of published numbers")
    parser.add_argument("--ledger", required=True, type=Path)
    parser.add_argument("--seed", required=True, type=int, help="of the bootstrap")
    parser.add_argument("--run-directory", required=True, type=Path)
    parser.add_argument("--manifest", required=True, type=Path)
    arguments = parser.parse_args()

    tasks = {name: config.load(path, "task") for name, path in named(arguments.tasks).items()}
    leakage = {name: Path(path) for name, path in named(arguments.leakage).items()}
    inputs = [*arguments.evaluations, *leakage.values(), *arguments.published, arguments.ledger]
    with provenance.stage("collect", arguments.manifest, inputs, {"seed": arguments.seed}) as record:
        cells = collection.cells(arguments.evaluations, tasks)
        of_folds = collection.means_of_folds(cells, tasks, arguments.seed)
        metrics = pl.concat([*(cell.metrics for cell in cells), *of_folds])
        tables = {
            "metrics.csv": metrics,
            "seeds.csv": pl.concat([cell.seeds for cell in cells]),
            "strata.csv": collection.by_relatives(cells if leakage else [], leakage, arguments.seed),
            "comparison.csv": compare(metrics, read_published(arguments.published), tasks),
        }
        for name, table in tables.items():
            files.write_text(arguments.run_directory / name, table.write_csv())
            record.outputs.append(arguments.run_directory / name)
        ledger = arguments.run_directory / "ledger.csv"
        files.write_text(ledger, arguments.ledger.read_text(encoding="utf-8"))
        record.outputs.append(ledger)
        record.counts["evaluations"] = len(cells)


def named(pairs: list[str]) -> dict[str, str]:
    """NAME=VALUE words as a dictionary."""
    return dict(pair.split("=", 1) for pair in pairs)


if __name__ == "__main__":
    main()
