"""What the left half would cost at sizes that were not measured, with the assumptions it rests on."""

import math

TARGETS = (36_000_000, 100_000_000)  # unique sequences: RiNALMo's corpus, and three of it
# linclust holds 16 bytes per k-mer, of which a sequence of L nt gives min(L - 15, 21 + 0.2 L), and about 1 byte per nt.
BYTES_PER_KMER, BYTES_PER_NUCLEOTIDE = 16, 1
# Measured on 1 M sequences: with a limit of 500 MB linclust used 1.03 GB instead of 2.37, in 65.5 s instead of 29.3.
SPLIT_LIMIT_GB, SPLIT_MEMORY, SPLIT_TIME = 32, 2.0, 65.5 / 29.3

ASSUMPTIONS = """\
Assumptions, none of them checked at these sizes:

- Made records stand for real ones: lengths, share of duplicates and of clusters as above. Time and disk of every stage
  grow with the number of sequences, from the largest measured run and on its machine; sorting's logarithm is left out.
- Memory of `corpus` and `draw`: a straight line through the smallest and the largest measured run; where it does not
  rise, the larger of the two; ? where a stage was measured at one size only.
- Memory of `cluster`: 16 bytes x min(L - 15, 21 + 0.2 L) k-mers of each sequence of L nt, and 1 byte per nt, with the
  lengths of the largest run. With `split_memory_limit` MMseqs2 takes about twice the limit and, as measured on 1 M
  sequences with a limit of a fifth of the need, 2.2 times as long; how this grows with more splits is not known.
- The peak disk of `cluster` holds the corpus as FASTA and MMseqs2's k-mer files; all but the result goes."""


def table(runs: list[dict]) -> list[str]:
    """Markdown: time, memory and disk of each stage at TARGETS sequences, from two or more measured runs of it."""
    if len(runs) < 2:
        return []
    rising = sorted(runs, key=lambda run: run["unique"])
    smallest = {stage: run for run in reversed(rising) for stage in run["stages"]}
    largest = {stage: run for run in rising for stage in run["stages"]}
    lines = [
        "## At 36 M and 100 M unique sequences, extrapolated",
        "",
        "| sequences | stage | hours | memory GB | disk GB | peak disk GB |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for target in TARGETS:
        for stage, large in largest.items():
            cost, factor = large["stages"][stage], target / large["unique"]
            hours = cost["wall_seconds"] * factor / 3600
            memory = linclust(large, factor) if stage == "cluster" else line(smallest[stage], large, stage, target)
            shown = "?" if math.isnan(memory) else f"{memory:.0f}"
            disk = " | ".join(f"{cost[key] * factor / 1e9:.0f}" for key in ("disk_bytes", "peak_disk_bytes"))
            lines.append(f"| {target:,} | {stage} | {hours:.1f} | {shown} | {disk} |")
            if stage == "cluster" and memory > SPLIT_MEMORY * SPLIT_LIMIT_GB:
                title = f'cluster, `split_memory_limit: "{SPLIT_LIMIT_GB}G"`'
                split = f"{hours * SPLIT_TIME:.1f} | {SPLIT_MEMORY * SPLIT_LIMIT_GB:.0f}"
                lines.append(f"| {target:,} | {title} | {split} | {disk} |")
    return [*lines, "", ASSUMPTIONS, ""]


def linclust(run: dict, factor: float) -> float:
    """Memory in GB of linclust on `factor` times the sequences of a run."""
    return factor * (BYTES_PER_KMER * run["kmers"] + BYTES_PER_NUCLEOTIDE * run["nucleotides"]) / 1e9


def line(small: dict, large: dict, stage: str, target: int) -> float:
    """Memory in GB on the straight line through two runs, never less than the larger of them; nan of a single run."""
    low, high = (run["stages"][stage]["peak_memory_bytes"] for run in (small, large))
    if small is large:
        return math.nan
    slope = (high - low) / (large["unique"] - small["unique"])
    return max(low, high, high + slope * (target - large["unique"])) / 1e9
