"""What Snakemake plans: whole runs, extensions, and refusals."""

import re
import subprocess
from collections import Counter

import pytest
import yaml
from rnalm.config import load, split_names
from snake import ROOT, planned, snakemake

DEMO = ("--profile", "workflow/profiles/demo")


def settings(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def expected(config: dict) -> dict[str, int]:
    """{rule: jobs} of a whole run, counted from its config."""
    tasks = [load(ROOT / path, "task") for path in config["tasks"].values()]
    # splits, with folds counted one by one
    sizes = [(task, len(split_names(task))) for task in tasks]
    sources = {(name, part["release"]) for name, part in config["corpus"]["sources"].items()}
    once = (
        "deduplicate",
        "cluster",
        "hold_out",
        "draw_audit",
        "corpus_report",
        "export",
        "atlas",
        "interpret",
        "collect",
        "report",
        "all",
    )
    pretrain = config["pretrain"]
    return {
        **dict.fromkeys(once, 1),
        "retrieve": len(sources | {(task["source"]["name"], task["source"]["release"]) for task in tasks}),
        "normalise": len(config["corpus"]["sources"]),
        "draw": pretrain["epochs"],
        "pretrain": -(-pretrain["epochs"] // pretrain["segment_epochs"]),
        "task_data": len(tasks),
        "leakage": len(tasks),
        "finetune": sum(splits * len(task["inits"]) * task["seeds"] for task, splits in sizes),
        "evaluate": sum(splits * len(task["inits"]) for task, splits in sizes),
        "baseline": sum(splits * len(task["baselines"]) for task, splits in sizes),
    }


def refusal(clone, *options) -> str:
    """The one line in which a run that must not start ends."""
    done = snakemake(*options, cwd=clone)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return error


def test_paper_run_is_planned_verbatim_from_a_clone(clone):
    jobs = planned("--profile", "slurm", "-n", "all", cwd=clone)
    assert jobs == expected(settings("config/config.yaml"))
    assert (jobs["normalise"], jobs["draw"], jobs["pretrain"]) == (5, 6, 6)


def test_demo_is_planned_with_its_profile_and_without_any(clone):
    jobs = planned(*DEMO, "-n", "all", cwd=clone)
    assert jobs == expected(settings("config/demo.yaml"))
    assert planned("-n", cwd=clone) == jobs


@pytest.mark.parametrize(
    ("target", "last", "absent"),
    [
        ("corpus_all", "corpus_report", "pretrain"),
        ("pretrain_all", "export", "finetune"),
        ("tasks_all", "evaluate", "report"),
    ],
)
def test_named_targets_stop_where_they_say(clone, target, last, absent):
    jobs = planned(*DEMO, "-n", target, cwd=clone)
    assert last in jobs
    assert absent not in jobs


def test_what_is_excluded_is_known_before_anything_is_drawn(clone):
    config = settings("config/demo.yaml")
    config["corpus"]["exclude"] = {"sets": ["structure/random"]}
    (clone / "config/own.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(*DEMO, "--configfile", "config/own.yaml", "-np", "all", cwd=clone)
    commands = [line for line in done.stdout.splitlines() if line.lstrip().startswith(("Shell command:", "python "))]
    excluded = "results/corpus/demo/excluded/"
    readers = {re.search(r"scripts/(\w+)\.py", line)[1] for line in commands if excluded in line}
    assert readers >= {"exclude", "hold_out", "draw", "collect", "corpus_report"}
    plain = snakemake(*DEMO, "-np", "all", cwd=clone)
    assert "scripts/hold_out.py" in plain.stdout
    assert "exclude" not in plain.stdout.replace(str(clone), "")


def test_without_tasks_a_run_ends_in_its_model(clone):
    config = settings("config/demo.yaml")
    config["tasks"] = {}
    (clone / "config/own.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(*DEMO, "--configfile", "config/own.yaml", "-n", "all", cwd=clone)
    assert jobs["export"] == jobs["corpus_report"] == 1
    assert not {"collect", "report", "finetune", "leakage"} & set(jobs)


def test_a_cell_of_a_published_encoder_pre_trains_nothing(clone):
    (clone / "models/micro").mkdir(parents=True)
    (clone / "models/micro/model.safetensors").touch()
    config = settings("config/demo.yaml") | {"encoders": {"micro": "models/micro"}}
    (clone / "config/own.yaml").write_text(yaml.safe_dump(config))
    target = "results/tasks/structure/demo/random/pretrained-micro/manifest.json"
    jobs = planned(*DEMO, "--configfile", "config/own.yaml", "-n", "--", target, cwd=clone)
    assert set(jobs) == {"retrieve", "task_data", "finetune", "evaluate"}


STAND_IN = """
import argparse
from pathlib import Path

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--manifest", type=Path)
parser.add_argument("--ledger", type=Path, default="ledger")
parser.add_argument("--run-directory", type=Path, default=".")
arguments, _ = parser.parse_known_args()
here, table = arguments.manifest.parent, arguments.run_directory
for path in (arguments.ledger, here / "ledger.csv", here / "index.html", table / "metrics.csv", table / "ledger.csv"):
    path.exists() or path.write_text("")
arguments.manifest.write_text(" ".join(map(str, vars(arguments).values())))
"""


@pytest.fixture
def quick(clone):
    """A clone whose stages do nothing but write the files that the rules declare."""
    for rules in (clone / "workflow/rules").glob("*.smk"):
        for stage in re.findall(r"^rule (\w+):", rules.read_text(), flags=re.MULTILINE):
            (clone / f"scripts/{stage}.py").write_text(STAND_IN)
    (clone / "scripts/launch.sh").write_text('shift 3; exec python "$@"')
    return clone


def with_settings(clone, **pretrain) -> str:
    """Name of a copy of the demo's config with other settings of pretrain."""
    config = settings("config/demo.yaml")
    config["pretrain"] |= pretrain
    (clone / "config/own.yaml").write_text(yaml.safe_dump(config))
    return "config/own.yaml"


def backwards(value):
    """The same settings with the last key first."""
    return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def test_a_finished_run_has_nothing_to_do_and_more_epochs_add_only_their_own_jobs(quick):
    clone, first = quick, with_settings(quick, epochs=4, segment_epochs=2)
    done = snakemake(*DEMO, "--configfile", first, "--", "all", cwd=clone)
    assert done.returncode == 0, done.stderr
    assert planned(*DEMO, "--configfile", first, "-n", "all", cwd=clone) == {}
    assert planned(*DEMO, "--configfile", first, "-n", "pretrain_all", cwd=clone) == {}

    longer = with_settings(clone, epochs=7, segment_epochs=2)
    jobs = planned(*DEMO, "--configfile", longer, "-n", "pretrain_all", cwd=clone)
    assert jobs == {"draw": 3, "pretrain": 2, "export": 1, "pretrain_all": 1}

    elsewhere = with_settings(clone, epochs=4, segment_epochs=2, processes=1, checkpoint_steps=7)
    assert planned(*DEMO, "--configfile", elsewhere, "-n", "all", cwd=clone) == {}

    for name in (first, "config/models/demo.yaml", "config/tasks/structure_demo.yaml"):
        (clone / name).write_text(
            yaml.safe_dump(backwards(yaml.safe_load((clone / name).read_text())), sort_keys=False)
        )
    assert planned(*DEMO, "--configfile", first, "-n", "all", cwd=clone) == {}

    other = with_settings(clone, epochs=4, segment_epochs=2, weight_decay=0.1)
    jobs = planned(*DEMO, "--configfile", other, "-n", "pretrain_all", cwd=clone)
    assert jobs == {"pretrain": 2, "export": 1, "pretrain_all": 1}


def test_another_task_trains_nothing_again_where_relatives_are_excluded(quick):
    config = settings("config/demo.yaml")
    config["corpus"]["exclude"] = {"sets": ["structure/random"]}
    own = (*DEMO, "--configfile", "config/own.yaml")
    (quick / "config/own.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(*own, "--", "all", cwd=quick)
    assert done.returncode == 0, done.stderr
    config["tasks"]["again"] = config["tasks"]["structure"]
    (quick / "config/own.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(*own, "-n", "all", cwd=quick)
    assert jobs["leakage"] == jobs["task_data"] == 1
    assert not {"exclude", "hold_out", "draw", "pretrain", "export"} & set(jobs)


def test_other_rules_of_selection_normalise_again_what_they_select(quick):
    lock = settings("config/releases.lock.yaml")
    files = [{"path": "x.fa", "format": "fasta", "use": "corpus"}]
    entry = {key: lock["rfam"]["demo"][key] for key in ("base_url", "note", "licence")}
    lock["rfam"]["all"] = {**entry, "files": files}
    lock["rfam"]["some"] = {**entry, "files": [files[0] | {"select": "nt_titles"}]}
    (quick / "config/releases.lock.yaml").write_text(yaml.safe_dump(lock))
    for release, jobs in (("all", {}), ("some", {"normalise": 1})):
        target = f"results/normalised/rfam/{release}/16-8192nt-n0.1/manifest.json"
        done = snakemake(*DEMO, target, cwd=quick)
        assert done.returncode == 0, done.stderr
        rules = quick / "resources/nt_rules.yaml"
        rules.write_text(rules.read_text() + "# other rules\n")
        assert planned(*DEMO, "-n", target, cwd=quick) == jobs


def with_corpus(clone, **corpus) -> tuple:
    """Options that plan the corpus of the demo's config with other settings of corpus."""
    config = settings("config/demo.yaml")
    config["corpus"] |= corpus
    path = f"config/{corpus['name']}.yaml"
    (clone / path).write_text(yaml.safe_dump(config))
    return (*DEMO, "--configfile", path)


def test_an_update_reads_only_what_is_new_and_compares_with_the_earlier_corpus(quick):
    lock = settings("config/releases.lock.yaml")
    lock["rfam"]["demo-2"] = lock["rfam"]["demo"]
    (quick / "config/releases.lock.yaml").write_text(yaml.safe_dump(lock))
    sources = {"rfam": {"release": "demo"}, "rnacentral": {"release": "26.0"}}
    first = with_corpus(quick, name="old", sources=sources)
    done = snakemake(*first, "--", "corpus_all", cwd=quick)
    assert done.returncode == 0, done.stderr

    update = with_corpus(quick, name="new", previous="old", sources=sources | {"rfam": {"release": "demo-2"}})
    jobs = planned(*update, "-n", "corpus_all", cwd=quick)
    assert [jobs[rule] for rule in ("retrieve", "normalise", "deduplicate", "cluster", "delta")] == [1, 1, 1, 1, 1]
    done = snakemake(*update, "-p", "--", "corpus_all", cwd=quick)
    assert done.returncode == 0, done.stderr
    (clustered,) = [line for line in done.stderr.splitlines() if "scripts/cluster.py" in line]
    assert "--previous results/corpus/old/clusters.manifest.json " in clustered
    (compared,) = [line for line in done.stderr.splitlines() if "scripts/delta.py" in line]
    assert "--previous-sequences results/corpus/old/sequences/manifest.json " in compared
    for options in (first, update):
        assert planned(*options, "-n", "corpus_all", cwd=quick) == {}


def test_an_update_of_a_corpus_that_is_not_there_ends_in_one_line(clone):
    error = refusal(clone, *with_corpus(clone, name="new", previous="old"), "-n", "corpus_all")
    assert "does not exist" in error and "make corpus old first" in error


def test_segments_continue_each_other(clone):
    config = with_settings(clone, epochs=5, segment_epochs=2)
    done = snakemake("--configfile", config, "-np", "pretrain_all", cwd=clone)
    commands = [line for line in done.stdout.splitlines() if "scripts/pretrain.py" in line]
    starts = sorted(line.split("--first-epoch ")[1].split()[0] for line in commands)
    assert starts == ["0", "2", "4"]
    assert Counter("--previous" in line for line in commands) == {True: 2, False: 1}
    last = next(line for line in commands if "--first-epoch 4" in line)
    assert "--previous results/pretrain/demo/epochs-004/manifest.json" in last
    assert last.count("draws/epoch-") == 1


@pytest.mark.parametrize("profile", [("--profile", "slurm"), DEMO, ("--cores", "1")])
@pytest.mark.parametrize("dry", [("-n",), ()])
def test_an_unknown_key_ends_in_one_line_before_anything_starts(clone, profile, dry):
    text = (ROOT / "config/demo.yaml").read_text().replace("batch_size:", "batchsize:")
    (clone / "own.yaml").write_text(text)
    error = refusal(clone, *profile, *dry, "--configfile", "own.yaml", "--", "all")
    assert "own.yaml: unknown key 'pretrain.batchsize'; the nearest known key is 'batch_size'" in error
    assert not (clone / "results").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config/deepspeed/zero1_bf16.json", None, "cannot be read (No such file or directory)"),
        ("config/deepspeed/zero1_bf16.json", "{bf16: on}", "is not valid JSON"),
        (
            "config/deepspeed/zero1_bf16.json",
            '{"zero_optimization": {"stage": 2}}',
            "has the zero_optimization.stage 2",
        ),
        ("config/models/demo.yaml", "family: rinalmo\ndim: 128\nlayers: 4\nheads: 5", "key 'dim' is wrong"),
    ],
    ids=["no DeepSpeed file", "no JSON", "another stage of ZeRO", "heads"],
)
def test_a_file_that_the_config_names_is_checked_before_anything_starts(clone, name, text, said):
    (clone / name).unlink()
    text is None or (clone / name).write_text(text)
    assert refusal(clone, *DEMO, "-n", "all").startswith(f"error: {name}: {said}")


def test_an_address_is_one_word_of_the_shell_command(clone):
    config = settings("config/demo.yaml")
    config["corpus"]["sources"]["rfam"]["base_url"] = "file:my folder; touch broken"
    (clone / "config/own.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(*DEMO, "--configfile", "config/own.yaml", "-np", "resources/rfam/demo/manifest.json", cwd=clone)
    assert "--base-url 'file:my folder; touch broken' --manifest" in done.stdout + done.stderr


def test_processes_that_the_nodes_cannot_share_are_refused():
    command = ["bash", ROOT / "scripts/launch.sh", "7", "2", "8", "none.py"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: pretrain.processes: 7 do not divide into 2 nodes; give a multiple of 2\n"


def test_a_release_that_is_not_pinned_ends_in_one_line(clone):
    text = (ROOT / "config/demo.yaml").read_text().replace("release: demo", "release: domo")
    (clone / "own.yaml").write_text(text)
    error = refusal(clone, *DEMO, "--configfile", "own.yaml", "-n", "all")
    assert error == "error: config/releases.lock.yaml: has no release of rfam 'domo'; the nearest one is 'demo'"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"note": None}, "key 'note' is missing"),
        ({"files": [{"path": "x", "format": "fata", "use": "corpus"}]}, "key 'files.0.format' is wrong: 'fata'"),
    ],
)
def test_a_mistake_in_the_lock_ends_in_one_line_before_anything_starts(clone, change, said):
    lock = settings("config/releases.lock.yaml")
    entry = {key: value for key, value in (lock["rfam"]["demo"] | change).items() if value is not None}
    (clone / "config/releases.lock.yaml").write_text(yaml.safe_dump({"rfam": {"demo": entry}}))
    assert refusal(clone, *DEMO, "-n", "all").startswith(f"error: config/releases.lock.yaml, rfam demo: {said}")


def test_a_missing_source_file_fails_the_download_in_one_line(clone):
    (clone / "resources/demo/rfam/fasta_files/U1.fa.gz").unlink()
    done = snakemake(*DEMO, "resources/rfam/demo/manifest.json", cwd=clone)
    assert done.returncode == 1
    log = (clone / "results/logs/retrieve/rfam/demo.log").read_text()
    assert [line for line in log.splitlines() if line.startswith("error: ") and "U1.fa.gz" in line]
    assert "Traceback" not in log
    assert not (clone / "resources/rfam/demo/manifest.json").exists()
