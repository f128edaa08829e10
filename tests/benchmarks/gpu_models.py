"""What the models cost on one GPU: speed, share of the GPU's arithmetic and memory, in at most eight minutes.

python tests/benchmarks/gpu_models.py --out results/benchmarks/gpu

writes gpu_models.json, anew after every measurement, and gpu_models.md. It needs torch, numpy and polars; the project
need not be installed. Without a GPU it does the same in tiny, to show that it runs.

RiNALMo giga in bf16 on random RNAs of RNAcentral's lengths, a training step's forward and backward pass. "Real" tokens
are those of sequences, not padding. FLOPs are the published model's, of real tokens: 6 per weight of the blocks and
token, and 12 x layers x width x length for attention (forward: a third). MFU is their share of what a matrix product of
8192 x 8192 bf16 numbers did on the same GPU in the same run. In the padded batch every sequence has the length of the
longest, and the same kernels: the best that padding can do.
"""

import argparse
import contextlib
import functools
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import numpy as np
import torch
import torch.nn.functional as F
from rnalm.errors import InputError
from rnalm.models import attention, rinalmo
from rnalm.models.retention import CHUNK, Chunks, chunkwise
from rnalm.models.rinalmo import Rinalmo, RinalmoConfig
from rnalm.tokens.packing import PackedBatch
from rnalm.tokens.rinalmo import MASK, PAD
from rnalm.training.blocks import check_compiler, checkpoint_blocks, compile_blocks

# Share of RNAcentral's sequences, shortest and longest, in tokens after the crop: 454 on average.
LENGTHS = ((0.21, 16, 100), (0.10, 100, 200), (0.22, 200, 400), (0.20, 400, 600), (0.08, 600, 1024), (0.19, 1024, 1024))
MASKED = 0.15
DROPOUTS = (0.0, 0.1)
# Heads, and channels of their queries and values, of RNAret.
RETENTION = (4, 96, 128)
TITLES = {
    "model": "Giga, packed and padded",
    "attention": "Attention of one giga layer, on the packed batch",
    "width": "Hidden width of giga",
    "checkpointing": "Activation checkpointing",
    "retention": "Retention and attention, one sequence",
    "compile": "torch.compile of the blocks",
}


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    dim, layers, heads: of the model; tokens: of a batch; crop: tokens of its longest sequences; product: rows of the
    matrices whose product is the peak; retention: lengths of sequences; seconds: how long a measurement is repeated
    """

    dim: int
    layers: int
    heads: int
    tokens: int
    crop: int
    product: int
    retention: tuple[int, ...]
    seconds: float


GPU = Sizes(1280, 33, 20, 32768, 1024, 8192, tuple(1024 * 2**i for i in range(6)), 1.5)
CPU = Sizes(64, 2, 4, 512, 128, 256, (64, 256), 0.0)


@dataclass(frozen=True)
class Wide(RinalmoConfig):
    """RiNALMo of any hidden width."""

    width: int = 0

    @property
    def hidden(self) -> int:
        return self.width


@dataclass
class Bench:
    """Measures, and keeps what it measured in a file; after `until` (seconds) it starts nothing more."""

    device: str
    sizes: Sizes
    path: Path
    until: float
    numbers: dict = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self):
        self.numbers |= {"date": time.strftime("%Y-%m-%d"), "machine": machine(self), "rows": []}

    def row(self, section: str, case: str, **facts) -> None:
        self.numbers["rows"].append({"section": section, "case": case, **facts})
        self.numbers["seconds"] = time.perf_counter() - self.started
        self.path.write_text(json.dumps(self.numbers, indent=1) + "\n")
        print(json.dumps(self.numbers["rows"][-1]), flush=True)

    def measure(
        self,
        section: str,
        case: str,
        run: Callable[[], object],
        tokens: int,
        flops: float = 0,
        reason: str | None = None,
    ) -> None:
        """One row: `run` on so many real tokens and FLOPs; only the reason, if there is one why it cannot be run."""
        if not reason and time.perf_counter() - self.started > self.until:
            reason = f"not started after {self.until:.0f} s"
        if reason:
            self.row(section, case, reason=reason)
            return
        gc.collect()
        with self.attempt(section, case):
            self.row(section, case, **self.measured(run, tokens, flops))

    @contextlib.contextmanager
    def attempt(self, section: str, case: str):
        """Where what is inside fails, a row that says why: the rest is measured all the same."""
        try:
            yield
        except RuntimeError as error:  # of memory, too
            self.row(section, case, reason=f"failed: {' '.join(str(error).split())[:200]}")

    def measured(self, run: Callable[[], object], tokens: int, flops: float) -> dict:
        first = self.seconds(run)
        # Once more: what is compiled may be compiled again for what has changed.
        self.seconds(run)
        memory = self.peak(run)
        times, ends = [], time.perf_counter() + self.sizes.seconds
        while not times or (time.perf_counter() < ends and len(times) < 50):
            times.append(self.seconds(run))
        seconds = statistics.median(times)
        facts = {"seconds": seconds, "fastest": min(times), "first": first, "runs": len(times)}
        facts |= {"tokens": tokens, "tokens_per_second": tokens / seconds}
        if flops:
            facts |= {"tflops": flops / seconds / 1e12, "mfu": flops / seconds / self.numbers["machine"]["flops"]}
        if memory is not None:
            facts |= {"memory_bytes": memory, "memory_per_token": memory / tokens}
        return facts

    def seconds(self, run) -> float:
        synchronize(self.device)
        started = time.perf_counter()
        run()
        synchronize(self.device)
        return time.perf_counter() - started

    def peak(self, run) -> int | None:
        """Bytes that a run takes beyond what is there before: weights and their gradients. None on a CPU."""
        if self.device == "cpu":
            return None
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        synchronize(self.device)
        return torch.cuda.max_memory_allocated() - before


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def machine(bench: Bench) -> dict:
    """What is measured on, and its peak: FLOP/s of a large product of random bf16 matrices, the median of ten."""
    size = bench.sizes.product
    left, right = (torch.randn(size, size, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
    times = [bench.seconds(lambda: left @ right) for _ in range(13)][3:]
    found = {"name": platform.processor() or platform.machine(), "flops": 2 * size**3 / statistics.median(times)}
    found |= {"torch": torch.__version__, "python": platform.python_version()}
    if bench.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {"name": properties.name, "memory_bytes": properties.total_memory, "cuda": torch.version.cuda}
    return found


# What is measured


def lengths(sizes: Sizes, seed: int = 0) -> list[int]:
    """Random lengths that fill a batch, the last one cut; scaled where the crop is not RNAcentral's 1,024."""
    generator, drawn = np.random.default_rng(seed), []
    shares, shortest, longest = (np.array(part) for part in zip(*LENGTHS, strict=True))
    while sum(drawn) < sizes.tokens:
        which = generator.choice(len(LENGTHS), p=shares)
        length = generator.integers(shortest[which], longest[which], endpoint=True)
        drawn.append(max(1, int(length * sizes.crop / 1024)))
    return [*drawn[:-1], sizes.tokens - sum(drawn[:-1])]


