"""RiNALMo's tokeniser: one token per nucleotide letter, `<cls>` before and `<eos>` after.

The alphabet is DNA: `U` is read as `T`, any other unknown letter (X too) as `<unk>`.
Source: official code lbcb-sci/RiNALMo, `rinalmo/data/constants.py` and `rinalmo/data/alphabet.py`.
"""

import numpy as np

TOKENS = (
    *("<cls>", "<pad>", "<eos>", "<unk>", "<mask>"),
    *("A", "C", "G", "T", "I", "R", "Y", "K", "M", "S", "W", "B", "D", "H", "V", "N", "-"),
)
CLS, PAD, EOS, UNKNOWN, MASK = range(5)
# Random replacements in masked-language modelling come from these (paper, appendix A).
REPLACEMENTS = np.array([TOKENS.index(letter) for letter in "ACGTN"], dtype=np.uint8)

_IDS = np.full(256, UNKNOWN, dtype=np.uint8)
for _id, _token in enumerate(TOKENS):
    if len(_token) == 1:
        _IDS[ord(_token)] = _IDS[ord(_token.lower())] = _id
_IDS[ord("U")] = _IDS[ord("u")] = TOKENS.index("T")


def encode(sequence: str) -> np.ndarray:
    """Sequence of L letters -> L + 2 ids (uint8), `<cls>` and `<eos>` included."""
    ids = np.empty(len(sequence) + 2, dtype=np.uint8)
    ids[0], ids[-1] = CLS, EOS
    ids[1:-1] = encode_fragment(sequence)
    return ids


def encode_fragment(sequence: str) -> np.ndarray:
    """Sequence of L letters -> L ids (uint8) without `<cls>` and `<eos>`: a window of a longer molecule."""
    # Non-ASCII letters become "?", hence <unk>, and keep their position.
    return _IDS[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
