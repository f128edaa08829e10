# Names, paths and helpers that the rules share.

import datetime
import json
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir).parent / "scripts"))

from rnalm import config as settings
from rnalm.errors import InputError, exits
from rnalm.sequences import releases, selection

# Not merged with a file from the command line: a section of the demo must not leak into another run.
if not workflow.configfiles:

    configfile: "config/demo.yaml"


@exits
def checked(config):
    """(config, {task: its settings}, the model's settings), all checked."""
    where = ", ".join(map(str, workflow.configfiles))
    config = settings.check(config, where)
    tasks = {task: settings.load(path, "task") for task, path in config["tasks"].items()}
    settings.check_excluded_splits(config, tasks, where)
    settings.check_deepspeed(config["pretrain"]["deepspeed"])
    return config, tasks, settings.load(f"config/models/{config['model']}.yaml", "model")


def canonical(value):
    """Settings as a rule's parameter: JSON that does not depend on the order of the lines they were read from."""
    return json.dumps(value, sort_keys=True)


config, TASKS, MODEL = checked(config)
RUN, CORPUS, SEED = config["run"], config["corpus"]["name"], config["seed"]
SOURCES = {source: part["release"] for source, part in config["corpus"]["sources"].items()}
LOCK = config["releases"]
NT_RULES = "resources/nt_rules.yaml"
TODAY = datetime.date.today().isoformat()
EPOCHS = config["pretrain"]["epochs"]
# Keys of config["pretrain"] that shape the job, not the segment it makes, and keys of the segment that do not shape the
# model: a change of either must not train anything again.
LAUNCH = ("epochs", "segment_epochs", "processes", "device", "deepspeed")
OPERATION = (
    *("tokens_per_microbatch", "checkpoint_steps", "validate_steps", "log_steps"),
    *("compile", "activation_checkpointing"),
)


wildcard_constraints:
    source=r"[a-z][a-z0-9_]*",
    release=r"[^/]+",
    limits=r"[^/]+",
    corpus=re.escape(CORPUS),
    run=re.escape(RUN),
    epoch=r"\d{3}",
    epochs=r"\d{3}",
    task=r"[a-z][a-z0-9_]*",
    split=r"[^/-]+",
    start="(pretrained|frozen|lora|random|onehot|kmer|zeroshot|zeroshot_p0)(-[a-z0-9_]+)?",
    replicate=r"\d+",
    baseline=r"[a-z0-9_]+",


# Downloads


def task_source(wildcards):
    """Manifest of the download that a task's data is made from."""
    source = TASKS[wildcards.task]["source"]
    return f"resources/{source['name']}/{source['release']}/manifest.json"


def base_url(wildcards):
    """Command-line option with a release's address in the config; empty for the pinned one."""
    asked = {(source, part["release"]): part["base_url"] for source, part in config["corpus"]["sources"].items()}
    address = asked.get((wildcards.source, wildcards.release))
    return f"--base-url {shlex.quote(address)}" if address else ""


@exits
def pinned(wildcards):
    """What the lock file says of a release, checked: a change of it, and of nothing else there, downloads again."""
    entry = releases.find(LOCK, wildcards.source, wildcards.release)
    releases.parse(LOCK, wildcards.source, wildcards.release, entry)
    return canonical(entry)


@exits
def selection_files(wildcards):
    """The rules that say which records of a release are taken, and their lists; empty where all are."""
    entry = releases.find(LOCK, wildcards.source, wildcards.release)
    found = releases.parse(LOCK, wildcards.source, wildcards.release, entry).files
    names = {file.select for file in found if file.select}
    return sorted({str(path) for name in names for path in selection.load(NT_RULES, name).files})


# Corpus and draws


