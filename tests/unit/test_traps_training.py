"""Traps of fine-tuning by the published recipes and heads, each by its name."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rnalm import config
from rnalm.models import finetuned, registry
from rnalm.models.heads import ScalarHead
from rnalm.sequences.alphabet import normalise
from rnalm.structure import score
from rnalm.structure.published import assignment
from rnalm.tasks import splits, table
from rnalm.tasks.losses import allowed, allowed_pair_loss
from rnalm.tasks.records import Record
from rnalm.tokens import ernie_rna
from rnalm.tokens.packing import pack
from rnalm.training.finetuning import Run, Settings, set_rate
from rnalm.training.unfreezing import unfreeze
from small_models import TINY, close, encoder, transfer_rnas

ROOT = Path(__file__).parents[2]
CONFIGS = {path.stem: config.load(path, "task") for path in sorted(ROOT.glob("config/tasks/*.yaml"))}
RNAS = [rna.sequence for rna in transfer_rnas()[:3]] + ["ACGUACGUUACG"]


def deep() -> torch.nn.Module:
    """A narrow RiNALMo of giga's 33 blocks, with a head."""
    with torch.device("meta"):
        narrow = registry.build({**TINY, "layers": 33})
        return finetuned.build(narrow, {"kind": "classes", "width": 4, "classes": 1, "activation": "gelu"})


def unfrozen(model) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


# Unfreezing


def test_block_3_is_not_blocks_30_to_32():
    """Upstream names are regular expressions, where `blocks.3.*` matches them all."""
    model = deep().requires_grad_(False)
    unfreeze(model, ["encoder.transformer.blocks.3"])
    assert {re.search(r"blocks\.(\d+)\.", name)[1] for name in unfrozen(model)} == {"3"}


# Tasks trained as RNAret's code does it: all at once.
WHOLE = {"mirna_target", "structure_rnastralign"} | {f"mrna_lncrna_{one}" for one in ("cpat", "described", "released")}


@pytest.mark.parametrize("name", CONFIGS)
def test_no_shipped_schedule_trains_the_language_model_head_and_rnarets_alone_the_embedding(name):
    model = deep().requires_grad_(False)
    for names in CONFIGS[name]["training"]["unfreeze"].values():
        unfreeze(model, names)
    trained = unfrozen(model)
    assert any(".head." in f".{one}" for one in trained)
    assert not [one for one in trained if "lm_mask_head" in one]
    assert any("embedding" in one for one in trained) == (name in WHOLE)


@pytest.mark.parametrize("name", ["structure", "structure_archive2", "structure_bprna_new"])
def test_structures_train_the_last_12_of_33_blocks_after_15_epochs(name):
    model, training = deep().requires_grad_(False), CONFIGS[name]["training"]
    for names in training["unfreeze"].values():
        unfreeze(model, names)
    blocks = {int(match[1]) for one in unfrozen(model) if (match := re.search(r"blocks\.(\d+)\.", one))}
    assert blocks == set(range(21, 33)) and training["epochs"] == 15


def test_ribosome_load_trains_27_of_33_blocks():
    model = deep().requires_grad_(False)
    unfreeze(model, CONFIGS["ribosome_load"]["training"]["unfreeze"][3])
    blocks = {int(match[1]) for one in unfrozen(model) if (match := re.search(r"blocks\.(\d+)\.", one))}
    assert blocks == set(range(6, 33))


def test_the_backbone_runs_at_one_percent_of_the_base_rate_once_the_decay_has_ended():
    """A tenth of what the decay has left of the head's rate, not of the rate it began with."""
    head = {"kind": "pairs", "width": 8, "blocks": 1}
    settings = Settings(**CONFIGS["structure"]["training"] | {"unfreeze": {0: ["head"], 3: ["encoder"]}})
    run = Run(finetuned.build(encoder(TINY), head), head, settings)
    run.epoch = 3
    run.join()
    for step, share in ((0, 1.0), (3500, 0.55), (7000, 0.1), (100_000, 0.1)):
        set_rate(run.optimizer, settings, step)
        rates = [group["lr"] for group in run.optimizer.param_groups]
        assert rates == pytest.approx([1e-4 * share, 1e-4 * share / 10])


# Heads under batching


def test_instance_norms_of_pairs_see_neither_padding_nor_batch_mates():
    """Upstream one RNA alone and padded to 33 nt had logits that differed by 1.85."""
    model = finetuned.build(encoder(TINY), {"kind": "pairs", "width": 8, "blocks": 2}).eval()
    encoded = [model.encoder.tokeniser.encode(rna) for rna in RNAS]
    with torch.no_grad():
        together = model(pack(encoded))
        for ids, matrix in zip(encoded, together, strict=True):
            close(matrix, model(pack([ids]))[0])
        # The head itself would see it.
        hidden = model.encoder(pack(encoded[-1:]))[1:-1]
        padded = model.head(torch.cat((hidden, torch.zeros(21, hidden.shape[1]))))[:12, :12]
    assert (padded - together[-1]).abs().max() > 1e-3


