"""What a command costs: wall time, CPU time, memory and disk of its whole process tree.

CPU time is the kernel's own number (wait4: every child that was waited for is in it). The memory of a tree is sampled:
every 50 ms the resident sets of all its processes are added up, file pages that they map included and shared pages
counted once per process, so it errs to the high side; a single process's own peak (VmHWM) counts where it is larger.
wait4's peak is no use: it starts with the memory of the process that forked. Disk is sampled every half second: blocks
in use below a folder.
"""

import contextlib
import os
import platform
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

MEMORY_INTERVAL, DISK_INTERVAL = 0.05, 0.5  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Cost:
    """wall_seconds, cpu_seconds (user and system), peak_memory_bytes and peak_disk_bytes of a command."""

    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    peak_disk_bytes: int


class CommandFailed(RuntimeError):
    """A measured command ended with another status than 0."""


def run(pipeline: list[list], folder: Path, log: Path, cores: int) -> Cost:
    """Run commands joined by pipes on the first `cores` CPUs this process may use; their words go to `log`.

    folder: where they write, whose disk is watched. Raises CommandFailed if any of them fails.
    """
    cpus = sorted(os.sched_getaffinity(0))[:cores]
    os.sync()
    started, processes, source = time.perf_counter(), [], None
    with open(log, "wb") as words:
        for command in pipeline:
            last = len(processes) == len(pipeline) - 1
            process = subprocess.Popen(
                list(map(str, command)),
                stdin=source,
                stdout=words if last else subprocess.PIPE,
                stderr=words,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            )
            if source:
                source.close()
            source = process.stdout
            processes.append(process)
        watch = Watch([process.pid for process in processes], folder)
        ends = [os.wait4(process.pid, 0) for process in processes]
    wall = time.perf_counter() - started
    watch.stop()
    for process, (_, status, _) in zip(processes, ends, strict=True):
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise CommandFailed(f"{process.args} ended with {process.returncode}:\n{log.read_text(errors='replace')}")
    usage = [usage for _, _, usage in ends]
    return Cost(
        wall_seconds=wall,
        cpu_seconds=sum(part.ru_utime + part.ru_stime for part in usage),
        peak_memory_bytes=watch.memory,
        peak_disk_bytes=max(watch.disk, blocks(folder)),
    )


class Watch:
    """Samples the memory of process trees and the disk below a folder, until it is stopped."""

    def __init__(self, roots: list[int], folder: Path):
        self.roots, self.folder = roots, folder
        self.memory = self.disk = 0
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=self.sample, args=(MEMORY_INTERVAL, self.see_memory)),
            threading.Thread(target=self.sample, args=(DISK_INTERVAL, self.see_disk)),
        ]
        for thread in self.threads:
            thread.start()

    def sample(self, interval: float, see) -> None:
        while not self.ended.wait(interval):
            see()

    def see_memory(self) -> None:
        processes = [pid for root in self.roots for pid in tree(root)]
        self.memory = max(self.memory, sum(map(resident, processes)), *map(peak, processes))

    def see_disk(self) -> None:
        self.disk = max(self.disk, blocks(self.folder))

    def stop(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()


def tree(pid: int) -> list[int]:
    """A process and all that descend from it; one that ends meanwhile is left out."""
    children = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            children += Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    return [pid, *(found for child in children for found in tree(int(child)))]


def resident(pid: int) -> int:
    """Bytes of a process that are in memory; 0 once it has ended."""
    try:
        return PAGE * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def peak(pid: int) -> int:
    """The most bytes that a process has had in memory; 0 once it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0


def blocks(folder: Path) -> int:
    """Bytes of disk that the files below a folder take."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += 512 * os.lstat(os.path.join(where, name)).st_blocks
    return total


def machine(cores: int) -> dict:
    """What a measurement was made on."""
    words = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    processor = next((text.strip() for key, text in words.items() if key.strip() == "model name"), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    return {"processor": processor, "cores": cores, "memory_bytes": memory, "system": platform.platform()}


def work(run) -> tuple[object, dict]:
    """What a call in this process returns, and its seconds and memory: what the process held before, and its peak."""
    # From here on the kernel counts the peak anew; where it may not, what came before counts, too.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before, started = resident(os.getpid()), time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    return result, {"seconds": seconds, "before_bytes": before, "peak_bytes": peak(os.getpid())}
