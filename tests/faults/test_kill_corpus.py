"""Every stage of the corpus, and Snakemake over them, killed with -9 at random moments and run again.

Twenty moments, drawn once from a seed and spread over the time that each stage takes uninterrupted. Half of the stages
are killed where an earlier result lies, made with other settings. At the moment of the kill every file under a final
name is the earlier or the new one as a whole, and a folder of shards holds one result or the other; after the next run
everything is as if nothing had happened, byte for byte, and nothing else is left.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml
from faulty_server import Always, FaultyServer, Slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/rfam/fasta_files"
SERVED = ("tRNA.fa.gz", "SSU_bact.fa.gz", "RNaseP_bact.fa.gz")
KILLS = {"retrieve": 4, "normalise": 4, "deduplicate": 4, "cluster": 4, "hold_out": 2, "draw": 2}
# The commands of the environment that the tests run in, and no settings of the user's.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "XDG_CONFIG_HOME": "/none"}
RUN_ONLY = ("commit", "wall_seconds", "peak_memory_bytes")
RETRIEVED = "resources/rfam/test/manifest.json"
CORPUS = "results/corpus/test"
SEQUENCES, CLUSTERS = f"{CORPUS}/sequences/manifest.json", f"{CORPUS}/clusters.manifest.json"
DRAWN = {"hold_out": f"{CORPUS}/draws/validation/manifest.json", "draw": f"{CORPUS}/draws/epoch-000/manifest.json"}
# Folders of shards that a stage replaces as a whole.
NORMALISED = "results/normalised/rfam/test/16-8192nt-n0.1/manifest.json"
FOLDERS = {"normalise": NORMALISED, "deduplicate": SEQUENCES, **DRAWN}


@dataclass(frozen=True)
class Settings:
    """What distinguishes the result from the earlier one."""

    min_length: int = 16
    max_length: int = 8192
    max_n_fraction: float = 0.1
    min_seq_id: float = 0.7
    seed: int = 42

    def commands(self) -> dict[str, list]:
        """{stage: arguments of its script}, in order; paths are relative to the project's folder."""
        drawing = ["--sequences", SEQUENCES, "--clusters", CLUSTERS, "--seed", self.seed]
        drawing += ["--validation-fraction", 0.2, "--crop", 100, "--rows-per-shard", 100]
        limits = ["--min-length", self.min_length, "--max-length", self.max_length]
        limits += ["--max-n-fraction", self.max_n_fraction, "--threads", 2]
        release = ["--source", "rfam", "--release", "test"]
        clustering = ["--min-seq-id", self.min_seq_id, "--coverage", 0.8, "--split-memory-limit", "0", "--threads", 1]
        state = ["--state", "results/.state/cluster/test"]
        deduplicated = ["--threads", 2, "--ledger", f"{CORPUS}/ledger.csv", "--manifest", SEQUENCES]
        return {
            "retrieve": [*release, "--lock", "lock.yaml", "--manifest", RETRIEVED],
            "normalise": [*release, *limits, "--retrieved", RETRIEVED, "--manifest", NORMALISED],
            "deduplicate": ["--normalised", NORMALISED, *deduplicated],
            "cluster": ["--sequences", SEQUENCES, *clustering, *state, "--manifest", CLUSTERS],
            "hold_out": [*drawing, "--manifest", DRAWN["hold_out"]],
            "draw": [*drawing, "--epoch", 0, "--manifest", DRAWN["draw"]],
        }


NEW, EARLIER = Settings(), Settings(min_length=70, min_seq_id=0.9, seed=7)
STAGES = tuple(NEW.commands())


@pytest.fixture(scope="module")
def server():
    """Address of the demo's files, which come slowly enough that a kill finds a transfer on its way."""
    with FaultyServer() as server:
        server.serve(DEMO)
        server.faults = {name: [Always(Slow(4096, 0.02))] for name in server.files}
        yield server.url


class Project:
    """A folder in which the stages run."""

    def __init__(self, folder: Path, address: str):
        self.folder = folder
        folder.mkdir()
        files = [{"path": name, "format": "fasta", "use": "corpus", "rna_type": "rRNA"} for name in SERVED]
        release = {"base_url": address, "note": "", "licence": "", "files": files}
        (folder / "lock.yaml").write_text(yaml.safe_dump({"rfam": {"test": release}}))

    def start(self, stage: str, settings: Settings = NEW) -> subprocess.Popen:
        command = [sys.executable, ROOT / "scripts" / f"{stage}.py", *settings.commands()[stage]]
        return start(command, self.folder)

    def finish(self, stage: str, settings: Settings = NEW) -> float:
        """Run a stage to its end; returns the seconds it took."""
        started = time.monotonic()
        assert self.start(stage, settings).wait(timeout=120) == 0, (self.folder / "log").read_text()
        return time.monotonic() - started

    def take(self, other: "Project", names) -> None:
        """Some files of another project."""
        for name in names:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(other.folder / name, target)


def start(command: list, folder: Path) -> subprocess.Popen:
    """Run a command in a session of its own, so that a kill reaches its children and nothing else."""
    with open(folder / "log", "w") as log:
        return subprocess.Popen(
            list(map(str, command)), cwd=folder, stdout=log, stderr=log, env=ENVIRONMENT, start_new_session=True
        )


def kill(process: subprocess.Popen, folder: Path) -> bool:
    """End a process and all its children at once; whether it was still running."""
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    psutil.wait_procs(children, timeout=30)
    assert status in (0, -signal.SIGKILL), (folder / "log").read_text()
    return status == -signal.SIGKILL


