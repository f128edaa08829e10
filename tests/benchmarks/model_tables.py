"""The numbers of the models' benchmark as Markdown."""

from tables import heading, row

PACKAGES = ("torch", "numpy")
PRECISIONS = {"packed": "fp32", "packed_bf16": "bf16"}
WAYS = {
    "packed": "`rnalm embed`",
    "packed_bf16": "`rnalm embed --precision bf16`",
    "padded": "the same model on padded batches",
    "multimolecule": "MultiMolecule",
}
NAMES = {"rinalmo": "RiNALMo micro", "ernie_rna": "ERNIE-RNA"}


def markdown(numbers: dict) -> str:
    """All that is known, in Markdown."""
    parts = []
    if "retention" in numbers:
        parts += forms_table(numbers["retention"]) + streams_table(numbers["retention"])
    for family in NAMES:
        if family in numbers:
            parts += embedding_table(family, numbers[family])
    return "\n".join(parts)


def forms_table(part: dict) -> list[str]:
    lines = heading("RNAret: retention in chunks beside its parallel form", part, PACKAGES)
    lines += row(
        *("nt", "retention ms", "parallel ms", "parallel takes"),
        *("layer ms", "parallel ms", "parallel takes", "memory MB", "parallel MB", "kB per nt"),
    )
    lines += row(*["---:"] * 10)
    costs = {(run["length"], run["form"]): run for run in part["forms"]}
    for length in dict.fromkeys(run["length"] for run in part["forms"]):
        ours, theirs = costs[length, "chunkwise"], costs.get((length, "parallel"))
        cells = []
        for key in ("retention_seconds", "layer_seconds"):
            cells.append(f"{1e3 * ours[key]:.1f}")
            cells += [f"{1e3 * theirs[key]:.1f}", f"{theirs[key] / ours[key]:.1f} x"] if theirs else ["too large", ""]
        cells += [f"{extra(cost) / 1e6:.0f}" if cost else "" for cost in (ours, theirs)]
        lines += row(f"{length:,}", *cells, f"{extra(ours) / 1e3 / length:.1f}")
    largest = max((run["difference"] for run in part["forms"] if "difference" in run), default=0)
    return [
        *lines,
        "",
        "One sequence through one layer of the published size, fp32: its retention by itself, and the whole layer. "
        "Median of up to five calls, each form in a process of its own. Memory: the layer's peak beyond what the "
        f"process held before. The forms differ by at most {largest:.1e} of the norm.",
        "",
    ]


def extra(cost: dict) -> int:
    """Bytes of the peak beyond what was held before."""
    return max(0, cost["peak_bytes"] - cost["before_bytes"])


def streams_table(part: dict) -> list[str]:
    lines = ["### The whole network on one sequence", ""]
    lines += row("nt", "matrix products", "s", "us per nt", "memory GB", "kB per nt")
    lines += row("---:", "---", *["---:"] * 4)
    for run in part["streams"]:
        each = 1e6 * run["seconds"] / run["length"], extra(run) / 1e3 / run["length"]
        cells = f"{run['seconds']:.1f}", f"{each[0]:.0f}", f"{run['peak_bytes'] / 1e9:.2f}", f"{each[1]:.2f}"
        lines += row(f"{run['length']:,}", PRECISIONS[run["way"]], *cells)
    return [
        *lines,
        "",
        "RNAret 1-mer as `rnalm embed` runs it, once. Memory is the peak of the whole process; per nt: what comes on "
        "top of the loaded model. The result itself has 1.54 kB per nt.",
        "",
    ]


def embedding_table(family: str, part: dict) -> list[str]:
    lines = heading(f"{NAMES[family]}: {part['rnas']:,} RNAs of RNAcentral's lengths", part, PACKAGES)
    lines += row("way", "s", "nt/s", "range", "takes", "memory GB", "largest difference")
    lines += row("---", *["---:"] * 6)
    own = seconds(part, "packed")
    for way, title in WAYS.items():
        runs = [run for run in part["runs"] if run["way"] == way]
        if runs:
            speeds = [run["nucleotides"] / run["seconds"] for run in runs]
            took = seconds(part, way)
            lines += row(
                title,
                f"{took:.1f}",
                f"{sum(run['nucleotides'] for run in runs) / took:,.0f}",
                f"{min(speeds):,.0f}-{max(speeds):,.0f}",
                "" if way == "packed" else f"{took / own:.2f} x",
                f"{max(run['peak_bytes'] for run in runs) / 1e9:.2f}",
                "" if way == "packed" else f"{max(run['difference'] for run in runs):.1e}",
            )
    mean, blocks = part["nucleotides"] / part["rnas"], str(part["blocks"])
    if (done := len({run["block"] for run in part["runs"]})) < part["blocks"]:
        blocks += f", of which {done} are done"
    tried = f", {part['layers']} of the layers only" if part["layers"] else ""
    notes = [
        f"{part['nucleotides']:,} nt, {mean:.0f} on average, cropped at {part['crop']:,}; fresh weights{tried}.",
        f"Blocks of RNAs, each by all ways in turn: {blocks}. Total time; nt/s of the slowest and fastest block.",
        "nt are of RNAs, not of padding. Padded: batches of 32 in the order of the input.",
        "Memory is the largest peak of a process, with the embeddings of a block.",
        "Differences to the first row, as a share of the largest value.",
    ]
    theirs = next((run for run in part["runs"] if run["way"] == "multimolecule"), None)
    if theirs:
        versions = ", ".join(f"{name} {version}" for name, version in theirs["versions"].items())
        notes.append(f"MultiMolecule with its defaults ({theirs['attention']} attention), batches of 32: {versions}.")
    if not part["bf16"]:
        notes.append("This processor has no bf16 products.")
    return [*lines, "", " ".join(notes), ""]


def seconds(part: dict, way: str) -> float:
    return sum(run["seconds"] for run in part["runs"] if run["way"] == way)
