"""Base pairs off ERNIE-RNA's attention, without training: the published head of the last layer, averaged, decoded."""

import numpy as np
import pytest
import rnalm
import torch
from published_weights import rnalm_
from rnalm.errors import InputError
from rnalm.models import directory, finetuned
from rnalm.models.ernie_rna_heads import ZERO_SHOT
from rnalm.structure.files import read
from rnalm.structure.published import unrolled
from rnalm.tokens.ernie_rna import TOKENISER
from rnalm.tokens.packing import pack
from rnalm.training.finetuning import Settings, finetune
from rnalm.training.starts import begin
from small_models import encoder, ernie_rna, transfer_rnas

pytestmark = pytest.mark.usefixtures("no_gradients")
SEQUENCES = [rna.sequence for rna in transfer_rnas()[1:5]]
BATCH = pack([TOKENISER.encode(sequence) for sequence in SEQUENCES])


@pytest.fixture
def model(tmp_path):
    """A directory without a head, whose attention prefers G-C and A-U as a trained one does."""
    prefers = ernie_rna()
    prefers.twod_proj.linear2.weight.copy_(prefers.twod_proj.linear2.weight.abs() * 9)
    prefers.twod_proj.linear1.weight.copy_(prefers.twod_proj.linear1.weight.abs() * 3)
    directory.save(tmp_path / "model", prefers, "a card")
    return tmp_path / "model"


def test_the_matrix_is_head_5_of_the_last_layer_averaged_with_its_transpose():
    model = ernie_rna()
    found = finetuned.build(model, ZERO_SHOT)(BATCH)
    for matrix, levels in zip(found, model.logit_maps(BATCH), strict=True):
        expected = levels[3][5][1:-1, 1:-1]
        assert torch.equal(matrix, (expected + expected.T) / 2) and torch.equal(matrix, matrix.T)


def test_true_p_and_p_of_zero():
    """The published script's zeros leave one constant per head, as if pairs had no scores."""
    model = ernie_rna()
    true, zero = (finetuned.build(model, {**ZERO_SHOT, "pairs": pairs})(BATCH) for pairs in ("scored", "none"))
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(true, zero, strict=True))
    flat = ernie_rna()
    flat.twod_proj.linear1.weight.zero_()
    for ours, expected in zip(zero, finetuned.build(flat, ZERO_SHOT)(BATCH), strict=True):
        torch.testing.assert_close(ours, expected)


def test_published_structure_heads_can_be_evaluated_with_p_of_zero():
    torch.manual_seed(0)
    model, head = ernie_rna(), {"kind": "maps", "maps": [5], "blocks": 2, "dropout": 0.3}
    true = finetuned.build(model, head).eval()
    zero = finetuned.build(model, {**head, "pairs": "none"}).eval()
    zero.load_state_dict(true.state_dict())
    assert (true(BATCH)[0] - zero(BATCH)[0]).abs().max() > 1e-4


def test_nothing_is_trained():
    model = finetuned.build(ernie_rna(), ZERO_SHOT)
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"encoder"}


def test_fold_by_attention_with_and_without_scores_of_pairs(model, tmp_path):
    (tmp_path / "in.fa").write_text("".join(f">{i}\n{sequence}\n" for i, sequence in enumerate(SEQUENCES)))
    loaded, found = rnalm.load(model), {}
    for decoder, choices in (("zero-shot", {}), ("zero-shot-p0", {"pairs": "none"})):
        rnalm_("fold", model, tmp_path / "in.fa", "-o", tmp_path / "out.dbn", "--decoder", decoder)
        found[decoder] = [structure.pairs for structure in read(tmp_path / "out.dbn")]
        logits = loaded.zero_shot(**choices).pair_logits(SEQUENCES)
        expected = [unrolled(matrix, sequence, 0.5) for matrix, sequence in zip(logits, SEQUENCES, strict=True)]
        assert found[decoder] == expected
    assert sum(map(len, found["zero-shot"])) > 10 and found["zero-shot"] != found["zero-shot-p0"]


def test_a_directory_of_such_a_model_is_read_back(tmp_path):
    model = finetuned.build(ernie_rna(), ZERO_SHOT)
    directory.save(tmp_path, model.encoder, "a card", model, ZERO_SHOT)
    for ours, saved in zip(model(BATCH), rnalm.load(tmp_path).pair_logits(SEQUENCES), strict=True):
        np.testing.assert_allclose(saved, ours.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("made", "choices", "problem"),
    [
        (encoder, {}, "only ERNIE-RNA"),
        (ernie_rna, {"map": 6}, "map 6 of 6"),
        (ernie_rna, {"pairs": "all"}, "none of scored, none"),
    ],
)
def test_what_cannot_be_read_off_is_one_line(made, choices, problem):
    with pytest.raises(InputError, match=problem):
        finetuned.build(made(), {**ZERO_SHOT, **choices})


@pytest.mark.parametrize(("start", "pairs"), [("zeroshot", "scored"), ("zeroshot_p0", "none")])
def test_a_start_that_trains_nothing(start, pairs):
    settings = Settings(epochs=3, batch_size=1, learning_rate=1e-3, unfreeze={0: ["head"]})
    before = ernie_rna().state_dict()
    model, head, settings = begin(start, ernie_rna(), {"kind": "pairs", "width": 8, "blocks": 1}, settings, seed=1)
    result = finetune(model, head, list(transfer_rnas()[:2]), list(transfer_rnas()[:2]), settings, seed=1)
    assert not result.history and model.scores().any() == (pairs == "scored")
    assert (head["decoder"], head["threshold"]) == ("unrolled", 0.5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.encoder.state_dict().items())