@dataclass(frozen=True)
class Masked:
    """A batch with masks, and where they are; real: how many of its tokens belong to sequences; of these lengths."""

    batch: PackedBatch
    selected: torch.Tensor
    targets: torch.Tensor
    real: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return sum(self.real)


def masked(real: list[int], device: str, padded_to: int = 0) -> Masked:
    """Random RNAs of these lengths, longest first, each padded to a length or not at all."""
    generator, real = np.random.default_rng(1), sorted(real, reverse=True)
    rows = [generator.integers(5, 9, length) for length in real]
    ids = torch.from_numpy(
        np.concatenate([np.pad(row, (0, max(0, padded_to - len(row))), constant_values=PAD) for row in rows])
    )
    where = torch.from_numpy(generator.permutation(np.flatnonzero(ids != PAD))[: int(MASKED * sum(real))])
    targets = ids[where]
    ids[where] = MASK
    batch = PackedBatch(ids, tuple(max(padded_to, length) for length in real))
    return Masked(batch.to(device), where.to(device), targets.to(device), tuple(real))


def model(bench: Bench, width: int = 0, dropout: float = 0.1) -> Rinalmo:
    """Giga, or what stands for it, in bf16; width: of the hidden layers, if it is not the published one."""
    sizes = bench.sizes.dim, bench.sizes.layers, bench.sizes.heads, dropout, dropout
    with torch.device(bench.device):
        made = Rinalmo(Wide(*sizes, width=width) if width else RinalmoConfig(*sizes))
    return made.to(torch.bfloat16)


