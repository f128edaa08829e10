"""Losses of downstream tasks, each by hand."""

import math

import pytest
import torch
from rnalm.tasks import losses

LOGITS = torch.randn(12, 12, generator=torch.Generator().manual_seed(0))
LOGITS = LOGITS.tril(-1) + LOGITS.tril(-1).T


def softplus(x) -> float:
    return math.log1p(math.exp(x))


def test_pairs_over_the_upper_triangle():
    pairs = [(0, 5), (1, 4)]
    cells = [(i, j) for i in range(12) for j in range(i + 1, 12)]
    by_hand = [softplus(-LOGITS[cell] if cell in pairs else LOGITS[cell]) for cell in cells]
    assert losses.pair_loss(LOGITS, pairs).item() == pytest.approx(sum(by_hand) / 66, abs=1e-6)


def test_a_single_nucleotide_has_no_cell_and_costs_nothing():
    logits = torch.zeros(1, 1, requires_grad=True)
    losses.pair_loss(logits, []).backward()
    assert losses.pair_loss(logits, []) == 0 and (logits.grad == 0).all()


def test_rnaret_trains_allowed_cells_and_pairs_ten_times():
    """Lower triangle, i - j >= 4, A-U, C-G, G-U or either base N; divided by the number of those cells, not weights."""
    sequence, pairs = "GGANAACUUNCC", [(0, 11), (1, 10), (2, 8)]
    partners = {"AT", "TA", "CG", "GC", "GT", "TG"}
    cells = [
        (i, j)
        for i in range(12)
        for j in range(i - 3)
        if {sequence[i], sequence[j]} & {"N"} or (sequence[i] + sequence[j]).replace("U", "T") in partners
    ]
    assert 0 < len(cells) < 36 and (7, 3) in cells and (6, 1) in cells and (3, 0) not in cells
    by_hand = [10 * softplus(-LOGITS[cell]) if cell[::-1] in pairs else softplus(LOGITS[cell].item()) for cell in cells]
    loss = losses.allowed_pair_loss(LOGITS, sequence, pairs)
    assert loss.item() == pytest.approx(sum(by_hand) / len(cells), abs=1e-6)


def test_a_pair_that_is_not_allowed_is_not_trained():
    """Training truth keeps non-canonical and short pairs; the mask leaves them out."""
    sequence = "GGAAAACUUUCC"
    loss = losses.allowed_pair_loss(LOGITS, sequence, [(0, 11)])
    assert torch.equal(losses.allowed_pair_loss(LOGITS, sequence, [(0, 11), (2, 3), (1, 5)]), loss)


@pytest.mark.parametrize("sequence", ["GACC", "AAAAAAAA", "G", ""])
def test_a_sequence_without_an_allowed_cell_costs_nothing(sequence):
    logits = torch.zeros(len(sequence), len(sequence), requires_grad=True)
    loss = losses.allowed_pair_loss(logits, sequence, [])
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_t_and_u_pair_alike():
    assert torch.equal(losses.allowed("GGAAAACUUUCC"), losses.allowed("GGAAAACTTTCC"))


def test_classes():
    logits, classes = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), torch.tensor([0, 2])
    by_hand = (math.log(math.e**2 + 1 + math.e) - 2 + math.log(3)) / 2
    assert losses.class_loss(logits, classes).item() == pytest.approx(by_hand, abs=1e-6)


def test_one_logit_is_a_yes_or_no():
    """A logit of 0.3 with label 1 in a batch of one is no probability of 0.3."""
    loss = losses.class_loss(torch.tensor([[0.3]]), torch.tensor([1]))
    assert loss.item() == pytest.approx(softplus(-0.3), abs=1e-6)
    assert losses.class_loss(torch.tensor([[0.3]]), torch.tensor([0])).item() == pytest.approx(softplus(0.3), abs=1e-6)


def test_numbers():
    numbers, targets = torch.tensor([1.0, 4.0]), torch.tensor([1.5, 1.0])
    assert losses.squared_loss(numbers, targets).item() == pytest.approx((0.25 + 9) / 2)
    assert losses.huber_loss(numbers, targets).item() == pytest.approx((0.125 + 2.5) / 2)


def test_positions_of_all_sequences_weigh_the_same():
    logits = [torch.tensor([0.5, -1.0, 2.0]), torch.tensor([3.0])]
    by_hand = [softplus(0.5), softplus(1.0), softplus(-2.0), softplus(3.0)]
    loss = losses.position_loss(logits, [[0, 1, 1], [0]])
    assert loss.item() == pytest.approx(sum(by_hand) / 4, abs=1e-6)


def test_half_precision_logits_are_summed_in_fp32():
    numbers = torch.ones(2, dtype=torch.bfloat16)
    for loss in (losses.squared_loss(numbers, torch.zeros(2)), losses.class_loss(numbers[:, None], torch.ones(2))):
        assert loss.dtype == torch.float32
