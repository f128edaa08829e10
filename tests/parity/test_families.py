"""What holds for every family: one sequence's numbers do not depend on what it is packed or padded with."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.models import registry
from rnalm.tokens.packing import from_padded, pack, to_padded
from small_models import RNARET, close, encoder, ernie_rna


def fresh_rnaret(k: int) -> torch.nn.Module:
    """RNAret as it is initialised: with the weights of its golden pairs, fp32 alone moves some outputs by 2e-5."""
    torch.manual_seed(k)
    return registry.build({**RNARET, "k": k}).eval()


MODELS = {
    "rinalmo": encoder(),
    "ernie_rna": ernie_rna(),
    **{f"rnaret-{k}mer": fresh_rnaret(k) for k in (1, 3, 5)},
}
FAMILY = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
pytestmark = pytest.mark.usefixtures("no_gradients")
FEW = settings(max_examples=15, deadline=None)
RNA = st.text(alphabet="ACGTNRYI", min_size=1, max_size=30)
# A pack has runs of equal lengths, short and long ones, more than a chunk of the retention.
LENGTHS = (12, 12, 1, 300, 57, 57, 57, 2, 140)
SEQUENCES = ["".join(np.random.default_rng(i).choice(list("ACGUN"), n)) for i, n in enumerate(LENGTHS)]


def hidden(model, sequences) -> tuple[torch.Tensor, ...]:
    batch = pack([model.tokeniser.encode(sequence) for sequence in sequences])
    return batch.split(model(batch))


@FAMILY
def test_alone_packed_padded(model):
    encoded = [torch.from_numpy(model.tokeniser.encode(sequence).astype(np.int64)) for sequence in SEQUENCES]
    padded = torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True, padding_value=model.tokeniser.pad)
    keep = padded != model.tokeniser.pad
    unpacked = to_padded(model(from_padded(padded, keep)), keep)
    assert not unpacked[~keep].any()
    packed = hidden(model, SEQUENCES)
    for i, sequence in enumerate(SEQUENCES):
        (alone,) = hidden(model, [sequence])
        assert len(alone) == len(encoded[i])
        close(packed[i], alone)
        close(unpacked[i, : len(alone)], alone)


@FAMILY
@FEW
@given(sequences=st.lists(RNA, min_size=1, max_size=6), random=st.randoms(use_true_random=False))
def test_permuting_sequences_permutes_outputs(model, sequences, random):
    order = list(range(len(sequences)))
    random.shuffle(order)
    before, after = hidden(model, sequences), hidden(model, [sequences[i] for i in order])
    for i, permuted in zip(order, after, strict=True):
        close(permuted, before[i])


@FAMILY
@FEW
@given(sequences=st.lists(RNA, min_size=1, max_size=5), further=RNA)
def test_a_further_sequence_changes_nothing(model, sequences, further):
    before, after = hidden(model, sequences), hidden(model, [*sequences, further])
    for alone, together in zip(before, after, strict=False):
        close(together, alone)


@FAMILY
def test_u_is_t(model):
    (rna,), (dna,) = hidden(model, ["ACGUACGGUUCAN"]), hidden(model, ["acgtACGGTTCAN"])
    assert torch.equal(rna, dna)


@FAMILY
def test_levels_and_maps(model):
    batch = pack([model.tokeniser.encode(sequence) for sequence in SEQUENCES])
    levels, maps = list(model.levels(batch)), model.attention_maps(batch)
    assert [level.shape for level in levels] == [(len(batch.ids), model.config.dim)] * (model.config.layers + 1)
    close(levels[-1], model(batch))
    shapes = [[tuple(matrix.shape) for matrix in layers] for layers in maps]
    assert shapes == [[(model.config.heads, n, n)] * model.config.layers for n in batch.lengths]


@FAMILY
def test_nucleotides(model):
    for sequence in SEQUENCES:
        ids = model.tokeniser.encode(sequence)
        assert len(ids[model.tokeniser.nucleotides]) == len(sequence) == len(model.tokeniser.encode_fragment(sequence))
        assert ids.max() < len(model.tokeniser.tokens) == model.logits(torch.zeros(1, model.config.dim)).shape[1]


@FAMILY
def test_describe_and_build(model):
    again = registry.build(registry.describe(model))
    again.load_state_dict(model.state_dict())
    assert again.config == model.config
    for ours, expected in zip(hidden(again.eval(), SEQUENCES[:2]), hidden(model, SEQUENCES[:2]), strict=True):
        assert torch.equal(ours, expected)


@FAMILY
def test_gradients_of_a_pack_are_the_sum_of_those_alone(model):
    def gradients(batches):
        model.zero_grad()
        with torch.enable_grad():
            for batch in batches:
                logits = model.logits(model(batch))
                torch.nn.functional.cross_entropy(logits, batch.ids, reduction="sum").backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    encoded = [model.tokeniser.encode(sequence) for sequence in SEQUENCES]
    packed, alone = gradients([pack(encoded)]), gradients([pack([ids]) for ids in encoded])
    for name, gradient in packed.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(gradient, alone[name], rtol=0, atol=1e-5 * max(1.0, scale), msg=name)