def files(folder: Path) -> dict[str, object]:
    """{path: content} of all files below results and resources, hidden ones too."""
    paths = [path for top in ("resources", "results") for path in (folder / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): content(path) for path in sorted(paths)}


def content(file: Path):
    """The bytes of a file; a manifest without what differs between runs."""
    if not file.name.endswith("manifest.json"):
        return file.read_bytes()
    return {key: value for key, value in json.loads(file.read_text()).items() if key not in RUN_ONLY}


@dataclass
class Reference:
    """A project in which all stages ran through: the files and the seconds after each."""

    project: Project
    states: dict[str, dict]
    seconds: dict[str, float]

    def before(self, stage: str) -> dict:
        """What is there when a stage starts."""
        return {"": {}, **self.states}[("", *STAGES)[STAGES.index(stage)]]


def run_through(project: Project, settings: Settings) -> Reference:
    states, seconds = {}, {}
    for stage in STAGES:
        seconds[stage] = project.finish(stage, settings)
        states[stage] = files(project.folder)
    return Reference(project, states, seconds)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, server) -> Reference:
    return run_through(Project(tmp_path_factory.mktemp("uninterrupted") / "project", server), NEW)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, server) -> Reference:
    return run_through(Project(tmp_path_factory.mktemp("earlier") / "project", server), EARLIER)


def moments() -> list[tuple[str, float, bool]]:
    """(stage, share of its time, whether an earlier result is there): one in each equal part of a stage's time."""
    rng = random.Random(20)
    return [
        (stage, (number + rng.random()) / kills, stage != "retrieve" and number % 2 == 1)
        for stage, kills in KILLS.items()
        for number in range(kills)
    ]


@pytest.mark.parametrize(("stage", "share", "over"), moments())
def test_killed_at_any_moment_and_run_again(stage, share, over, uninterrupted, earlier, server, tmp_path):
    moment, killed = share * uninterrupted.seconds[stage], False
    while not killed:
        project = Project(tmp_path / f"{moment:.6f}", server)
        project.take(uninterrupted.project, uninterrupted.before(stage))
        if over:
            project.take(earlier.project, earlier.states[stage].keys() - earlier.before(stage).keys())
        before, after = files(project.folder), uninterrupted.states[stage]
        running = project.start(stage)
        time.sleep(moment)
        # A stage that was faster than its uninterrupted run is met earlier.
        killed, moment = kill(running, project.folder), moment / 2
    found = files(project.folder)
    check_whole(found, before, after)
    if stage in FOLDERS:
        check_one_result(found, before, after, str(Path(FOLDERS[stage]).parent))
    project.finish(stage)
    assert differing(files(project.folder), after) == []


def differing(found: dict, expected: dict) -> list[str]:
    """Names of the files that only one has, or that hold something else."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def check_whole(found: dict, before: dict, after: dict) -> None:
    """Every file holds the earlier or the new content, but for hidden ones, parts of transfers and working folders."""
    for name, held in found.items():
        if not re.search(r"(^|/)\.|\.part$", name):
            known = [state[name] for state in (before, after) if name in state]
            assert held in known, f"{name} is neither the earlier file nor the new one"


def check_one_result(found: dict, before: dict, after: dict, folder: str) -> None:
    """A folder of shards holds those of one result, with or without their manifest, or it is not there."""

    def shards(state: dict) -> dict:
        return {name: held for name, held in state.items() if name.startswith(folder) and name.endswith(".parquet")}

    assert shards(found) in ({}, shards(before), shards(after)), f"{folder} mixes two results"


def workflow(folder: Path) -> Path:
    """A copy of what Snakemake needs for the demo's corpus."""
    for name in ("workflow", "config", "envs", "scripts", "tests/configs", "resources/demo"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for path in (ROOT / "resources").glob("*.yaml"):
        shutil.copy(path, folder / "resources")
    return folder


def made(folder: Path) -> dict:
    """The corpus of a project and its downloads, without what holds times: logs, the report, hashes of manifests."""
    timed = re.compile(r"results/(logs|benchmarks|corpus/\w+/report)/")
    found = {name: held for name, held in files(folder).items() if not timed.match(name)}
    for name, held in found.items():
        if name.endswith("manifest.json"):
            found[name] = held | {"inputs": [item["path"] for item in held["inputs"]]}
    return found


SNAKEMAKE = ["snakemake", "--nocolor", "--profile", "workflow/profiles/demo", "--configfile", "tests/configs/mini.yaml"]


def test_snakemake_killed_twice_and_run_again(tmp_path):
    reference, project = workflow(tmp_path / "reference"), workflow(tmp_path / "project")
    started = time.monotonic()
    assert start([*SNAKEMAKE, "--", "corpus_all"], reference).wait(timeout=300) == 0, (reference / "log").read_text()
    seconds, rng = time.monotonic() - started, random.Random(21)
    for part in (0, 1):
        moment, killed = (part + rng.random()) / 3 * seconds, False
        while not killed:
            running = start([*SNAKEMAKE, "--", "corpus_all"], project)
            time.sleep(moment)
            killed, moment = kill(running, project), moment / 2
        assert start([*SNAKEMAKE, "--unlock"], project).wait(timeout=120) == 0, (project / "log").read_text()
    assert start([*SNAKEMAKE, "--", "corpus_all"], project).wait(timeout=300) == 0, (project / "log").read_text()
    assert differing(made(project), made(reference)) == []
