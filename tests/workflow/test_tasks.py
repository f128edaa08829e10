"""Every kind of task through the whole workflow, on own tables that few features explain; a second encoder beside."""

import random

import polars as pl
import pytest
import yaml
from rnalm.models import directory
from small_models import TINY, encoder
from snake import planned, snakemake

CONFIG = "own/config.yaml"
TRAINING = {
    **{"epochs": 6, "batch_size": 4, "learning_rate": 1.0e-2, "precision": "fp32"},
    "unfreeze": {0: ["head"], 1: ["encoder"]},
    "unfrozen_factor": 0.1,
}
TASKS = {
    "rich": {
        "head": {"kind": "classes", "width": 8, "activation": "gelu", "pooling": "mean"},
        "seeds": 2,
        "inits": ["pretrained", "frozen", "onehot"],
    },
    "share": {"head": {"kind": "scalar", "width": 8, "blocks": 1, "padded_to": 0}, "seeds": 1, "inits": ["pretrained"]},
    "guanines": {"head": {"kind": "positions", "width": 8}, "seeds": 1, "inits": ["onehot"]},
}
METRICS = {"rich": "accuracy", "share": "r2", "guanines": "nucleotide_f1"}
SPLITS = {"rich": {"random": {"rule": "random", "valid": 0.2, "test": 0.3}}}
SPLITS["guanines"] = SPLITS["rich"]
SPLITS["share"] = {"three": {"rule": "folds", "folds": 3}}


def rnas(number: int = 90) -> list[str]:
    rng = random.Random(7)
    return ["".join(rng.choices("ACGU", (1, 1, rng.choice((0.3, 3)), 1), k=rng.randint(20, 40))) for _ in range(number)]


def label(task: str, sequence: str):
    share = sequence.count("G") / len(sequence)
    return {
        "rich": "yes" if share > 0.25 else "no",
        "share": round(10 * share, 2),
        "guanines": "".join(str(int(letter == "G")) for letter in sequence),
    }[task]


@pytest.fixture(scope="module")
def run(make_clone, tmp_path_factory):
    """The copy of the project in which all of it was made."""
    clone = make_clone(tmp_path_factory.mktemp("tasks"))
    own = clone / "own"
    own.mkdir()
    config = yaml.safe_load((clone / "tests/configs/mini.yaml").read_text())
    lock = {"rfam": yaml.safe_load((clone / config.get("releases", "config/releases.lock.yaml")).read_text())["rfam"]}
    for task, settings in TASKS.items():
        lines = [f"{task}{i},{sequence},{label(task, sequence)}" for i, sequence in enumerate(rnas())]
        (own / f"{task}.csv").write_text("\n".join(["id,sequence,label", *lines]) + "\n")
        files = [{"path": f"{task}.csv", "format": "table", "use": "task"}]
        lock[task] = {"1": {"base_url": "file:own", "note": "made", "licence": "ours", "files": files}}
        settings = {
            **{"task": task, "source": {"name": task, "release": "1"}, "reader": "table", "splits": SPLITS[task]},
            **{"training": TRAINING, **settings},
        }
        (own / f"{task}.yaml").write_text(yaml.safe_dump(settings))
    directory.save(own / "tiny", encoder(TINY), "# card")
    config |= {"run": "own", "encoders": {"tiny": "own/tiny"}, "releases": "own/lock.yaml"}
    config |= {"tasks": {task: f"own/{task}.yaml" for task in TASKS}}
    (own / "lock.yaml").write_text(yaml.safe_dump(lock))
    (clone / CONFIG).write_text(yaml.safe_dump(config))
    done = snakemake("--cores", 2, "--configfile", CONFIG, "--", "all", cwd=clone, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    return clone


@pytest.fixture(scope="module")
def metrics(run):
    return pl.read_csv(run / "results/own/metrics.csv")


def test_every_cell_of_the_grid_is_there(metrics):
    assert metrics.columns == ["task", "split", "model", "init", "metric", "value", "ci_low", "ci_high", "n"]
    cells = set(metrics.filter(~pl.col("metric").str.starts_with("fold_")).select(metrics.columns[:4]).unique().rows())
    splits = {"rich": ["random"], "share": ["three_0", "three_1", "three_2"], "guanines": ["random"]}
    starts = {"rich": [], "share": [], "guanines": []}
    for task, settings in TASKS.items():
        for init in settings["inits"]:
            starts[task] += [("onehot", init)] if init == "onehot" else [("rinalmo-demo", init), ("tiny", init)]
    every = [(task, split, *start) for task in TASKS for split in splits[task] for start in starts[task]]
    assert cells == {*every, *((task, split, "trivial", "baseline") for task in TASKS for split in splits[task])}


@pytest.mark.parametrize("task", TASKS)
def test_what_is_in_the_letters_is_learnt_from_them(metrics, task):
    rows = metrics.filter(pl.col("task") == task, pl.col("metric") == METRICS[task])
    values = {row["init"]: row["value"] for row in rows.iter_rows(named=True) if row["model"] != "tiny"}
    trivial = values.pop("baseline")
    assert max(values.values()) > max(0.6, trivial + 0.1), values


def test_folds_have_a_mean_and_seeds_a_row_each(run, metrics):
    rows = metrics.filter(pl.col("task") == "share", pl.col("model") == "tiny")
    (mean,) = rows.filter(pl.col("metric") == "fold_mean_r2")["value"]
    assert mean == pytest.approx(rows.filter(pl.col("metric") == "r2")["value"].mean())
    seeds = pl.read_csv(run / "results/own/seeds.csv").filter(pl.col("task") == "rich", pl.col("init") == "onehot")
    assert set(seeds["seed"]) == {42, 43}


def test_strata_and_page_are_made_and_nothing_is_left_to_do(run):
    strata = pl.read_csv(run / "results/own/strata.csv", infer_schema_length=None)
    assert set(strata["task"]) == set(TASKS) and set(strata["target"]) == {"corpus", "train"}
    assert "guanines" in (run / "results/own/report/index.html").read_text()
    assert not list((run / "results/.state/finetune").rglob("state.pt"))
    assert planned("--cores", 2, "--configfile", CONFIG, "-n", "all", cwd=run) == {}


def test_another_learning_rate_trains_that_task_alone(run):
    path = run / "own/rich.yaml"
    before = path.read_text()
    settings = yaml.safe_load(before)
    settings["training"]["learning_rate"] = 2.0e-2
    path.write_text(yaml.safe_dump(settings))
    jobs = planned("--cores", 2, "--configfile", CONFIG, "-n", "all", cwd=run)
    path.write_text(before)
    assert jobs["finetune"] == 2 * 5 and jobs["evaluate"] == 5
    assert not {"task_data", "pretrain", "leakage", "retrieve"} & set(jobs)