def test_translation_efficiency_does_not_depend_on_the_longest_of_the_batch():
    """Upstream pads to it, and the instance norms count the padding."""
    head, generator = ScalarHead(16, 8, 2).eval(), torch.Generator().manual_seed(0)
    short, long = torch.randn(20, 16, generator=generator), torch.randn(70, 16, generator=generator)
    with torch.no_grad():
        alone = head(short, (20,))
        close(head(torch.cat((short, long)), (20, 70))[:1], alone)
        upstream = head(short, (20,), padded_to=70)
    assert (upstream - alone).abs() > 1e-3
    for name in ("translation_efficiency", "expression_level", "ribosome_load"):
        assert CONFIGS[name]["head"].get("padded_to", 0) == 0


def test_the_mean_of_a_ribosome_load_has_cls_and_eos_in_it():
    head = ScalarHead(16, 8, 0).eval()
    hidden = torch.randn(12, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        close(head(hidden, (12,)), head.linear_out(head.linear_in(hidden).mean(dim=0)))
        assert (head(hidden[1:-1], (10,)) - head(hidden, (12,))).abs() > 1e-4


# RNAret's structures


def test_rnaret_trains_the_lower_triangle_alone():
    logits = torch.zeros(12, 12, requires_grad=True)
    allowed_pair_loss(logits, "GGGGAAAACCCC", [(0, 11), (1, 10)]).backward()
    assert (logits.grad.triu() == 0).all() and (logits.grad.tril(-4) != 0).any()


def test_recall_is_capped_where_the_truth_has_pairs_that_the_mask_forbids():
    """A-C and a loop of two nucleotides stay in the truth; not even perfect probabilities find them."""
    sequence, true = "GAGGAAAAACCCC", [(0, 12), (1, 11), (2, 10), (3, 6)]
    perfect = torch.zeros(13, 13)
    for i, j in true:
        perfect[i, j] = perfect[j, i] = 1.0
    found = assignment(perfect.numpy(), sequence, 0.5)
    assert found == [(0, 12), (2, 10)]
    assert score(found, true, 13) == (1.0, 0.5, pytest.approx(2 / 3))
    assert not allowed(sequence)[11, 1] and not allowed(sequence)[6, 3] and allowed(sequence)[12, 0]


# Data


def test_weights_of_another_family_look_excellent_so_each_split_names_its_own():
    """A file of the folds was trained on the other eight families: SRP by another family's file scored 0.98."""
    settings = CONFIGS["structure_archive2"]
    rows = list(csv.DictReader((ROOT / "scripts/rnalm/models/exchange/published.csv").open()))
    files = {match[1]: row["what"] for row in rows if (match := re.search(r"archiveII-(\w+)_ft", row["file"]))}
    assert files == {family: f"structure, ArchiveII without {family}" for family in settings["splits"]}
    for family, split in settings["splits"].items():
        assert [split[part] for part in ("train", "valid", "test")] == [
            f"{family}_{part}" for part in ("train", "valid", "test")
        ]


def test_a_part_of_several_files_is_a_part_of_all_their_rows(tmp_path):
    """RNAret's script divides by the length of the last file."""
    for name, number in (("a", 30), ("b", 10)):
        rows = [
            f"{'ACGU'[i % 4] * (i // 4 + 1)}{'A' * len(name)}GG{'C' * (name == 'b')},{'yn'[i % 2]}"
            for i in range(number)
        ]
        (tmp_path / f"{name}.csv").write_text("sequence,label\n" + "\n".join(rows) + "\n")
    settings = {"source": {"name": "mine"}, "head": {"kind": "classes"}, "task": "t"}
    sets = table.READERS["table"](sorted(tmp_path.iterdir()), settings)
    made = splits.divide(sets, settings | {"splits": {"s": {"rule": "random", "valid": 0.1, "test": 0.2}}}, seed=1)["s"]
    assert {part: len(records) for part, records in made.items()} == {"train": 28, "valid": 4, "test": 8}


def test_n_of_ernie_rna_is_its_own_letter_and_a_gap_is_no_token():
    """The published scripts read N as <unk>, as N or as padding, and - as padding."""
    encode, tokens = ernie_rna.TOKENISER.encode, ernie_rna.TOKENS
    assert encode("N").tolist()[1:-1] == [8] and tokens[8] == "N"
    assert encode(normalise("AC-GU..")).tolist() == encode("ACGU").tolist()
    assert tokens.index("<pad>") not in encode(normalise("NN-AC.NNX"))


def test_a_lower_case_rna_and_its_upper_case_twin_are_one_record_of_a_split():
    twins = [Record("a", "", normalise("acguacgu"), "yes"), Record("b", "", normalise("ACGTACGT"), "yes")]
    parts = {"train": twins[:1], "valid": [], "test": [replace(twins[1], label="no")]}
    with pytest.raises(Exception, match="b in test and a in train are the same sequence"):
        splits.check_disjoint(parts, "t")
