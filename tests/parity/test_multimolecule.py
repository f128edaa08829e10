"""What is exported for MultiMolecule loads there offline and gives our numbers. Needs `pip install multimolecule`."""

import pytest
import torch
from rnalm.models import directory, finetuned
from rnalm.models.exchange.transfer import export_weights, import_weights
from rnalm.structure.published import constrained
from rnalm.tokens.packing import pack
from small_models import by_rule, encoder, ernie_rna

multimolecule = pytest.importorskip(
    "multimolecule", reason="MultiMolecule (AGPL-3.0) is no dependency; install it to compare with it"
)

# With IUPAC letters, letters that are no tokens, lower case and T for U.
SEQUENCES = ["GGGAAACGGUUCCAUACCC", "ACGUNRYSWKMBDHVI", "acgtACGTXGG.A*C?", "GGCUA" * 30]
MODELS = {"rinalmo": encoder(), "ernie_rna": ernie_rna()}
HEADS = {
    "rinalmo": {"task": "structure", "kind": "pairs", "width": 64, "blocks": 2, "threshold": 0.07},
    "ernie_rna": {"task": "structure", "kind": "maps", "maps": [5], "blocks": 8, "dropout": 0.3, "threshold": 0.5},
}
FAMILY = pytest.mark.parametrize("family", MODELS)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with torch.no_grad():
        yield


def exported(folder, encoder, model=None, head=None) -> directory.ModelDirectory:
    directory.save(folder / "ours", encoder, "# card", model, head)
    loaded = directory.load(folder / "ours")
    export_weights(loaded, "multimolecule", folder / "theirs")
    return loaded


def close(ours, theirs) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * max(1.0, theirs.abs().max().item()))


@FAMILY
def test_hidden_states(tmp_path, family):
    ours = exported(tmp_path, MODELS[family]).encoder
    theirs = multimolecule.AutoModel.from_pretrained(tmp_path / "theirs").eval()
    tokenizer = multimolecule.AutoTokenizer.from_pretrained(tmp_path / "theirs")
    for sequence in SEQUENCES:
        batch = pack([ours.tokeniser.encode(sequence)])
        out = theirs(**tokenizer(sequence, return_tensors="pt"), output_hidden_states=True)
        close(ours(batch), out.last_hidden_state[0])
        for level, hidden in zip(ours.levels(batch), out.hidden_states, strict=True):
            close(level, hidden[0])


@FAMILY
def test_fill_mask(tmp_path, family):
    ours = exported(tmp_path, MODELS[family]).encoder
    name = {"rinalmo": "RiNALMoForMaskedLM", "ernie_rna": "ErnieRnaForMaskedLM"}[family]
    theirs = getattr(multimolecule, name).from_pretrained(tmp_path / "theirs").eval()
    tokenizer = multimolecule.AutoTokenizer.from_pretrained(tmp_path / "theirs")
    vocabulary = tokenizer.get_vocab()
    columns = [vocabulary[letter] for letter in "ACGUN"]
    own = [ours.tokeniser.tokens.index(ours.tokeniser.thymine if letter == "U" else letter) for letter in "ACGUN"]
    for sequence in SEQUENCES:
        hidden = ours(pack([ours.tokeniser.encode(sequence)]))
        logits = theirs(**tokenizer(sequence, return_tensors="pt")).logits[0]
        close(ours.logits(hidden)[:, own], logits[:, columns])
        probabilities = ours.logits(hidden).softmax(dim=1)[:, own]
        if family == "rinalmo":  # ERNIE-RNA has three tokens that MultiMolecule lacks
            close(probabilities, logits.softmax(dim=1)[:, columns])


# Name of their class, what it predicts, and how that follows from the head's logits and the sequence.
STRUCTURE = {
    "rinalmo": ("RiNALMoForSecondaryStructurePrediction", "logits", lambda logits, sequence: logits),
    "ernie_rna": ("ErnieRnaForSecondaryStructurePrediction", "contact_map", constrained),
}


@FAMILY
def test_structure(tmp_path, family):
    model = finetuned.build(MODELS[family], HEADS[family])
    state = model.head.state_dict()
    made = {key: by_rule(f"head.{key}", tensor.shape) for key, tensor in state.items() if tensor.is_floating_point()}
    made |= {key: tensor.abs() + 0.5 for key, tensor in made.items() if key.endswith("running_var")}
    model.head.load_state_dict(state | made)
    ours = exported(tmp_path, model.encoder, model, HEADS[family]).model
    name, output, predicted = STRUCTURE[family]
    theirs = getattr(multimolecule, name).from_pretrained(tmp_path / "theirs").eval()
    tokenizer = multimolecule.AutoTokenizer.from_pretrained(tmp_path / "theirs")
    for sequence in (SEQUENCES[0], "GGCUAUUCGGCAGCCAUUGCU"):
        expected = theirs(**tokenizer(sequence, return_tensors="pt"))[output].squeeze()
        assert expected.max() - expected.min() > 0.1
        logits = ours(pack([ours.encoder.tokeniser.encode(sequence)]))[0]
        close(torch.as_tensor(predicted(logits.numpy(), sequence), dtype=torch.float32), expected)


@FAMILY
def test_what_they_save_is_imported(tmp_path, family):
    name, settings = {
        "rinalmo": ("RiNALMo", {"hidden_size": 60, "intermediate_size": 240}),
        "ernie_rna": ("ErnieRna", {"hidden_size": 72, "intermediate_size": 288}),
    }[family]
    config = getattr(multimolecule, f"{name}Config")(num_hidden_layers=3, num_attention_heads=6, **settings)
    theirs = getattr(multimolecule, f"{name}ForPreTraining")(config).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    multimolecule.RnaTokenizer().save_pretrained(tmp_path / "theirs")
    import_weights(tmp_path / "theirs", "multimolecule", tmp_path / "ours")
    ours = directory.load(tmp_path / "ours").encoder
    tokenizer = multimolecule.AutoTokenizer.from_pretrained(tmp_path / "theirs")
    for sequence in SEQUENCES[:2]:
        out = theirs.model(**tokenizer(sequence, return_tensors="pt"))
        close(ours(pack([ours.tokeniser.encode(sequence)])), out.last_hidden_state[0])
