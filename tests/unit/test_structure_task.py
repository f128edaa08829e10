"""The structure task's data: the demo's Rfam seeds, bpRNA's zip, splits, and what intake refuses."""

import gzip
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
import yaml
from real_data import DATA
from rnalm import provenance
from rnalm.errors import InputError
from rnalm.sequences import releases
from rnalm.sequences.alphabet import normalise
from rnalm.tasks import dataset, splits, structure
from rnalm.tasks import records as records_of

ROOT = Path(__file__).parents[2]
REAL = DATA / "structure"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the bpRNA sets are not on this machine")
SEEDS = ROOT / "resources" / "demo" / "rfam" / "Rfam.seed.gz"
DEMO = yaml.safe_load((ROOT / "config" / "tasks" / "structure_demo.yaml").read_text())
PAPER = yaml.safe_load((ROOT / "config" / "tasks" / "structure.yaml").read_text())
CANONICAL = {"AT", "TA", "GC", "CG", "GT", "TG"}


def downloaded(folder, *names):
    """A manifest that names files in `folder` as a download."""
    outputs = [provenance.describe(folder / name, folder) for name in names]
    (folder / "manifest.json").write_text(json.dumps({"inputs": [], "outputs": outputs}))
    return folder / "manifest.json"


def st_zip(folder, sets):
    """bpRNA_dataset.zip of {set: [(name, sequence, dot-bracket)]}, with the junk that archives carry."""
    with zipfile.ZipFile(folder / "bpRNA_dataset.zip", "w") as archive:
        archive.writestr("__MACOSX/bpRNA_dataset/TR0/._bpRNA_RFAM_1.st", b"\x00\x05")
        archive.writestr("../../bpRNA_dataset/TR0/bpRNA_RFAM_66.st", "GGGAAACCC\n(((...)))\n")
        for name, items in sets.items():
            for item, sequence, brackets in items:
                text = f"#Name: {item}\n{sequence}\n{brackets}\nEEE\n"
                archive.writestr(f"bpRNA_dataset/{name}/{item}.st", text)
    return downloaded(folder, "bpRNA_dataset.zip")


def built(settings, retrieved, folder, seed=42):
    """(data manifest, counts) of `dataset.build`."""
    paths, counts = dataset.build(settings, retrieved, seed, folder)
    return downloaded(folder, *(path.name for path in paths)), counts


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rfam")
    (folder / SEEDS.name).write_bytes(SEEDS.read_bytes())
    out = tmp_path_factory.mktemp("data")
    return built(DEMO, downloaded(folder, SEEDS.name), out)


def test_demo_records_are_the_curated_structures(demo):
    manifest, counts = demo
    records = records_of.load(manifest)
    assert (counts["read"], counts["unique"], counts["without_pairs"]) == (3251, 2357, 63)
    assert len({record.sequence for record in records.values()}) == 2357
    corpus = releases.load_release(ROOT / "config/releases.lock.yaml", "rfam", "demo").files
    assert {record.family for record in records.values()} == {file.rna_type for file in corpus if file.rna_type}
    canonical = total = 0
    for record in records.values():
        assert re.fullmatch("[ACGTRYKMSWBDHVNI]+", record.sequence)
        assert record.label == sorted(record.label)
        bases = [base for pair in record.label for base in pair]
        assert len(bases) == len(set(bases)) and all(0 <= base < record.length for base in bases)
        total += len(record.label)
        canonical += sum(record.sequence[i] + record.sequence[j] in CANONICAL for i, j in record.label)
    assert 0.9 < canonical / total < 0.98, "a projection that is off by one makes pairs non-canonical"


def test_demo_splits(demo):
    manifest, counts = demo
    for split, settings in DEMO["splits"].items():
        parts = records_of.load_split(manifest, split)
        assert {part: len(parts[part]) for part in parts} == {part: settings[part] for part in records_of.PARTS}
        ids = [record.id for part in parts.values() for record in part]
        assert len(ids) == len(set(ids))
        assert all(record.label and record.length <= DEMO["max_length"] for part in parts.values() for record in part)
        assert counts[f"{split}.train"] == settings["train"]
    assert {record.family for record in parts["test"]} == {"tRNA"}
    assert "tRNA" not in {record.family for part in ("train", "valid") for record in parts[part]}
    parts = records_of.load_split(manifest, "random")
    assert len({record.family for record in parts["train"]}) >= 6, "the cap keeps small families in"
    for family in ("tRNA", "Vault", "U1"):
        shares = [sum(record.family == family for record in part) / len(part) for part in parts.values()]
        assert max(shares) < 0.45 and min(shares) > 0, f"{family} is spread over the parts: {shares}"


