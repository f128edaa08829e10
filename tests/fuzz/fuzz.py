"""`make fuzz`: many damaged files through the corpus; python fuzz.py INPUTS, or --only NUMBER to see one again.

Exit status 1, and the file kept under results/fuzz/, if an input is neither refused in one line nor accounted for.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import harness
import seeds

ROOT = Path(__file__).parents[2]
FAILED = ROOT / "results/fuzz"
# Many tiny files: in memory where the system has such a folder.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
BATCH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="NUMBER")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()

    # For the processes that are started here: one thread each.
    os.environ["POLARS_MAX_THREADS"] = "1"
    numbers = range(options.inputs) if options.only is None else range(options.only, options.only + 1)
    outcomes, failures, started = Counter(), [], time.monotonic()
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        database = seeds.blast_database(Path(folder) / "blast") if shutil.which("makeblastdb") else None
        batches = [numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH)]
        work = partial(run_batch, seed=options.seed, database=database)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
            for done, (found, broken) in enumerate(pool.map(work, batches), 1):
                outcomes.update(found)
                failures += broken
                if done % 100 == 0 or done == len(batches):
                    seconds = time.monotonic() - started
                    print(f"{outcomes.total():,} inputs, {len(failures)} failures, {seconds:.0f} s", flush=True)
    for (outcome, format), number in sorted(outcomes.items()):
        print(f"{format:10} {outcome:10} {number:,}")
    for number, text in failures:
        print(f"\ninput {number} (python tests/fuzz/fuzz.py --seed {options.seed} --only {number}):\n{text}")
    sys.exit(1 if failures else 0)


def run_batch(numbers: range, seed: int, database: Path | None) -> tuple[Counter, list[tuple[int, str]]]:
    """Outcomes of some inputs, and (number, what went wrong) of those that failed."""
    batch, failures = harness.Batch(), []
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder, contextlib.redirect_stdout(None):
        top = Path(folder)
        for number in numbers:
            where = top / str(number)
            where.mkdir()
            item = harness.made(number, seed, where, database)
            try:
                harness.run(item, f"s{number}", where / "normalised", batch)
            except Exception:
                failures.append((number, traceback.format_exc()))
                keep(item, number)
        try:
            harness.merge(batch, top / "merged")
        except Exception:
            failures.append((numbers[0], f"in the batch of {len(numbers)} from here\n{traceback.format_exc()}"))
    return batch.outcomes, failures


def keep(item: harness.Input, number: int) -> None:
    FAILED.mkdir(parents=True, exist_ok=True)
    target = FAILED / f"{number}-{item.path.name}"
    if item.path.is_file():
        shutil.copy(item.path, target)
    else:
        shutil.copytree(item.path.parent, target, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