LIMITS = "{min_length}-{max_length}nt-n{max_n_fraction}".format_map(config["corpus"])
NORMALISED = [f"results/normalised/{source}/{release}/{LIMITS}/manifest.json" for source, release in SOURCES.items()]
SEQUENCES = f"results/corpus/{CORPUS}/sequences/manifest.json"
CLUSTERS = f"results/corpus/{CORPUS}/clusters.manifest.json"
VALIDATION = f"results/corpus/{CORPUS}/draws/validation/manifest.json"
# Benchmark items in the corpus; what is excluded for their sake, and the ledger without it.
LEAKAGE = [f"results/corpus/{CORPUS}/leakage/{task}/manifest.json" for task in TASKS]
EXCLUDE = config["corpus"].get("exclude")
# Of the tasks that it names alone: another task must not train anything again.
EXCLUDE_LEAKAGE = [f"results/corpus/{CORPUS}/leakage/{task}/manifest.json" for task in settings.excluded_tasks(config)]
EXCLUDED = [f"results/corpus/{CORPUS}/excluded/manifest.json"] if EXCLUDE else []
LEDGER = f"results/corpus/{CORPUS}/excluded/ledger.csv" if EXCLUDE else f"results/corpus/{CORPUS}/ledger.csv"
CORPUS_REPORT = f"results/corpus/{CORPUS}/report/manifest.json"
CORPUS_MANIFESTS = [*NORMALISED, SEQUENCES, CLUSTERS, *EXCLUDED, VALIDATION]


def corpus_directory(wildcards):
    """Where the corpus lies."""
    return f"results/corpus/{CORPUS}"


def excluded_option(wildcards):
    """Command-line option that names what is excluded; empty where nothing is."""
    return " ".join(f"--excluded {path}" for path in EXCLUDED)


def draws(first, end):
    """Manifests of the draws of epochs first..end-1."""
    return [f"results/corpus/{CORPUS}/draws/epoch-{epoch:03d}/manifest.json" for epoch in range(first, end)]


def split_strands_option(wildcards):
    """Command-line option that makes reversed members clusters of their own; empty where the config does not ask."""
    return "--split-strands" if config["corpus"]["cluster"]["split_strands"] else ""


# Update of an earlier corpus


PREVIOUS = config["corpus"]["previous"]
DELTA = [f"results/corpus/{CORPUS}/delta/manifest.json"] if PREVIOUS else []


@exits
def previous_manifest(name):
    """A manifest of the earlier corpus, in a list; empty if there is none to update. It is never made again."""
    path = Path(f"results/corpus/{PREVIOUS}/{name}")
    if PREVIOUS and not path.is_file():
        problem = "does not exist, though the config updates that corpus (corpus.previous)"
        raise InputError(path, problem, f"make corpus {PREVIOUS} first, with its own config, or leave the key out")
    return [str(path)] if PREVIOUS else []


def previous_clusters(wildcards):
    """Manifest of the clusters whose ids are kept, in a list; empty if there is no earlier corpus."""
    return previous_manifest("clusters.manifest.json")


def previous_sequences(wildcards):
    """Manifest of the earlier corpus's sequences, in a list."""
    return previous_manifest("sequences/manifest.json")


def previous_excluded(wildcards):
    """Manifest of what was excluded from the earlier corpus, in a list; empty where nothing was."""
    path = f"results/corpus/{PREVIOUS}/excluded/manifest.json"
    return [path] if Path(path).is_file() else []


def compared_tasks():
    """Tasks whose items were searched against the earlier corpus too."""
    return [task for task in TASKS if Path(f"results/corpus/{PREVIOUS}/leakage/{task}/manifest.json").is_file()]


def previous_leakage(wildcards):
    """Manifests of the searches against the earlier corpus."""
    return [f"results/corpus/{PREVIOUS}/leakage/{task}/manifest.json" for task in compared_tasks()]


def compared_leakage(wildcards):
    """Manifests of the searches of the same tasks against this corpus."""
    return [f"results/corpus/{CORPUS}/leakage/{task}/manifest.json" for task in compared_tasks()]


# Pre-training: a chain of segments, each named by the epochs that are done at its end


def segment(end):
    """Manifest of the segment that ends after `end` epochs."""
    return f"results/pretrain/{RUN}/epochs-{end:03d}/manifest.json"


def first_epoch(wildcards):
    """First epoch (from 0) of a segment."""
    length = config["pretrain"]["segment_epochs"]
    return (int(wildcards.epochs) - 1) // length * length


def segment_draws(wildcards):
    """Manifests of the draws of a segment's epochs, in order."""
    return draws(first_epoch(wildcards), int(wildcards.epochs))


def previous_segment(wildcards):
    """Manifest of the segment before, in a list; empty for the first."""
    first = first_epoch(wildcards)
    return [segment(first)] if first else []


def previous_option(wildcards):
    """Command-line option that names the segment before; empty for the first."""
    return " ".join(f"--previous {path}" for path in previous_segment(wildcards))


def training(without):
    """The pretrain section as JSON, without some keys."""
    return canonical({key: value for key, value in config["pretrain"].items() if key not in without})