def test_random_split_follows_the_seed_and_moves_only_what_is_new(demo):
    records = list(records_of.load(demo[0]).values())
    settings = DEMO | DEMO["splits"]["random"] | {"cap": 10**6}

    def split(chosen, seed):
        parts = splits.random({"all": chosen}, settings, splits.key(seed, "test"))[""]
        return {part: {record.id for record in parts[part]} for part in parts}

    assert split(records, 1) == split(records[::-1], 1), "the order of records does not matter"
    assert split(records, 1)["test"] != split(records, 2)["test"]
    before, after = split(records[5:], 1), split(records, 1)
    for part in records_of.PARTS:
        assert len(before[part] - after[part]) <= 10, "five new records move few others"


def test_fractions_and_remainders(demo):
    records = [record for record in records_of.load(demo[0]).values() if record.family == "U2"]
    parts = splits.random({"all": records}, {"rule": "random", "test": 0.2, "valid": 7}, splits.key(1))[""]
    assert {part: len(parts[part]) for part in parts} == {"test": 15, "valid": 7, "train": 77 - 22}


def test_a_part_of_a_random_split_may_be_a_set_which_is_in_no_pool(demo):
    records = [record for record in records_of.load(demo[0]).values() if record.family == "U2"]
    sets = {"all": records[:70], "other": records[60:]}
    settings = {"rule": "random", "valid": 7, "test": "other"}
    with pytest.raises(InputError, match="'shared: drop'"):
        splits.divide(sets, {"task": "structure", "splits": {"mixed": settings}}, 1)
    parts = splits.random(sets, settings | {"shared": "drop"}, splits.key(1))[""]
    assert parts["test"] == records[60:]
    assert {record.id for part in ("train", "valid") for record in parts[part]} == {one.id for one in records[:60]}
    assert len(parts["valid"]) in (6, 7)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"splits": {"family": {"rule": "family", "hold_out": "5S"}}}, "hold_out 5S.*tRNA"),
        ({"splits": {"family": {"rule": "family"}}}, "hold_out None"),
        ({"splits": {"random": {"rule": "random", "train": 60, "valid": 40, "test": 20000}}}, "20000 RNAs in test"),
        ({"splits": {"random": {"rule": "random", "test": "TS0"}}}, "test: TS0: is no set of the data"),
        ({"splits": {"given": {"rule": "given", "train": "TR0", "valid": "VL0", "test": "TS0"}}}, "train: TR0"),
        ({"expected": {"U3": 22}}, "set U3 has 21 records where 22"),
        ({"families": {"tRNA_1415": "tRNA", "nope": "tRNA"}}, "families: nope: is no alignment.*tRNA_1415.*SSU_bact"),
        ({"reader": "st_zip"}, "0 zip files"),
    ],
)
def test_wrong_settings_are_one_line(change, what, tmp_path):
    (tmp_path / SEEDS.name).write_bytes(SEEDS.read_bytes())
    with pytest.raises(InputError, match=what):
        dataset.build(DEMO | change, downloaded(tmp_path, SEEDS.name), 42, tmp_path)
    assert not list(tmp_path.glob("*.parquet"))


ALIGNMENT = """# STOCKHOLM 1.0
#=GF ID hairpin
one GGGAAAACCC
#=GC SS_cons <<<....>>>
//
"""


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (re.sub("#=GC.*\n", "", ALIGNMENT), r"x\.sto, alignment hairpin: has no consensus structure"),
        (2 * ALIGNMENT, r"x\.sto, alignment hairpin: is not the only one"),
    ],
)
def test_unusable_alignments_are_named(text, what, tmp_path):
    (tmp_path / "x.sto").write_text(text)
    with pytest.raises(InputError, match=what):
        dataset.build(DEMO | {"families": {}}, downloaded(tmp_path, "x.sto"), 42, tmp_path)


HAIRPIN = "(((....)))"
SETS = {
    "TR0": [("bpRNA_CRW_1", "gggAAAACCU", HAIRPIN), ("bpRNA_RFAM_2", "GGGAAAAUUU", "."*10)],
    "VL0": [("bpRNA_RFAM_3", "GGCAAAAGCC", HAIRPIN)],
    "TS0": [("bpRNA_SRP_4", "GACAAAAGUC", HAIRPIN), ("bpRNA_SRP_5", "AAAAAAAAAA", "."*10)],
}  # fmt: skip
SMALL = PAPER | {"expected": {"TR0": 2, "VL0": 1, "TS0": 2}}


