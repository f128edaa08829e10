"""Tokenisers with one token per nucleotide letter, `<cls>` before and `<eos>` after: RiNALMo's and ERNIE-RNA's."""

import numpy as np

CLS, PAD, EOS, UNKNOWN = range(4)


class LetterTokeniser:
    """tokens: by id, the first four are `<cls>`, `<pad>`, `<eos>`, `<unk>`; thymine: the one of T and U among them;
    mask: the family's masking. Upper and lower case are one; a letter that is no token is `<unk>`."""

    pad = PAD
    nucleotides = slice(1, -1)

    def __init__(self, tokens: tuple[str, ...], thymine: str, mask):
        self.tokens, self.thymine, self.mask = tokens, thymine, mask
        self._ids = np.full(256, UNKNOWN, dtype=np.uint8)
        for i, token in enumerate(tokens):
            if len(token) == 1:
                self._ids[[ord(token), ord(token.lower())]] = i
        self._ids[[ord(letter) for letter in "TtUu"]] = tokens.index(thymine)

    def encode(self, sequence: str) -> np.ndarray:
        """Sequence of L letters -> L + 2 ids (uint8), `<cls>` and `<eos>` included."""
        ids = np.empty(len(sequence) + 2, dtype=np.uint8)
        ids[0], ids[-1] = CLS, EOS
        ids[1:-1] = self.encode_fragment(sequence)
        return ids

    def encode_fragment(self, sequence: str) -> np.ndarray:
        """Sequence of L letters -> L ids (uint8) without `<cls>` and `<eos>`: a window of a longer molecule."""
        # Non-ASCII letters become "?", hence <unk>, and keep their position.
        return self._ids[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
