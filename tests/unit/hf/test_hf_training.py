"""Training in Transformers: the loss of masked tokens is the library's own, and its Trainer resumes."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models_of_hf import ENCODERS, EVERY, SEQUENCES, same_weights
from rnalm.models import directory
from rnalm.tokens.loader import pack_masked
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)


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