def test_given_sets_of_a_zip(tmp_path):
    manifest, counts = built(SMALL, st_zip(tmp_path, SETS), tmp_path / "out")
    parts = records_of.load_split(manifest, "TS0")
    assert {part: [record.id for record in parts[part]] for part in parts} == {
        "train": ["bpRNA_CRW_1"],
        "valid": ["bpRNA_RFAM_3"],
        "test": ["bpRNA_SRP_4", "bpRNA_SRP_5"],
    }
    (record,) = parts["train"]
    assert (record.sequence, record.family, record.label) == ("GGGAAAACCT", "CRW", [(0, 9), (1, 8), (2, 7)])
    assert counts["without_pairs"] == 2 and counts["read"] == 5
    with pytest.raises(InputError, match="no split 'random'; choose one of TS0"):
        records_of.load_split(manifest, "random")


def test_length_limit_holds_for_training_and_for_the_test_only_where_asked(tmp_path):
    longer = {"TR0": ("bpRNA_CRW_9", "G" + "A" * 9 + "C", "(.........)"), "TS0": ("bpRNA_CRW_8", "A" * 11, "." * 11)}
    retrieved = st_zip(tmp_path, SETS | {name: [*SETS[name], item] for name, item in longer.items()})
    settings = SMALL | {"expected": {}, "max_length": 10}
    counts = built(settings, retrieved, tmp_path / "a")[1]
    assert (counts["TS0.train"], counts["TS0.test"]) == (1, 3)
    assert built(settings | {"max_length": 11}, retrieved, tmp_path / "b")[1]["TS0.train"] == 2
    assert built(settings | {"max_test_length": 10}, retrieved, tmp_path / "c")[1]["TS0.test"] == 2
    with pytest.raises(InputError, match="0 records in test"):
        built(settings | {"max_test_length": 9}, retrieved, tmp_path / "d")


def test_the_same_sequence_in_train_and_test_is_refused(tmp_path):
    twin = [("bpRNA_RFAM_8", "GGGaaaaCCT", HAIRPIN)]
    with pytest.raises(InputError, match=r"bpRNA_RFAM_8 in test and bpRNA_CRW_1 in train are the same sequence"):
        built(SMALL | {"expected": {}}, st_zip(tmp_path, SETS | {"TS0": twin}), tmp_path / "out")


def test_two_sequences_of_one_name_are_refused(tmp_path):
    namesake = [("bpRNA_CRW_1", "CCCAAAAGGG", HAIRPIN)]
    with pytest.raises(InputError, match="RNA bpRNA_CRW_1: names two"):
        built(SMALL | {"expected": {}}, st_zip(tmp_path, SETS | {"VL0": namesake}), tmp_path / "out")


def test_partial_truncated_and_unbalanced_archives_are_refused(tmp_path):
    retrieved = st_zip(tmp_path, SETS)
    with pytest.raises(InputError, match=r"set TR0 has 2 records where 10814 are expected"):
        built(PAPER, retrieved, tmp_path / "out")
    archive = tmp_path / "bpRNA_dataset.zip"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(InputError, match="is no readable archive"):
        built(SMALL, downloaded(tmp_path, archive.name), tmp_path / "out")
    retrieved = st_zip(tmp_path, SETS | {"VL0": [("bpRNA_RFAM_3", "GGCAAAAGCC", "(((....)).")]})
    with pytest.raises(InputError, match=r"VL0/bpRNA_RFAM_3\.st: .*unbalanced"):
        built(SMALL, retrieved, tmp_path / "out")
    retrieved = st_zip(tmp_path, SETS | {"VL0": [("bpRNA_RFAM_3", "G" * 1_000_000, "." * 1_000_000)]})
    with pytest.raises(InputError, match=r"VL0/bpRNA_RFAM_3\.st: unpacks to"):
        built(SMALL, retrieved, tmp_path / "out")


