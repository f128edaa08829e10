"""The numbers of the benchmark as Markdown."""

import statistics

import extrapolation

TITLES = {
    "rnalm": "`rnalm corpus`",
    "seqkit": "`seqkit seq --rna2dna -u \\| seqkit rmdup -s`",
    "seqkit -P": "the same with `rmdup -P`: one strand",
}


def markdown(numbers: dict) -> str:
    """All that is known, in Markdown."""
    parts = []
    if "seqkit" in numbers:
        parts += seqkit_table(numbers["seqkit"])
    if "left_half" in numbers:
        parts += left_half_table(numbers["left_half"])
        parts += extrapolation.table(numbers["left_half"]["runs"])
    return "\n".join(parts)


def heading(title: str, part: dict, packages=("polars", "pyarrow")) -> list[str]:
    machine, versions = part["machine"], part["versions"]
    used = ", ".join(f"{name} {versions[name]}" for name in ("python", *packages) if name in versions)
    memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB"
    return [
        f"## {title}",
        "",
        f"{part['date']}, {machine['cores']} cores of {machine['processor']}, {memory}, {machine['system']}; "
        f"{used}; commit {(part['commit'] or 'unknown')[:12]}.",
        "",
    ]


def seqkit_table(part: dict) -> list[str]:
    lines = heading(f"Beside seqkit {part['seqkit'].lstrip('v')}, {part['records']:,} records", part)
    lines += row("input", "tool", "wall s", "range", "CPU s", "memory GB", "seqkit takes")
    lines += row("---", "---", *["---:"] * 5)
    for suffix in dict.fromkeys(run["input"] for run in part["runs"]):
        runs = {tool: [run for run in part["runs"] if (run["input"], run["tool"]) == (suffix, tool)] for tool in TITLES}
        walls = {tool: [run["wall_seconds"] for run in runs[tool]] for tool in TITLES}
        own = statistics.median(walls["rnalm"])
        for tool in TITLES:
            wall = statistics.median(walls[tool])
            spread = f"{min(walls[tool]):.2f}-{max(walls[tool]):.2f}"
            processor = f"{statistics.median(run['cpu_seconds'] for run in runs[tool]):.2f}"
            memory = f"{max(run['peak_memory_bytes'] for run in runs[tool]) / 1e9:.2f}"
            ratio = "" if tool == "rnalm" else f"{wall / own:.2f} x"
            lines += row(suffix, TITLES[tool], f"{wall:.2f}", spread, processor, memory, ratio)
    kept = part["runs"][0]["kept"]
    times = len(part["runs"]) // (2 * len(TITLES))
    return [*lines, "", f"Medians of {times} runs in turn; each kept {kept:,} records. Memory is the largest peak.", ""]


def left_half_table(part: dict) -> list[str]:
    lines = heading("The left half, from records to a draw", part)
    lines += row(
        "records", "stage", "wall s", "CPU s", "memory GB", "disk GB", "peak disk GB", "records/s", "cost per record"
    )
    lines += row("---:", "---", *["---:"] * 7)
    first = part["runs"][0]
    for run in part["runs"]:
        for stage, cost in run["stages"].items():
            each, base = (
                cost["wall_seconds"] / run["records"],
                first["stages"][stage]["wall_seconds"] / first["records"],
            )
            lines += row(
                f"{run['records']:,}",
                stage,
                f"{cost['wall_seconds']:.1f}",
                f"{cost['cpu_seconds']:.1f}",
                *(f"{cost[key] / 1e9:.2f}" for key in ("peak_memory_bytes", "disk_bytes", "peak_disk_bytes")),
                f"{run['records'] / cost['wall_seconds']:,.0f}",
                f"{each / base:.2f} x",
            )
    lines.append("")
    for run in part["runs"]:
        mean = run["nucleotides"] / run["unique"]
        clusters = f", {run['clusters']:,} clusters" if "clusters" in run else "; not clustered here"
        lines.append(
            f"- {run['records']:,} records ({run['input_bytes'] / 1e9:.2f} GB gzip): {run['unique']:,} unique "
            f"sequences of {mean:.0f} nt on average{clusters}."
        )
    return [
        *lines,
        "",
        "Memory: peak of the whole process tree, mapped files included. Disk: what a stage leaves, and the most that "
        "lay in the corpus folder while it ran. Per record: wall time, relative to the first run. "
        f"`--split-memory-limit {part['split_memory_limit']}`; 0 is all memory.",
        "",
    ]


def row(*cells) -> list[str]:
    return [f"| {' | '.join(map(str, cells))} |"]
