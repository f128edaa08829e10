"""Own data without code: the examples of docs/own_task.md are read, divided, checked; wrong files end in one line."""

import re
from pathlib import Path

import pytest
import yaml
from rnalm import config
from rnalm.cli import main
from rnalm.errors import InputError
from rnalm.sequences import releases
from rnalm.structure.files import Structure, write_bpseq, write_ct, write_dbn, write_st
from rnalm.tasks import dataset, kinds, splits, table
from rnalm.tasks.records import Record
from rnalm.training.finetuning import Settings, finetune
from rnalm.training.prediction import predict
from rnalm.training.starts import begin
from small_models import TINY, encoder

PAGE = Path(__file__).parents[2] / "docs" / "own_task.md"
EXAMPLES = dict(re.findall(r"^`([\w.]+)`\n\n```\w*\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
TASKS = sorted(name for name in EXAMPLES if name.endswith(".yaml") and "lock" not in name)
PAIRS, CLASSES, NUMBER, POSITIONS = ({"kind": kind} for kind in ("pairs", "classes", "scalar", "positions"))


@pytest.fixture
def example(tmp_path):
    """A function that writes an example's files: name of its YAML -> (YAML, data)."""

    def write(name: str) -> tuple[Path, Path]:
        data = next(file for file in EXAMPLES if Path(file).stem == Path(name).stem and file != name)
        for file in (name, data):
            (tmp_path / file).write_text(EXAMPLES[file])
        return tmp_path / name, tmp_path / data

    return write


def read(folder: Path, head: dict, name: str, text: str, **data) -> list[Record]:
    """The records of a file that is one set."""
    (folder / name).write_text(text)
    settings = {"source": {"name": "mine"}, "head": head, "data": data}
    (records,) = table.READERS["table"]([folder / name], settings).values()
    return records


def test_every_kind_has_an_example():
    assert {yaml.safe_load(EXAMPLES[name])["head"]["kind"] for name in TASKS} == {
        "scalar", "classes", "positions", "pairs",
    }  # fmt: skip
    assert len(TASKS) == 5, "and one of a pair of molecules"
    assert all(EXAMPLES[name].count("\n") <= 10 for name in TASKS), "ten lines make a task"


@pytest.mark.parametrize("name", TASKS)
def test_an_example_is_read_and_divided(example, name):
    settings_file, data = example(name)
    settings = config.load(settings_file, "task")
    sets = dataset.read([data], settings)
    for parts in splits.divide(sets, settings, seed=1).values():
        assert all(parts.values())
        assert sum(map(len, parts.values())) == sum(map(len, sets.values()))


@pytest.mark.parametrize("init", ["pretrained", "onehot"])
@pytest.mark.parametrize("name", TASKS)
def test_an_example_is_learnt_and_scored(example, name, init):
    settings_file, data = example(name)
    settings = config.load(settings_file, "task")
    (parts, *_) = splits.divide(dataset.read([data], settings), settings, seed=1).values()
    kind = kinds.module(settings["head"])
    head = kind.described(settings["head"], parts["train"])
    training = Settings(**settings["training"] | {"epochs": 1, "precision": "fp32"})
    model, head, training = begin(init, encoder(TINY), head, training, seed=1)
    result = finetune(model, head, parts["train"], parts["valid"], training, seed=1)
    head |= result.fitted
    table = kind.table(parts["test"], predict(model, head, parts["test"]), head)
    assert table["id"].to_list() == [record.id for record in parts["test"]]
    assert kind.scores.metrics(table)


@pytest.mark.parametrize("name", TASKS)
def test_an_example_passes_its_intake(example, capsys, name):
    settings_file, data = example(name)
    main(["intake", str(settings_file), "--data", str(data)])
    assert capsys.readouterr().out.startswith("set ")


def test_the_lock_of_the_page_is_one(tmp_path):
    (tmp_path / "lock.yaml").write_text(EXAMPLES["mine.lock.yaml"])
    assert releases.load_release(tmp_path / "lock.yaml", "mine", "1").files[0].path == "half_life.csv"


def test_what_the_examples_say(example):
    found = {}
    for name in TASKS:
        settings_file, data = example(name)
        sets = dataset.read([data], config.load(settings_file, "task"))
        found[Path(name).stem] = [record for records in sets.values() for record in records]
    assert found["half_life"][1] == Record("b", "", "GGACTTAAGC", 0.25)
    assert found["compartment"][5] == Record("t6", "C", "GGACAAAAGC", "cytosol")
    assert {tuple(record.label) for record in found["modified"]} == {(0, 0, 1, 0, 0, 0, 0, 0, 1, 0)}
    assert [record.label for record in found["contacts"]] == [
        [(0, 9), (1, 8), (2, 7)], [(0, 9), (1, 8), (2, 7)], [(0, 9), (1, 8)], [(1, 6), (2, 7)],
    ]  # fmt: skip
    assert found["binds"][1] == Record("binds:2", "fhlA", "GGACTTTAGC", "no", "GCTAAAGTAA")


def test_the_last_word_of_a_header_is_the_label(tmp_path):
    records = read(tmp_path, CLASSES, "a.fasta", ">RF00001_A.1/2-3 5S rRNA  5S_rRNA\nACGU\n>b tRNA\nGG\nCC\n")
    assert records == [Record("RF00001_A.1/2-3", "", "ACGT", "5S_rRNA"), Record("b", "", "GGCC", "tRNA")]


def test_a_space_after_the_header_sign_is_no_name(tmp_path):
    """As in CONTRAfold's files, `> SSTRAND_ID=...`."""
    (record,) = read(tmp_path, CLASSES, "a.fa", "> SSTRAND_ID=ASE_00001 RNaseP\nACGU\n")
    assert (record.id, record.label) == ("SSTRAND_ID=ASE_00001", "RNaseP")
    (record,) = read(tmp_path, PAIRS, "a.dbn", "> SSTRAND_ID=ASE_00001\nGAAAC\n(...)\n")
    assert (record.id, record.label) == ("SSTRAND_ID=ASE_00001", [(0, 4)])


def test_a_header_of_one_word_has_no_label(tmp_path):
    with pytest.raises(InputError, match="record b: has no label in its header"):
        read(tmp_path, CLASSES, "a.fa", ">a x\nACGU\n>b\nACGU\n")


def test_files_of_structures_give_pairs(tmp_path):
    item = Structure("x", "GGAAACCA", [(0, 6), (1, 5)])
    for suffix, write in (("dbn", write_dbn), ("ct", write_ct)):
        write(tmp_path / f"x.{suffix}", [item])
    write_bpseq(tmp_path / "x.bpseq", item)
    write_st(tmp_path / "x.st", item)
    settings = {"source": {"name": "mine"}, "head": PAIRS}
    for path in sorted(tmp_path.iterdir()):
        assert table.READERS["table"]([path], settings) == {"x": [Record("x", "", "GGAAACCA", item.pairs)]}


def test_one_column_can_be_the_family_and_the_set(tmp_path):
    text = "sequence,label,organism\nACGU,a,yeast\nGGCC,b,human\n"
    (tmp_path / "own.csv").write_text(text)
    settings = {"source": {"name": "mine"}, "head": CLASSES, "data": {"family": "organism", "set": "organism"}}
    sets = table.READERS["table"]([tmp_path / "own.csv"], settings)
    assert {name: [record.family for record in records] for name, records in sets.items()} == {
        "yeast": ["yeast"],
        "human": ["human"],
    }


def test_an_rna_without_pairs_has_an_empty_label(tmp_path):
    records = read(tmp_path, PAIRS, "a.csv", "sequence,label\nACGU,....\nACGA,\n")
    assert [record.label for record in records] == [[], []]


def test_two_files_are_two_sets(tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("sequence,label\nACGU,a\n")
    (tmp_path / "notes.txt").write_text("x")
    settings = {"source": {"name": "mine"}, "head": CLASSES}
    sets = table.READERS["table"](sorted(tmp_path.iterdir()), settings)
    assert {name: [record.id for record in records] for name, records in sets.items()} == {
        "train": ["train:1"],
        "test": ["test:1"],
    }


WRONG = {
    "no column": (NUMBER, "sequence,value\nACGU,1\n", {}, "has no column 'label', only sequence, value"),
    "named column": (NUMBER, "sequence,label\nACGU,1\n", {"family": "clan"}, "has no column 'clan'"),
    "no number": (NUMBER, "sequence,label\nACGU,1\nACGA,high\n", {}, "line 3: has 'high' where a number is due"),
    "infinite": (NUMBER, "sequence,label\nACGU,inf\n", {}, "line 2: has 'inf' where a number is due"),
    "no class": (CLASSES, "sequence,label\nACGU,\n", {}, "line 2: has no class"),
    "too few": (POSITIONS, "sequence,label\nACGU,001\n", {}, "line 2: has 3 labels for 4 nt"),
    "another digit": (POSITIONS, "sequence,label\nACGU,0012\n", {}, "'0012' where zeros and ones are due"),
    "base twice": (PAIRS, 'sequence,label\nACGU,"1-4,1-3"\n', {}, "line 2: pairs a base twice"),
    "pair from 0": (PAIRS, "sequence,label\nACGU,0-3\n", {}, "line 2: pairs a base twice, or one outside of its 4 nt"),
    "brackets": (PAIRS, "sequence,label\nACGU,(..\n", {}, "line 2: 4 letters but 3 structure symbols"),
    "unbalanced": (PAIRS, "sequence,label\nACGU,(...\n", {}, "line 2: .*never closed"),
    "gaps": (POSITIONS, "sequence,label\nAC-U,0011\n", {}, "line 2: has gaps or blanks"),
    "protein": (CLASSES, "sequence,label\nMEFLPQKWEFLPQ,a\n", {}, "line 2: has the sequence of a protein"),
    "no partner": (CLASSES, "sequence,partner,label\nACGU,,a\n", {}, "line 2: has no sequence"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_named_with_its_line(tmp_path, name):
    head, text, data, problem = WRONG[name]
    with pytest.raises(InputError, match=problem):
        read(tmp_path, head, "a.csv", text, **data)


@pytest.mark.parametrize(("header", "problem"), [("(", "no regular expression"), (r"\w+", "no group 'label'")])
def test_a_wrong_pattern_of_headers_is_refused(tmp_path, header, problem):
    with pytest.raises(InputError, match=problem):
        read(tmp_path, CLASSES, "a.fa", ">a x\nACGU\n", header=header)


def test_structures_are_no_classes(tmp_path):
    write_dbn(tmp_path / "x.dbn", [Structure("x", "GGAAACC", [(0, 6)])])
    with pytest.raises(InputError, match="record x: has no class"):
        table.READERS["table"]([tmp_path / "x.dbn"], {"source": {"name": "mine"}, "head": CLASSES})


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(InputError, match="mine: brought no table, FASTA or structures"):
        table.READERS["table"]([tmp_path / "a.pdf"], {"source": {"name": "mine"}, "head": CLASSES})