def flops(bench: Bench, real: tuple[int, ...], passes: int) -> float:
    """Of the published model on sequences of these lengths; passes: 1 forward, 3 forward and backward."""
    dim, layers = bench.sizes.dim, bench.sizes.layers
    hidden = RinalmoConfig(dim, layers, bench.sizes.heads).hidden
    weights = layers * (4 * dim**2 + 3 * dim * hidden)
    return passes * sum(length * (2 * weights + 4 * layers * dim * length) for length in real)


def forward(encoder: Rinalmo, work: Masked) -> Callable:
    def run():
        with torch.no_grad():
            return encoder.logits(encoder(work.batch)[work.selected])

    return run


def step(encoder: Rinalmo, work: Masked) -> Callable:
    def run():
        logits = encoder.logits(encoder(work.batch)[work.selected]).float()
        (F.cross_entropy(logits, work.targets, reduction="sum") / len(work.targets)).backward()

    return run


def measure_step(bench: Bench, section: str, case: str, encoder, work: Masked, **reason) -> None:
    encoder.train()
    run, count = step(encoder, work), flops(bench, work.real, 3)
    bench.measure(section, f"{case}, forward and backward", run, work.tokens, count, **reason)


def measure_model(bench: Bench, section: str, case: str, encoder, work: Masked, **reason) -> None:
    encoder.eval()
    run, count = forward(encoder, work), flops(bench, work.real, 1)
    bench.measure(section, f"{case}, forward", run, work.tokens, count, **reason)
    measure_step(bench, section, case, encoder, work, **reason)


