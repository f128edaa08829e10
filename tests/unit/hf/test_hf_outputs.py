"""Models in Transformers give the numbers of the packed encoder, or say what does not fit."""

import json
import shutil

import pytest
import rnalm.hf
import torch
from models_of_hf import ENCODERS, EVERY, SEQUENCES, close, packed, same_weights
from rnalm.errors import InputError
from rnalm.models import registry
from safetensors.torch import load_file, save_file
from small_models import ERNIE_RNA
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)


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