MODEL_CONFIG = f"config/models/{config['model']}.yaml"
# How results tables name the model.
MODEL_NAME = f"{MODEL['family']}-{config['model']}"
PRETRAINED = f"results/{RUN}/models/pretrained/manifest.json"


# Tasks


def task_config(wildcards):
    """Path of a task's settings, as a word of a shell command."""
    return shlex.quote(config["tasks"][wildcards.task])


def task_data_settings(wildcards):
    """The part of a task's settings that shapes its data, as JSON: a change of it reads the data again, a comment does not."""
    task = TASKS[wildcards.task]
    shaping = {key: task[key] for key in settings.TASK_DATA if key in task}
    return canonical(shaping | {"head": task["head"]["kind"]})


def finetune_settings(wildcards):
    """The part of a task's settings that shapes its models, as JSON."""
    return canonical({key: TASKS[wildcards.task][key] for key in ("head", "training")})


def task_head(wildcards):
    """The description of a task's head, as JSON."""
    return canonical(TASKS[wildcards.task]["head"])


# A cell of the grid: a split of a task and a start of an encoder, trained once per seed. A start is how the run's own encoder
# begins (`pretrained`), or one of config["encoders"] (`pretrained-NAME`). Features are the same beside any encoder.
FEATURES = ("onehot", "kmer")


def starts(task):
    """The starts of a task, of the run's own encoder and of the others."""
    inits = TASKS[task]["inits"]
    others = [init for init in inits if init not in FEATURES]
    return [*inits, *(f"{init}-{name}" for name in config["encoders"] for init in others)]


def encoder_of(start):
    """The other encoder that a start names; empty for the run's own."""
    return start.partition("-")[2]


def init_of(wildcards):
    """How the encoder of a start begins."""
    return wildcards.start.partition("-")[0]


def encoder_file(wildcards):
    """A file of the model directory that a cell starts from: the manifest of the run's own, the weights of others."""
    name = encoder_of(wildcards.start)
    return f"{config['encoders'][name]}/model.safetensors" if name else PRETRAINED


def model_name(wildcards):
    """How results tables name the model of a start."""
    start = wildcards.start
    return encoder_of(start) or (start if start in FEATURES else MODEL_NAME)


def cell_models(wildcards):
    """Manifests of a cell's models, one per seed."""
    cell = f"{wildcards.task}-{wildcards.split}-{wildcards.start}"
    seeds = range(SEED, SEED + TASKS[wildcards.task]["seeds"])
    return [f"results/{RUN}/models/{cell}-{seed}/manifest.json" for seed in seeds]


def evaluations(task):
    """Manifests of the evaluations of a task: each split with each start, and with the baselines."""
    names = [*starts(task), *(f"baseline-{name}" for name in TASKS[task]["baselines"])]
    return [
        f"results/tasks/{task}/{RUN}/{split}/{name}/manifest.json"
        for split in settings.split_names(TASKS[task])
        for name in names
    ]


def task_data(*heads):
    """Manifests of the data of the tasks whose head is one of these kinds."""
    return [f"results/tasks/{task}/{RUN}/data/manifest.json" for task in TASKS if TASKS[task]["head"]["kind"] in heads]


# What score maps are read against: base pairs, coding regions.
STRUCTURES = task_data(*settings.PAIR_HEADS)
CODING = task_data("positions")


def task_files(wildcards):
    """TASK=FILE of every task, as words of a shell command."""
    return " ".join(shlex.quote(f"{task}={path}") for task, path in config["tasks"].items())


def task_settings(wildcards):
    """What decides how a task's results are averaged and compared, as JSON."""
    keys = ("task", "splits", "published")
    return canonical({task: {key: found[key] for key in keys if key in found} for task, found in TASKS.items()})


def leakage_of_tasks(wildcards):
    """TASK=MANIFEST of every task's search for relatives, as words of a shell command."""
    return " ".join(f"{task}={path}" for task, path in zip(TASKS, LEAKAGE))


EVALUATIONS = [manifest for task in TASKS for manifest in evaluations(task)]
# What a run ends in: without tasks, its model.
RESULTS = [f"results/{RUN}/report/manifest.json", f"results/{RUN}/collect.manifest.json"] if TASKS else [PRETRAINED]
PUBLISHED = sorted(map(str, Path("resources/published").glob("*.csv")))