def measure_packed_and_padded(bench: Bench, packed: Masked) -> None:
    drawn = lengths(bench.sizes)
    padded = masked(drawn[: bench.sizes.tokens // max(drawn)], bench.device, max(drawn))
    encoder = model(bench)
    measure_model(bench, "model", "packed", encoder, packed)
    measure_model(bench, "model", "padded", encoder, padded)
    measure_step(bench, "model", "packed, without dropout", model(bench, dropout=0.0), packed)


def measure_attention(bench: Bench, packed: Masked) -> None:
    """Every kernel by itself, checked against the one that works everywhere in fp32."""
    heads, channels, count = bench.sizes.heads, bench.sizes.dim // bench.sizes.heads, len(packed.batch.ids)
    inputs = [
        torch.randn(count, heads, channels, device=bench.device, dtype=torch.bfloat16, requires_grad=True)
        for _ in range(3)
    ]
    gradient = torch.randn_like(inputs[0])
    with torch.no_grad():
        exact = attention.by_length(*(part.float() for part in inputs), packed.batch)
    work = sum(4 * bench.sizes.dim * length**2 for length in packed.real)
    for kernel in attention.KERNELS:
        for dropout in DROPOUTS:
            case, reason = f"{kernel.__name__}, dropout {dropout}", attention.obstacle(kernel, inputs[0], dropout)
            if not reason and not dropout:
                with bench.attempt("attention", named := f"{case}, difference to fp32"), torch.no_grad():
                    error = ((kernel(*inputs, packed.batch) - exact).norm() / exact.norm()).item()
                    bench.row("attention", named, difference=error)

            def run(kernel=kernel, dropout=dropout):
                with torch.no_grad():
                    kernel(*inputs, packed.batch, dropout)

            def both(kernel=kernel, dropout=dropout):
                torch.autograd.grad(kernel(*inputs, packed.batch, dropout), inputs, gradient)

            bench.measure("attention", f"{case}, forward", run, packed.tokens, work, reason)
            if not reason:
                bench.measure("attention", f"{case}, forward and backward", both, packed.tokens, 3.5 * work)


def measure_width(bench: Bench, packed: Masked) -> None:
    published = RinalmoConfig(bench.sizes.dim, bench.sizes.layers, bench.sizes.heads).hidden
    wide = published + rinalmo.missing(published, torch.device("cuda"))
    with mock.patch.object(rinalmo, "missing", lambda width, device: 0):
        for width in (published, -(-published // 8) * 8, wide):
            measure_step(bench, "width", f"{width}, stored", model(bench, width), packed)
    filled = f"{published}, filled up to {wide} at use"
    measure_step(bench, "width", filled, model(bench), packed)


def measure_checkpointing(bench: Bench, packed: Masked) -> None:
    encoder = model(bench)
    checkpoint_blocks(encoder)
    measure_step(bench, "checkpointing", "packed, checkpointed", encoder, packed)


def measure_retention(bench: Bench) -> None:
    """RNAret's mixing of tokens, in fp32 as always, beside bf16 attention of as many heads, values as wide as keys."""
    heads, key, value = RETENTION
    for length in bench.sizes.retention:
        batch = PackedBatch(torch.zeros(length, dtype=torch.int64, device=bench.device), (length,))
        chunks = Chunks.of((length,), heads, min(CHUNK, length), bench.device)

        def retention(q, k, v, chunks=chunks):
            return chunkwise(q, k, v, chunks)[0]

        def attended(q, k, v, batch=batch):
            return attention.attention(q, k, v, batch)

        for name, mix, channels, dtype in (
            ("retention", retention, (key, key, value), torch.float32),
            ("attention", attended, (key, key, key), torch.bfloat16),
        ):
            inputs = [
                torch.randn(length, heads, size, device=bench.device, dtype=dtype).requires_grad_() for size in channels
            ]

            def run(mix=mix, inputs=inputs):
                with torch.no_grad():
                    mix(*inputs)

            def both(mix=mix, inputs=inputs):
                torch.autograd.grad(mix(*inputs).sum(), inputs)

            bench.measure("retention", f"{name}, {length}, forward", run, length)
            bench.measure("retention", f"{name}, {length}, forward and backward", both, length)


def measure_compile(bench: Bench, packed: Masked) -> None:
    encoder, reason = model(bench), None
    measure_model(bench, "compile", "not compiled", encoder, packed)
    # On a CPU traced alone: to generate code there takes longer than all the rest.
    backend = "inductor" if bench.device == "cuda" else "aot_eager"
    with mock.patch.object(torch, "compile", functools.partial(torch.compile, backend=backend)):
        try:
            check_compiler(bench.device)
        except InputError as error:
            reason = str(error)
        compile_blocks(encoder)
    measure_model(bench, "compile", "compiled", encoder, packed, reason=reason)
    checkpoint_blocks(encoder)
    measure_step(bench, "compile", "compiled, checkpointed", encoder, packed, reason=reason)


# The tables


def markdown(numbers: dict) -> str:
    machine = numbers["machine"]
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB, CUDA {machine['cuda']}" if "cuda" in machine else ""
    lines = [
        f"{machine['name']}{memory}, torch {machine['torch']}, {numbers['date']}; a large bf16 matrix product: "
        f"{machine['flops'] / 1e12:.1f} TFLOP/s; all in {numbers.get('seconds', 0):.0f} s.",
    ]
    for section, title in TITLES.items():
        rows = [row for row in numbers["rows"] if row["section"] == section]
        if rows:
            lines += [
                "",
                f"### {title}",
                "",
                "| case | ms | real tokens/s | TFLOP/s | MFU % | memory GB | kB per token |",
            ]
            lines += ["|---|---:|---:|---:|---:|---:|---:|", *map(line, rows)]
    return "\n".join(lines) + "\n"


def line(row: dict) -> str:
    """One row of a table."""
    if "reason" in row:
        return f"| {row['case']} | {row['reason']} | | | | | |"
    if "difference" in row:
        return f"| {row['case']}: {row['difference']:.1e} | | | | | | |"
    cells = [f"{1e3 * row['seconds']:.2f}", f"{row['tokens_per_second']:,.0f}"]
    cells += [f"{row['tflops']:.1f}", f"{100 * row['mfu']:.1f}"] if "mfu" in row else ["", ""]
    cells += [""] * 2
    if "memory_bytes" in row:
        cells[-2:] = [f"{row['memory_bytes'] / 1e9:.2f}", f"{row['memory_per_token'] / 1e3:.1f}"]
    return f"| {row['case']} | {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of gpu_models.json and gpu_models.md")
    parser.add_argument("--until", type=float, default=360, help="seconds after which no measurement is started (360)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bench = Bench(device, GPU if device == "cuda" else CPU, options.out / "gpu_models.json", options.until)
    packed = masked(lengths(bench.sizes), device)
    try:
        measure_packed_and_padded(bench, packed)
        measure_attention(bench, packed)
        measure_width(bench, packed)
        measure_checkpointing(bench, packed)
        measure_retention(bench)
        measure_compile(bench, packed)
    finally:
        # Tables of what there is, also if a measurement ended it all.
        table = markdown(bench.numbers)
        (options.out / "gpu_models.md").write_text(table)
        print(table)


if __name__ == "__main__":
    main()
