"""ArchiveII in folds that leave a family out, RNAStrAlign in RNAret's archive, and bpRNA beside other files."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from real_data import from_data
from rnalm import config
from rnalm.errors import InputError
from rnalm.tasks import archive2, splits, structure_sets
from rnalm.tasks.records import Record

CONFIGS = Path(__file__).parents[2] / "config" / "tasks"
SETTINGS = {"source": {"name": "archive2"}}
FAMILIES = ("grp1", "tmRNA", "tRNA", "5s", "srp", "telomerase", "RNaseP", "16s", "23s")
RNAS = (
    "id,sequence,len,structure,base_pairs\n"
    '5s_One,GGGgaaaCCC,10,(((....))),"[[1, 10], [2, 9], [3, 8]]"\n'
    'tRNA_two,AGGUAACCA,9,.([...)].,"[[2, 7], [3, 8]]"\n'
    "tRNA_none,AAAA,4,....,[]\n"
)
FOLDS = "fold_name,fold_number,partition,id\r\n5s,0,test,5s_One\r\n5s,0,train,tRNA_two\r\n5s,0,valid,tRNA_none\r\n"
CT = "4 a b\n1 G 0 2 4 1\n2 A 1 3 0 2\n3 A 2 4 0 3\n4 C 3 5 1 4\n"
BPSEQ = "1 G 4\n2 A 0\n3 A 0\n4 C 1\n"


def hairpin(size: int) -> str:
    """The .bpseq of a hairpin of one pair."""
    rows = [(1, "G", size), *((n, "A", 0) for n in range(2, size)), (size, "C", 1)]
    return "".join(f"{position} {base} {partner}\n" for position, base, partner in rows)


@pytest.fixture
def tables(tmp_path):
    def write(rnas=RNAS, folds=FOLDS):
        (tmp_path / "ArchiveII.csv").write_text(rnas)
        (tmp_path / "split_famfold.csv").write_text(folds, newline="")
        return [tmp_path / "ArchiveII.csv", tmp_path / "split_famfold.csv"]

    return write


def packed(path, members: dict[str, str]):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return [path]


def test_pairs_count_from_1_and_the_family_is_the_beginning_of_the_name(tables):
    sets = archive2.from_fold_table(tables(), SETTINGS)
    assert sets == {
        "5s_test": [Record("5s_One", "5s", "GGGGAAACCC", [(0, 9), (1, 8), (2, 7)])],
        "5s_train": [Record("tRNA_two", "tRNA", "AGGTAACCA", [(1, 6), (2, 7)])],
        "5s_valid": [Record("tRNA_none", "tRNA", "AAAA", [])],
    }


def test_dot_brackets_say_the_same_as_lists_of_pairs(tables):
    with_pairs = archive2.from_fold_table(tables(), SETTINGS)
    rows = [line.split(",")[:2] + line.split(",")[3:4] for line in RNAS.splitlines()]
    paths = tables(rnas="".join(",".join(row) + "\n" for row in rows))
    assert archive2.from_fold_table(paths, SETTINGS) == with_pairs


WRONG = {
    "pair outside": ({"rnas": RNAS.replace("[1, 10]", "[1, 11]")}, "line 2: pairs a base twice, or one outside"),
    "pair from 0": ({"rnas": RNAS.replace("[1, 10]", "[0, 10]")}, "line 2: pairs a base twice, or one outside"),
    "base twice": ({"rnas": RNAS.replace("[2, 9]", "[1, 9]")}, "line 2: pairs a base twice"),
    "gap": ({"rnas": RNAS.replace("GGGgaaaCCC", "GGG-aaaCCC")}, "line 2: has gaps or blanks in its sequence"),
    "no list": ({"rnas": RNAS.replace("[[1, 10]", "1, 10]")}, "line 2: has base pairs that are no list"),
    "unknown RNA": ({"folds": FOLDS.replace("tRNA_two", "tRNA_too")}, "line 3: names tRNA_too"),
    "unknown part": ({"folds": FOLDS.replace("valid", "val")}, "line 4: has the partition 'val'"),
    "no fold table": ({"folds": "id,fold\na,1\n"}, "1 tables of RNAs and 0 of folds"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_named_with_its_line(tables, name):
    changes, problem = WRONG[name]
    with pytest.raises(InputError, match=problem):
        archive2.from_fold_table(tables(**changes), SETTINGS)


def test_folders_of_connect_tables_are_the_parts_of_the_folds(tmp_path):
    names = ["ct/fam-fold/5s/test/5s_b.ct", "ct/fam-fold/5s/test/5s_a.ct", "ct/fam-fold/5s/train/tRNA_c.ct"]
    others = ["ct/rand-fold/5s/test/5s_b.ct", "__MACOSX/ct/fam-fold/5s/test/5s_d.ct", "ct/fam-fold/5s/test/._5s_b.ct"]
    paths = packed(tmp_path / "ct-splits.tar.gz", dict.fromkeys(names + others, CT))
    sets = archive2.from_ct_folds(paths, SETTINGS)
    assert {name: [record.id for record in records] for name, records in sets.items()} == {
        "5s_test": ["5s_a", "5s_b"],
        "5s_train": ["tRNA_c"],
    }
    assert sets["5s_train"] == [Record("tRNA_c", "tRNA", "GAAC", [(0, 3)])]


def test_an_rna_that_cannot_be_read_is_named_by_its_member(tmp_path):
    paths = packed(tmp_path / "ct-splits.tar.gz", {"ct/fam-fold/5s/test/a.ct": CT.replace("4 C 3 5 1 4", "")})
    with pytest.raises(InputError, match=r"ct-splits.tar.gz, ct/fam-fold/5s/test/a.ct: has 3 complete rows of 4"):
        archive2.from_ct_folds(paths, SETTINGS)


def test_a_member_far_larger_than_any_rna_is_refused(tmp_path):
    paths = packed(tmp_path / "ct-splits.tar.gz", {"ct/fam-fold/5s/test/a.ct": "0" * 1_000_001})
    with pytest.raises(InputError, match="unpacks to more than 1000000 bytes"):
        archive2.from_ct_folds(paths, SETTINGS)


def test_rnarets_folders_are_sets(tmp_path):
    names = ["data/RNAStrAlign/16S_x.bpseq", "data/archiveII/16S_x.bpseq", "data/bpRNA/TR0/y.bpseq"]
    sets = structure_sets.from_bpseq_folders(packed(tmp_path / "a.tar.gz", dict.fromkeys(names, BPSEQ)), SETTINGS)
    assert sets == {
        folder: [Record(f"{folder}:16S_x", "16S", "GAAC", [(0, 3)])] for folder in ("RNAStrAlign", "archiveII")
    }


def test_rnastralign_is_cut_at_600_nt_and_tested_on_archive2(tmp_path):
    """RNAret's split: nine of ten RNAs for training, and what the test has is not trained on."""
    rnas = {f"RNAStrAlign/5S_{size}": size for size in (*range(20, 30), 600, 601)}
    rnas |= {f"archiveII/5S_{size}": size for size in (25, 600, 601, 31)}
    files = {f"data/{name}.bpseq": hairpin(size) for name, size in rnas.items()}
    settings = config.load(CONFIGS / "structure_rnastralign.yaml", "task")
    sets = structure_sets.from_bpseq_folders(packed(tmp_path / "datasets.tar.gz", files), settings)
    (parts,) = splits.divide(sets, settings, 1).values()
    lengths = {part: sorted(record.length for record in parts[part]) for part in parts}
    assert lengths["test"] == [25, 31, 600]
    assert sorted(lengths["train"] + lengths["valid"]) == [20, 21, 22, 23, 24, 26, 27, 28, 29]
    assert len(lengths["valid"]) == 1


