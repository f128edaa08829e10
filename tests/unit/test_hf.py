"""The Transformers integration on small models of all families: the same numbers, the same files, both ways."""

import json
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import rnalm.hf
import small_models
import torch
import torch.nn.functional as F
import transformers
from rnalm import cli
from rnalm.errors import InputError
from rnalm.models import directory, finetuned, registry
from rnalm.models.heads import PairModel
from rnalm.tokens.loader import pack_masked
from rnalm.tokens.packing import PackedBatch, pack
from safetensors.torch import load_file, save_file
from small_models import ERNIE_RNA, ROOT, TINY, encoder, ernie_rna, rnaret, transfer_rnas, weights_by_rule
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    pipeline,
)

ENCODERS = {"rinalmo": encoder(), "ernie_rna": ernie_rna(), "rnaret": rnaret(), "rnaret_3mer": rnaret(k=3)}
EVERY = pytest.mark.parametrize("name", ENCODERS)
# As RNA and DNA, in both cases, with ambiguity codes; the shortest last.
SEQUENCES = ["GGCUAUUCGGCAGCCAUUGCU", "ggcunRYuuaccg", "ACGTacgtACGTTTT", "GCA"]
MASKED = "GGCUAUUCGGC<mask>GCCAUUGCU"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One model directory per encoder."""
    folder = tmp_path_factory.mktemp("models")
    for name, made in ENCODERS.items():
        directory.save(folder / name, made, "# card")
    return folder


def close(ours: torch.Tensor, expected: torch.Tensor) -> None:
    small_models.close(ours, expected, max(1.0, expected.abs().max().item()))


def packed(made) -> PackedBatch:
    return pack([made.tokeniser.encode(sequence) for sequence in SEQUENCES])


def same_weights(one, other) -> None:
    one, other = one.state_dict(), other.state_dict()
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


# Tokens


@EVERY
def test_tokens_are_the_familys_own(folder, name):
    tokenizer, tokeniser = AutoTokenizer.from_pretrained(folder / name), ENCODERS[name].tokeniser
    batch = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    assert list(batch) == ["input_ids", "attention_mask"]
    for ids, mask, sequence in zip(batch["input_ids"], batch["attention_mask"], SEQUENCES, strict=True):
        own = tokeniser.encode(sequence).tolist()
        assert ids.tolist() == own + [tokeniser.pad] * (len(ids) - len(own))
        assert mask.tolist() == [1] * len(own) + [0] * (len(ids) - len(own))
    assert len(tokenizer) == tokenizer.vocab_size == len(tokeniser.tokens)
    assert tokenizer.convert_ids_to_tokens(range(len(tokeniser.tokens))) == list(tokeniser.tokens)
    assert tokenizer.convert_tokens_to_ids(list(tokeniser.tokens)) == list(range(len(tokeniser.tokens)))


@EVERY
def test_rna_and_dna_in_any_case_and_layout_are_one(folder, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    spellings = ["GGCUUACGU", "GGCTTACGT", "ggcuuacgt", " GGC UUA\nCGT\n"]
    assert len({tuple(ids) for ids in tokenizer(spellings)["input_ids"]}) == 1
    assert tokenizer(list("GGCUUACGU"), is_split_into_words=True) == tokenizer("GGCUUACGU")
    assert tokenizer([["GGCUU", "ACGU"], ["G"]], is_split_into_words=True) == tokenizer(["GGCUUACGU", "G"])
    k = getattr(ENCODERS[name].tokeniser, "k", 1)
    for spelling in ("U" * k, "T" * k, "u" * k):
        expected = tokenizer("U" * (2 * k))["input_ids"][k]
        assert tokenizer.convert_tokens_to_ids(spelling) == expected != tokenizer.unk_token_id


def test_golden_tokens(folder):
    def ids(name, text):
        return AutoTokenizer.from_pretrained(folder / name)(text)["input_ids"]

    assert ids("rinalmo", "acgunx-ry") == [0, 5, 6, 7, 8, 20, 3, 21, 10, 11, 2]
    assert ids("rnaret", "AUGGCU") == [6, 7, 9, 9, 8, 7]
    assert ids("rnaret_3mer", "AUGGCU") == [1, 13, 37, 68, 63, 1]
    assert ids("ernie_rna", "<mask>") == [0, 24, 2]


@EVERY
def test_decoding_gives_the_sequence_back(folder, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    for sequence in (SEQUENCES[0], SEQUENCES[3], "A" * 50):
        spelled = sequence.replace("U", ENCODERS[name].tokeniser.thymine)
        padded = tokenizer(sequence, padding="max_length", max_length=60)["input_ids"]
        assert tokenizer.decode(padded, skip_special_tokens=True) == spelled
        one = tokenizer.decode(tokenizer(sequence)["input_ids"])
        assert one == (f"<cls>{spelled}<eos>" if tokenizer.eos_token else spelled)
    text = tokenizer.decode(tokenizer(MASKED)["input_ids"])
    assert MASKED.replace("U", ENCODERS[name].tokeniser.thymine) in text


def test_a_mask_hides_one_nucleotide_from_every_kmer(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder / "rnaret_3mer")
    clean = tokenizer("AUGGCUA")["input_ids"]
    for place, hidden in ((3, [2, 3, 4]), (0, [1]), (1, [1, 2]), (6, [5])):
        text = "AUGGCUA"[:place] + "<mask>" + "AUGGCUA"[place + 1 :]
        ids = tokenizer(text)["input_ids"]
        assert [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id] == hidden
        assert [token for i, token in enumerate(ids) if i not in hidden] == [
            token for i, token in enumerate(clean) if i not in hidden
        ]
    # Two that overlap, one beside an ambiguous letter.
    assert tokenizer("AUG<mask><mask>UAC")["input_ids"].count(tokenizer.mask_token_id) == 4
    assert tokenizer("AUN<mask>CUA")["input_ids"][1:-1] == [2, 4, 4, 4, tokenizer.convert_tokens_to_ids("CUA")]


@EVERY
def test_pairs_and_special_tokens(folder, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("GGCUA", "ACG"))
    both = tokenizer("GGCUA", "ACG", return_special_tokens_mask=True)
    cls, eos = tokenizer.cls_token_id, tokenizer.eos_token_id
    if eos is None:
        assert both["input_ids"] == [cls, *first, cls, *second]
        assert both["special_tokens_mask"] == [1, *[0] * 5, 1, *[0] * 3]
        assert tokenizer("GGCUA", return_special_tokens_mask=True)["special_tokens_mask"] == [0] * 5
    else:
        assert both["input_ids"] == [cls, *first, eos, *second, eos]
        assert both["special_tokens_mask"] == [1, *[0] * 5, 1, *[0] * 3, 1]
        assert tokenizer("GGCUA", return_special_tokens_mask=True)["special_tokens_mask"] == [1, *[0] * 5, 1]
    assert tokenizer.num_special_tokens_to_add(pair=True) == len(both["input_ids"]) - 8
    short = tokenizer("GGCUAGGCUA", max_length=6, truncation=True)["input_ids"]
    assert len(short) == 6 and short[-1] == (eos if eos is not None else short[-1])


@EVERY
def test_a_tokenizer_that_was_saved_is_the_same(folder, tmp_path, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name, model_max_length=10, padding_side="left")
    shutil.copy(folder / name / "config.json", tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert type(again) is rnalm.hf.RnalmTokenizer and not again.is_fast
    assert (again.model_max_length, again.padding_side) == (10, "left")
    assert again.get_vocab() == tokenizer.get_vocab() and again.special_tokens_map == tokenizer.special_tokens_map
    assert again(SEQUENCES, padding=True) == tokenizer(SEQUENCES, padding=True)
    assert (tmp_path / "tokenizer.json").read_bytes() == (folder / name / "tokenizer.json").read_bytes()


# Numbers


@EVERY
@pytest.mark.parametrize("side", ["right", "left"])
@torch.no_grad()
def test_outputs_are_those_of_the_packed_encoder(folder, name, side):
    made, model = ENCODERS[name], AutoModel.from_pretrained(folder / name)
    assert not model.training
    tokenizer = AutoTokenizer.from_pretrained(folder / name, padding_side=side)
    batch = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    out = model(**batch, output_hidden_states=True, output_attentions=True)
    logits = AutoModelForMaskedLM.from_pretrained(folder / name)(**batch).logits
    own, keep = packed(made), batch["attention_mask"].bool()
    expected = made(own)
    close(out.last_hidden_state[keep], expected)
    close(logits[keep], made.logits(expected))
    assert not out.last_hidden_state[~keep].any() and not logits[~keep].any()
    assert torch.equal(model(batch["input_ids"]).last_hidden_state, model(**batch).last_hidden_state)
    assert torch.equal(model(**batch, return_dict=False)[0], model(**batch).last_hidden_state)

    levels = list(made.levels(own))
    assert len(out.hidden_states) == len(levels) == model.config.num_hidden_layers + 1
    for ours, level in zip(out.hidden_states, levels, strict=True):
        close(ours[keep], level)
    assert torch.equal(out.hidden_states[-1], out.last_hidden_state)

    shape = (len(SEQUENCES), model.config.num_attention_heads, *[batch["input_ids"].shape[1]] * 2)
    assert [maps.shape for maps in out.attentions] == [shape] * model.config.num_hidden_layers
    for row, per_layer in enumerate(made.attention_maps(own)):
        for ours, weights in zip(out.attentions, per_layer, strict=True):
            close(ours[row][:, keep[row]][:, :, keep[row]], weights)
            assert ours[row].count_nonzero() <= weights.numel()
    # One alone.
    alone = model(**tokenizer(SEQUENCES[3], return_tensors="pt")).last_hidden_state[0]
    close(alone, out.last_hidden_state[3][keep[3]])


@EVERY
def test_the_config_has_the_usual_names(folder, name):
    config, made = AutoConfig.from_pretrained(folder / name), ENCODERS[name]
    assert (config.hidden_size, config.num_hidden_layers) == (made.config.dim, made.config.layers)
    assert (config.num_attention_heads, config.vocab_size) == (made.config.heads, len(made.tokeniser.tokens))
    assert (config.pad_token_id, config.model) == (made.tokeniser.pad, registry.describe(made))
    model = AutoModelForMaskedLM.from_pretrained(folder / name)
    assert model.get_input_embeddings().weight.shape == (config.vocab_size, config.hidden_size)
    assert model.base_model is model.encoder


@EVERY
def test_new_weights_are_the_familys_own(name):
    settings = registry.describe(ENCODERS[name])
    torch.manual_seed(3)
    made = AutoModel.from_config(rnalm.hf.RnalmConfig(settings))
    torch.manual_seed(3)
    same_weights(made.encoder, registry.build(settings))


# Files


def embedded(model: Path, tmp_path: Path) -> dict[str, np.ndarray]:
    (tmp_path / "in.fa").write_text("".join(f">{i}\n{sequence}\n" for i, sequence in enumerate(SEQUENCES)))
    cli.main(["embed", str(model), str(tmp_path / "in.fa"), "-o", str(tmp_path / "out.npz")])
    with np.load(tmp_path / "out.npz") as arrays:
        return dict(arrays)


@EVERY
@pytest.mark.parametrize("auto", [AutoModel, AutoModelForMaskedLM])
def test_round_trip(folder, tmp_path, name, auto):
    model = auto.from_pretrained(folder / name)
    same_weights(model.encoder, ENCODERS[name])
    model.save_pretrained(tmp_path / "saved")
    again = auto.from_pretrained(tmp_path / "saved")
    assert type(again) is type(model) and again.config.model == model.config.model
    same_weights(again, model)
    same_weights(directory.load(tmp_path / "saved").encoder, ENCODERS[name])
    tensors = (load_file(place / "model.safetensors") for place in (folder / name, tmp_path / "saved"))
    assert (
        len({tuple((key, tensor.numpy().tobytes()) for key, tensor in sorted(part.items())) for part in tensors}) == 1
    )
    before, after = embedded(folder / name, tmp_path), embedded(tmp_path / "saved", tmp_path)
    assert before.keys() == after.keys() and all(np.array_equal(before[key], after[key]) for key in before)


def test_what_a_directory_says_beside_its_model_is_kept(tmp_path):
    source = {"file": "a.pt", "layout": "rinalmo", "sha256": "0"}
    directory.save(tmp_path / "made", encoder(TINY), "# card", source=source)
    AutoModel.from_pretrained(tmp_path / "made").save_pretrained(tmp_path / "saved")
    before, after = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("made", "saved"))
    assert {key: after[key] for key in before} == before


def test_a_structure_model_still_folds(tmp_path):
    model = weights_by_rule(PairModel(registry.build(TINY), 8, 1))
    head = {"task": "structure", "width": 8, "blocks": 1, "threshold": 0.3}
    directory.save(tmp_path / "made", model.encoder, "# card", model, head)
    AutoModel.from_pretrained(tmp_path / "made").save_pretrained(tmp_path / "saved")
    same_weights(directory.load(tmp_path / "saved").model, model)
    (tmp_path / "in.fa").write_text(f">a\n{transfer_rnas()[0].sequence}\n")
    for name in ("made", "saved"):
        cli.main(["fold", str(tmp_path / name), str(tmp_path / "in.fa"), "-o", str(tmp_path / f"{name}.dbn")])
    assert (tmp_path / "made.dbn").read_text() == (tmp_path / "saved.dbn").read_text()
    assert "(" in (tmp_path / "saved.dbn").read_text()
    # Another task leaves the structure head aside.
    AutoModelForMaskedLM.from_pretrained(tmp_path / "made").save_pretrained(tmp_path / "plain")
    assert directory.load(tmp_path / "plain").model is None
    labelled = AutoModelForSequenceClassification.from_pretrained(tmp_path / "made", num_labels=3)
    assert labelled.config.head["kind"] == "classes"


# Heads


@EVERY
def test_a_new_head_of_labels(folder, tmp_path, name):
    names = {0: "tRNA", 1: "snoRNA", 2: "miRNA"}
    numbers = {label: number for number, label in names.items()}
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(folder / name, id2label=names, label2id=numbers)
    same_weights(model.encoder, ENCODERS[name])
    assert 0 < model.head[0].weight.std() < 1 and model.head[2].weight.shape[0] == 3
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    batch = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    logits = model(**batch).logits
    means = [
        part[model.encoder.tokeniser.nucleotides].mean(0)
        for part in packed(model.encoder).split(model.encoder(packed(model.encoder)))
    ]
    close(logits, model.head(torch.stack(means)))

    labels = torch.tensor([0, 2, 1, 1])
    loss = model(**batch, labels=labels).loss
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))
    loss.backward()
    assert all(p.grad is not None for p in model.head.parameters())

    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    same_weights(again, model)
    assert again.config.id2label == names and again.config.num_labels == 3
    loaded = directory.load(tmp_path)
    close(loaded.model(packed(loaded.encoder)), logits)


@EVERY
def test_labels_of_tokens(folder, tmp_path, name):
    model = AutoModelForTokenClassification.from_pretrained(folder / name, num_labels=4)
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    batch = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    keep = batch["attention_mask"].bool()
    logits = model(**batch).logits
    close(logits[keep], model.head(model.encoder(packed(model.encoder))))
    labels = torch.randint(4, keep.shape)  # at padding too, where they must not count
    labels[:, 0] = -100
    loss = model(**batch, labels=labels).loss
    counted = keep & (labels != -100)
    torch.testing.assert_close(loss, F.cross_entropy(logits[counted], labels[counted]))
    model.save_pretrained(tmp_path)
    same_weights(AutoModelForTokenClassification.from_pretrained(tmp_path), model)
    loaded = directory.load(tmp_path)
    close(loaded.model(packed(loaded.encoder)), logits[keep])


@pytest.mark.parametrize(("name", "activation"), [("rinalmo", "gelu"), ("rnaret_3mer", "tanh")])
def test_a_published_head_of_classes(tmp_path, capsys, name, activation):
    head = {"task": "some", "kind": "classes", "width": 16, "classes": 5, "activation": activation}
    own = weights_by_rule(finetuned.build(registry.build(registry.describe(ENCODERS[name])), head))
    directory.save(tmp_path, own.encoder, "# card", own, head)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    same_weights(model, own)
    assert model.config.num_labels == 5
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    pairs = [("GGCUAGGC", "ACGUACG"), ("ACGU", "GGC")]
    batch = tokenizer(pairs, padding=True, return_tensors="pt")
    expected = own(pack([np.array(ids) for ids in tokenizer(pairs)["input_ids"]]))
    close(model(**batch).logits, expected)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=2)


def test_regression_and_several_labels_at_once(folder):
    batch = AutoTokenizer.from_pretrained(folder / "rinalmo")(SEQUENCES, padding=True, return_tensors="pt")
    model = AutoModelForSequenceClassification.from_pretrained(folder / "rinalmo", num_labels=1)
    targets = torch.tensor([1.0, 2.0, 3.0, 4.0])
    out = model(**batch, labels=targets)
    torch.testing.assert_close(out.loss, F.mse_loss(out.logits[:, 0], targets))
    several = "multi_label_classification"
    model = AutoModelForSequenceClassification.from_pretrained(folder / "rinalmo", num_labels=2, problem_type=several)
    targets = torch.tensor([[1.0, 0.0]] * 4)
    out = model(**batch, labels=targets)
    torch.testing.assert_close(out.loss, F.binary_cross_entropy_with_logits(out.logits, targets))


# Training


@EVERY
def test_the_loss_of_masked_tokens_and_its_gradients_are_the_librarys_own(folder, name):
    made = ENCODERS[name]
    tokeniser = made.tokeniser
    clean = [tokeniser.encode(sequence) for sequence in SEQUENCES]
    masked = [tokeniser.mask(ids, row, np.uint64(7)) for row, ids in enumerate(clean)]
    # The library's way: packed, only selected tokens through the head.
    made.zero_grad()
    batch = pack_masked(clean, masked, tokeniser.pad)
    expected = F.cross_entropy(made.logits(made(batch.batch)[batch.selected]), batch.targets)
    expected.backward()

    model = AutoModelForMaskedLM.from_pretrained(folder / name)
    ids = torch.full((len(clean), max(map(len, clean))), tokeniser.pad)
    labels = torch.full_like(ids, -100)
    for row, ((changed, selected), own) in enumerate(zip(masked, clean, strict=True)):
        ids[row, : len(own)] = torch.from_numpy(changed.astype(np.int64))
        labels[row, selected] = torch.from_numpy(own[selected].astype(np.int64))
    assert (labels != -100).sum() > 3
    loss = model(ids, labels=labels).loss
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    for (key, ours), theirs in zip(model.encoder.named_parameters(), made.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5, msg=lambda text, key=key: key + text)
    made.zero_grad()


def test_ernie_rna_hides_the_pairs_of_every_selected_token(folder):
    """Also of one that kept its letter, which the ids alone do not show."""
    model = AutoModelForMaskedLM.from_pretrained(folder / "ernie_rna")
    ids = AutoTokenizer.from_pretrained(folder / "ernie_rna")("GGGGAAAACCCC", return_tensors="pt")["input_ids"]
    labels = torch.full_like(ids, -100)
    labels[0, 3] = ids[0, 3]
    assert not torch.allclose(model(ids).logits, model(ids, labels=labels).logits, atol=1e-3)


def arguments(tmp_path: Path, **changes) -> TrainingArguments:
    settings = {"max_steps": 1, "report_to": "none", "use_cpu": True, "learning_rate": 1e-2, "disable_tqdm": True}
    return TrainingArguments(tmp_path / "run", **(settings | changes))


COLLATORS = {
    AutoModelForMaskedLM: (DataCollatorForLanguageModeling, {"mlm_probability": 0.5}, lambda ids: {}),
    AutoModelForSequenceClassification: (DataCollatorWithPadding, {}, lambda ids: {"label": len(ids) % 2}),
    AutoModelForTokenClassification: (DataCollatorForTokenClassification, {}, lambda ids: {"labels": [0] * len(ids)}),
}


@EVERY
@pytest.mark.parametrize("auto", COLLATORS)
def test_trainer(folder, tmp_path, caplog, name, auto):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    collator, settings, label = COLLATORS[auto]
    data = [tokenizer(sequence).data for sequence in SEQUENCES]
    data = [item | label(item["input_ids"]) for item in data]
    model = auto.from_pretrained(folder / name)
    before = {key: value.clone() for key, value in model.named_parameters()}
    trainer = Trainer(
        model,
        arguments(tmp_path),
        train_dataset=data,
        eval_dataset=data,
        data_collator=collator(tokenizer, **settings),
        processing_class=tokenizer,
    )
    done = trainer.train()
    assert np.isfinite(done.training_loss) and np.isfinite(trainer.evaluate()["eval_loss"])
    used = [key for key in before if auto is AutoModelForMaskedLM or not re.search("lm_|output_proj|layer_norm", key)]
    assert [key for key in used if not torch.equal(before[key], model.get_parameter(key).detach())] != []
    assert not torch.equal(before[used[-1]], model.get_parameter(used[-1]).detach())
    # What the trainer saved is a model directory, and resuming takes its weights up.
    saved = tmp_path / "run/checkpoint-1"
    same_weights(directory.load(saved).encoder, model.encoder)
    fresh = auto.from_pretrained(folder / name)
    Trainer(
        fresh,
        arguments(tmp_path, max_steps=1),
        train_dataset=data,
        data_collator=collator(tokenizer, **settings),
    ).train(resume_from_checkpoint=str(saved))
    same_weights(fresh, model)


# Pipelines


@pytest.mark.parametrize("name", ["rinalmo", "ernie_rna", "rnaret"])
def test_fill_mask(folder, name):
    made = ENCODERS[name]
    fill = pipeline("fill-mask", model=str(folder / name))
    found = fill(MASKED, top_k=3)
    tokenizer = fill.tokenizer
    ids = tokenizer(MASKED)["input_ids"]
    with torch.no_grad():
        scores = made.logits(made(pack([np.array(ids)])))[ids.index(tokenizer.mask_token_id)].softmax(0)
    for entry, score, number in zip(found, *scores.topk(3), strict=True):
        assert entry["token"] == number and entry["score"] == pytest.approx(score.item(), abs=1e-5)
        token = made.tokeniser.tokens[number]
        assert entry["token_str"] == token
        if not token.startswith("<"):
            assert entry["sequence"] == MASKED.replace("<mask>", token).replace("U", made.tokeniser.thymine)
    letters = fill(MASKED, targets=["A", "C", "G", "U"])
    assert {entry["token_str"] for entry in letters} == {"A", "C", "G", made.tokeniser.thymine}
    assert [len(one) for one in fill([MASKED, "GG<mask>A"], top_k=2)] == [2, 2]


def test_fill_mask_with_kmers(folder):
    """A hidden nucleotide is in three 3-mers: each is predicted, and each prediction is a whole sequence."""
    fill = pipeline("fill-mask", model=str(folder / "rnaret_3mer"))
    found = fill(MASKED, top_k=64 + 6)
    assert len(found) == 3
    place, clean = MASKED.index("<mask>"), MASKED.replace("U", "T").replace("<mask>", "?")
    for shift, candidates in zip((1, 0, -1), found, strict=True):
        assert sum(entry["score"] for entry in candidates) == pytest.approx(1, abs=1e-4)
        assert len({entry["token"] for entry in candidates}) == 70
        # Those that agree with the neighbours differ in the hidden nucleotide alone.
        window = clean[place - 1 - shift : place + 2 - shift]
        agreeing = {window.replace("?", letter): clean.replace("?", letter) for letter in "ACGT"}
        given = {entry["token_str"]: entry["sequence"] for entry in candidates if entry["token_str"] in agreeing}
        assert given == agreeing
    with pytest.raises(transformers.pipelines.base.PipelineException, match="No mask_token"):
        fill("A<mask>")


@EVERY
def test_other_pipelines(folder, tmp_path, name):
    path = str(folder / name)
    features = pipeline("feature-extraction", model=path)(SEQUENCES[3])
    close(torch.tensor(features[0]), ENCODERS[name](pack([ENCODERS[name].tokeniser.encode(SEQUENCES[3])])).detach())
    model = AutoModelForSequenceClassification.from_pretrained(path, id2label={0: "no", 1: "yes"})
    classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(path))
    assert all(entry["label"] in ("no", "yes") for entry in classify(SEQUENCES))
    # A batch is padded, one alone is not.
    scores = [entry["score"] for entry in classify(SEQUENCES, batch_size=4)]
    assert scores == pytest.approx([entry["score"] for entry in classify(SEQUENCES, batch_size=1)], abs=1e-5)


# What does not fit


def test_a_row_without_tokens(folder):
    model = AutoModel.from_pretrained(folder / "rinalmo")
    ids = torch.tensor([[0, 5, 2], [1, 1, 1]])
    with pytest.raises(InputError, match="input_ids, row 1: has no token"):
        model(ids)
    for wrong, mask in ((ids[:1], torch.ones(1, 2)), (ids[0], None), (ids[:1], torch.ones(1, 1, 3, 3))):
        with pytest.raises(InputError, match="attention_mask: has the shape"):
            model(wrong, attention_mask=mask)
    with pytest.raises(TypeError, match="inputs_embeds"):
        model(inputs_embeds=torch.zeros(1, 3, 60))


def test_a_directory_without_some_weights(folder, tmp_path):
    shutil.copytree(folder / "rinalmo", tmp_path / "model")
    tensors = load_file(tmp_path / "model/model.safetensors")
    del tensors["encoder.lm_mask_head.linear2.bias"], tensors["encoder.lm_mask_head.linear1.bias"]
    save_file(tensors, tmp_path / "model/model.safetensors", {"format": "pt"})
    for auto in (AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification):
        with pytest.raises(InputError, match=r"encoder\.lm_mask_head\.linear1\.bias and 1 more"):
            auto.from_pretrained(tmp_path / "model")


def test_a_directory_with_other_tokens(folder, tmp_path):
    for tokens in ([], ["A"], [*ENCODERS["rinalmo"].tokeniser.tokens[:-1], "?"], ["<pad>"] * 10, ["AC"] * 22):
        shutil.copytree(folder / "rinalmo", tmp_path, dirs_exist_ok=True)
        (tmp_path / "tokenizer.json").write_text(json.dumps({"tokens": tokens}))
        with pytest.raises(InputError, match="lists other tokens"):
            AutoTokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"has no tokenizer\.json"):
        AutoTokenizer.from_pretrained(tmp_path)


def test_a_model_of_no_family():
    with pytest.raises(InputError, match="family 'bert' is unknown"):
        AutoModel.from_config(rnalm.hf.RnalmConfig({"family": "bert"}))
    with pytest.raises(InputError, match="depth"):
        AutoModel.from_config(rnalm.hf.RnalmConfig(ERNIE_RNA | {"depth": 3}))


# Documentation


def example(page: str) -> str:
    """The Python blocks of a page that are about Transformers."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    return "\n".join(block for block in blocks if "transformers" in block)


def test_the_page_as_written(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "rinalmo", "models/micro")
    seen = {}
    exec(example("docs/transformers.md"), seen)
    assert seen["hidden"].shape == (2, 14, 60)
    assert [entry["sequence"][7] for entry in seen["fill"]("GGCUAUU<mask>GGCC", top_k=3, targets=["A", "C", "G"])]
    mine = directory.load("models/mine")
    assert mine.config["head"]["classes"] == 2 and mine.config["id2label"] == {"0": "tRNA", "1": "snoRNA"}
    assert len(embedded(Path("models/mine"), tmp_path)) == len(SEQUENCES)


def test_the_readme_as_written(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "rinalmo", "results/demo/models/pretrained")
    exec(example("README.md"), {})