def run(script, *arguments):
    command = [sys.executable, ROOT / "scripts" / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_stages_from_seeds_to_collected_table(tmp_path):
    # A few labelled RNAs keep the folding short.
    seeds = tmp_path / "Rfam.seed.gz"
    seeds.write_bytes(SEEDS.read_bytes())
    config = tmp_path / "task.yaml"
    splits = {"random": {"rule": "random", "cap": 20, "train": 10, "valid": 5, "test": 30}}
    config.write_text(yaml.safe_dump(DEMO | {"splits": splits, "max_length": 200}))
    data, baseline = tmp_path / "data" / "manifest.json", tmp_path / "random" / "baseline-rnafold" / "manifest.json"
    retrieved = downloaded(tmp_path, seeds.name)
    arguments = ["--task-config", config, "--retrieved", retrieved, "--seed", "42", "--manifest", data]
    done = run("task_data.py", *arguments)
    assert done.returncode == 0, done.stderr
    made = json.loads(data.read_text())
    assert made["counts"]["random.test"] == 30 and "epochs" not in made["parameters"]

    cell = ["--task", "structure", "--task-config", config, "--split", "random", "--name", "rnafold", "--seed", "42"]
    done = run("baseline.py", *cell, "--data", data, "--manifest", baseline)
    assert done.returncode == 0, done.stderr
    (tmp_path / "ledger.csv").write_text("source,rule,records\nrfam,in,1\n")
    collected = tmp_path / "run" / "collect.manifest.json"
    arguments = ["--evaluations", baseline, "--ledger", tmp_path / "ledger.csv", "--run-directory", tmp_path / "run"]
    arguments += ["--tasks", f"structure={config}", "--published", ROOT / "resources" / "published" / "structure.csv"]
    done = run("collect.py", *arguments, "--seed", "42", "--manifest", collected)
    assert done.returncode == 0, done.stderr
    table = pl.read_csv(tmp_path / "run" / "metrics.csv")
    (f1,) = table.filter(pl.col("metric") == "relaxed_f1")["value"]
    assert 0.4 < f1 < 0.95, "RNAfold finds about two thirds of these small RNAs' pairs"
    assert (table["init"] == "baseline").all() and (table["model"] == "RNAfold").all()
    assert (tmp_path / "run" / "ledger.csv").read_text() == (tmp_path / "ledger.csv").read_text()

    before = data.read_bytes()
    with gzip.open(seeds, "rt") as handle:
        text = handle.read()
    broken = re.sub(r"(#=GC SS_cons +\S*?)<", r"\1.", text, count=1)
    seeds.write_bytes(gzip.compress(broken.encode()))
    retrieved = downloaded(tmp_path, seeds.name)
    done = run("task_data.py", "--task-config", config, "--retrieved", retrieved, "--seed", "42", "--manifest", data)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "unbalanced" in done.stderr and data.read_bytes() == before


@real
def test_bprna_as_published(tmp_path):
    sets = {}
    for name in ("TR0", "VL0", "TS0"):
        lines = gzip.decompress((REAL / f"{name}.dbn.gz").read_bytes()).decode().splitlines()
        sets[name] = list(zip((line[1:] for line in lines[::3]), lines[1::3], lines[2::3], strict=True))
    manifest, counts = built(PAPER, st_zip(tmp_path, sets), tmp_path / "out")
    assert [counts[f"set.{name}"] for name in sets] == [10814, 1300, 1305]
    assert counts["unique"] == 13419, "no sequence occurs twice, in or across the sets"
    assert (counts["without_pairs"], counts["TS0.train"], counts["TS0.test"]) == (7, 10809, 1305)
    train, test = ({normalise(item[1]) for item in sets[name]} for name in ("TR0", "TS0"))
    assert not train & test
    records = records_of.load(manifest)
    name, raw, _ = sets["TR0"][0]
    assert records[name].sequence == normalise(raw)


def test_gaps_are_refused_as_pairs_would_shift(tmp_path):
    (tmp_path / "own.dbn").write_text(">a\nGGG-AAACCC\n(((....)))\n")
    with pytest.raises(InputError, match=r"own.dbn, record a: has gaps or blanks in its sequence"):
        structure.from_files([tmp_path / "own.dbn"], {})
    gap = [("bpRNA_RFAM_9", "GGG-AAACCC", "(((....)))")]
    with pytest.raises(InputError, match=r"TS0/bpRNA_RFAM_9.st: has gaps or blanks in its sequence"):
        built(SMALL | {"expected": {}}, st_zip(tmp_path, SETS | {"TS0": gap}), tmp_path / "out")


def test_a_set_is_a_file_of_structures(tmp_path):
    for name, records in {
        "TR0": ">a\nGGGAAACCC\n(((...)))\n>b\nggguuuccc\n(((...)))\n",
        "TS0": ">c\nACGU\n....\n",
    }.items():
        with gzip.open(tmp_path / f"{name}.dbn.gz", "wt") as handle:
            handle.write(records)
    sets = structure.from_files(sorted(tmp_path.iterdir()), {})
    assert {name: [record.id for record in records] for name, records in sets.items()} == {
        "TR0": ["a", "b"],
        "TS0": ["c"],
    }
    assert sets["TR0"][1].sequence == "GGGTTTCCC" and sets["TR0"][1].label == [(0, 8), (1, 7), (2, 6)]
