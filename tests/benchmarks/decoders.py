"""Benchmark of the structure decoders, `make bench-decoders`: the table of docs/benchmarks.md, numbers in a JSON file.

Each decoder of the library beside a literal restatement of the published procedure that it replaces, on the same maps
in the same process, one thread: RiNALMo's search for the largest cell of the masked matrix, again and again, and
RNAret's linear sum assignment of the dense one, both masked cell by cell as published. `assignment` is the library's
own form of the latter. The maps imitate those of a trained model: stems of strong pairs, rivals beside them, noise. All
start from probabilities.
"""

import argparse
import statistics
import time
from pathlib import Path

import measure
import numpy as np
from rnalm import files
from rnalm.structure import greedy, matching, nested
from rnalm.structure.published import assignment
from scipy.optimize import linear_sum_assignment

DOCS = Path(__file__).parents[2] / "docs"
MARKS = "<!-- decoders: begin -->", "<!-- decoders: end -->"
PAIRS = {"AU", "UA", "GC", "CG", "GU", "UG"}


def trained_map(length: int, seed: int) -> tuple[np.ndarray, str]:
    """(symmetric fp32 probabilities, sequence): stems of 4 to 9 pairs over 60 % of the bases, each with weak rivals."""
    rng = np.random.default_rng([2024, length, seed])
    letters = rng.choice(list("ACGU"), length)
    logits = np.triu(rng.normal(-9, 1.5, (length, length)), 1)
    partner = {"A": "U", "C": "G", "G": "C", "U": "A"}
    free, stems = np.ones(length, bool), 0
    while free.mean() > 0.4 and stems < length:
        stems += 1
        i, size = rng.integers(0, length - 30), rng.integers(4, 10)
        j = min(length - 1, i + 2 * size + rng.integers(4, 200))
        cells = [(i + k, j - k) for k in range(size)]
        if all(free[a] and free[b] for a, b in cells):
            for a, b in cells:
                letters[b] = partner[letters[a]]
                logits[a, b] = rng.normal(3, 1.5)
                logits[a, max(b - 1, a + 1)] = rng.normal(-1, 1.5)
                free[[a, b]] = False
    upper = np.triu(1 / (1 + np.exp(-logits)), 1)
    return (upper + upper.T).astype(np.float32), "".join(letters)


def literal_greedy(probabilities: np.ndarray, sequence: str, threshold: float) -> list[tuple[int, int]]:
    """The published greedy procedure, step by step on the dense matrix."""
    length = len(sequence)
    matrix = np.zeros_like(probabilities)
    for i in range(length):
        for j in range(length):
            if abs(i - j) >= 4 and sequence[i] + sequence[j] in PAIRS:
                matrix[i, j] = probabilities[i, j]
    matrix = np.triu(np.where(matrix > threshold, matrix, 0))
    pairs = []
    while matrix.max() > 0:
        i, j = np.unravel_index(matrix.argmax(), matrix.shape)
        pairs.append((int(i), int(j)))
        for base in (i, j):
            matrix[base, :] = matrix[:, base] = 0
    return sorted(pairs)


def literal_assignment(probabilities: np.ndarray, sequence: str, threshold: float) -> list[tuple[int, int]]:
    """RNAret's published procedure on the dense matrix: lower triangle, mutual choices, the first partner of each."""
    length = len(sequence)
    lower = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            if i - j >= 4 and sequence[i] + sequence[j] in PAIRS:
                lower[i, j] = probabilities[i, j]
    lower = np.where(lower > threshold, lower, 0)
    rows, columns = linear_sum_assignment(lower, maximize=True)
    chosen = np.zeros((length, length), dtype=int)
    for row, column in zip(rows, columns, strict=True):
        chosen[row, column] = lower[row, column] > 0 and columns[column] == row
    chosen = chosen + chosen.T
    for lines in (chosen, chosen.T):
        for line in lines:
            line[line.argmax() + 1 :] = 0
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(chosen))]


def seconds(decoder, cases, threshold: float, repetitions: int) -> float:
    """Median over maps of the fastest of so many runs."""
    fastest = []
    for probabilities, sequence in cases:
        runs = []
        for _ in range(repetitions):
            started = time.perf_counter()
            decoder(probabilities, sequence, threshold)
            runs.append(time.perf_counter() - started)
        fastest.append(min(runs))
    return statistics.median(fastest)


def score(decoder, cases, threshold: float) -> list[float]:
    return [float(sum(p[pair] for pair in decoder(p, sequence, threshold))) for p, sequence in cases]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--maps", type=int, default=9)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--page", type=Path, default=DOCS / "benchmarks.md")
    parser.add_argument("--numbers", type=Path, default=DOCS / "benchmarks_decoders.json")
    options = parser.parse_args()

    cases = [trained_map(options.length, seed) for seed in range(options.maps)]
    rows = []
    for threshold in (0.1, 0.5):
        compared = [(greedy, literal_greedy), (matching, literal_assignment), (assignment, literal_assignment)]
        compared += [(nested, None)]
        for ours, published in compared:
            ours(*cases[0], threshold)  # compiles
            mine, scores = seconds(ours, cases, threshold, options.repetitions), score(ours, cases, threshold)
            row = {"decoder": ours.__name__, "threshold": threshold, "seconds": mine, "score": sum(scores)}
            if published:
                theirs = score(published, cases, threshold)
                if min(a - b for a, b in zip(scores, theirs, strict=True)) < -1e-4:
                    raise SystemExit(f"{ours.__name__} scores below the published procedure")
                row |= {"published": published.__name__, "published_score": sum(theirs)}
                row |= {"published_seconds": seconds(published, cases, threshold, min(options.repetitions, 3))}
            rows.append(row)
    settings = {"length": options.length, "maps": options.maps, "repetitions": options.repetitions}
    numbers = {"date": time.strftime("%Y-%m-%d"), "machine": measure.machine(1), **settings, "rows": rows}
    files.write_json(options.numbers, numbers)
    before, _, rest = options.page.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    files.write_text(options.page, f"{before}{MARKS[0]}\n\n{markdown(numbers)}\n{MARKS[1]}{after}")
    print(markdown(numbers))


def markdown(numbers: dict) -> str:
    machine = numbers["machine"]
    lines = [
        f"{numbers['maps']} maps of {numbers['length']:,} nt, one thread of {machine['processor']}, {numbers['date']}:"
        f" median over the maps of the fastest of {numbers['repetitions']} runs.",
        "",
        "| decoder | threshold | ms | sum of probabilities | published procedure | ms | sum | faster |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in numbers["rows"]:
        published = ["", "", "", ""]
        if "published" in row:
            slow = row["published_seconds"]
            ratio = f"{slow / row['seconds']:.0f}x"
            published = [f"`{row['published']}`", f"{1e3 * slow:.2f}", f"{row['published_score']:.1f}", ratio]
        own = [f"`{row['decoder']}`", row["threshold"], f"{1e3 * row['seconds']:.2f}", f"{row['score']:.1f}"]
        lines.append(f"| {' | '.join(map(str, own + published))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