def test_bprna_stands_beside_a_file_of_new_families(tmp_path):
    with zipfile.ZipFile(tmp_path / "bpRNA_dataset.zip", "w") as archive:
        archive.writestr("bpRNA_dataset/TR0/bpRNA_CRW_1.st", "GAAC\n(..)\n")
    (tmp_path / "bpRNAnew_dataset.dbn").write_text(">new\nGAAAC\n(...)\n")
    sets = structure_sets.from_st_zip_and_files(sorted(tmp_path.iterdir()), SETTINGS)
    assert {name: [record.id for record in records] for name, records in sets.items()} == {
        "TR0": ["bpRNA_CRW_1"],
        "bpRNAnew_dataset": ["new"],
    }


def test_nothing_to_read_is_said(tmp_path):
    for read in (archive2.from_ct_folds, structure_sets.from_bpseq_folders):
        with pytest.raises(InputError, match="archive2: brought no"):
            read(packed(tmp_path / "a.tar.gz", {"x/y.txt": ""}), SETTINGS)


@pytest.fixture(scope="module")
def published():
    paths = [from_data(f"structure/{name}.csv.gz") for name in ("ArchiveII", "split_famfold")]
    return archive2.from_fold_table(paths, SETTINGS)


def test_the_published_folds_test_one_whole_family_each(published):
    sizes = {"5s": 1283, "srp": 918, "tRNA": 557, "tmRNA": 462, "RNaseP": 454, "grp1": 74, "16s": 66, "telomerase": 35}
    assert {name.removesuffix("_test") for name in published if name.endswith("_test")} == set(FAMILIES)
    for family, number in (sizes | {"23s": 15}).items():
        assert len(published[f"{family}_test"]) == number
        assert {record.family for record in published[f"{family}_test"]} == {family}
        others = [*published[f"{family}_train"], *published[f"{family}_valid"]]
        assert len(others) == 3864 - number and family not in {record.family for record in others}


def test_train_and_valid_of_the_published_folds_share_sequences_which_a_split_drops(published):
    """45 sequences of the SRP fold, the fewest of all; no test shares any."""
    split = {"rule": "given", "train": "srp_train", "valid": "srp_valid", "test": "srp_test"}
    task = {"task": "structure", "splits": {"srp": split}}
    with pytest.raises(InputError, match="are the same sequence"):
        splits.divide(published, task, 1)
    parts = splits.divide(published, task | {"splits": {"srp": split | {"shared": "drop"}}}, 1)["srp"]
    without_pairs = sum(not record.label for record in published["srp_train"])
    assert len(parts["train"]) == 2653 - 85 - without_pairs
    assert (len(parts["valid"]), len(parts["test"])) == (293, 918)
