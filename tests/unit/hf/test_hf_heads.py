"""Heads of classes, labels and numbers in Transformers, new ones and published ones."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models_of_hf import ENCODERS, EVERY, SEQUENCES, close, packed, same_weights
from rnalm.models import directory, finetuned, registry
from rnalm.tokens.packing import pack
from small_models import weights_by_rule
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)


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
