"""The tokenisers of all families as one Transformers tokenizer.

RNA and DNA, upper and lower case are read alike, white space is left out, and every letter keeps its place: one that
is no nucleotide becomes `<unk>`. A `<mask>` in a text is one hidden nucleotide: every token that shows it is masked.
That is one token where tokens are nucleotides, and k neighbours where they are k-mers: RNAret's pre-training masks so.
"""

import re

from transformers import PreTrainedTokenizer

from rnalm.errors import InputError
from rnalm.models.directory import load_tokens, save_tokens
from rnalm.tokens import ernie_rna, rinalmo
from rnalm.tokens.kmer import FIL, SIZES, SPECIAL, KmerTokeniser
from rnalm.tokens.tokeniser import Tokeniser

NAMED = ("cls", "eos", "unk", "pad", "mask")
HIDDEN = "N"  # stands for a hidden nucleotide until its tokens are masked


def tokeniser_of(tokens: tuple[str, ...], where) -> Tokeniser:
    """The family's tokeniser that has these tokens; InputError if there is none."""
    known = [rinalmo.TOKENISER, ernie_rna.TOKENISER]
    known += [KmerTokeniser(k) for k in SIZES if len(tokens) == len(SPECIAL) + 4**k]
    for tokeniser in known:
        if tokeniser.tokens == tokens:
            return tokeniser
    raise InputError(where, "lists other tokens than any family has", "use a model directory made by this library")


class RnalmTokenizer(PreTrainedTokenizer):
    """tokens_file: the tokenizer.json of a model directory.

    One sequence is `<cls>` ACGU `<eos>`, two are `<cls>` ACGU `<eos>` ACGU `<eos>`. With k-mers a single sequence has
    no special tokens, and two have `<cls>` before each, as RNAret was published for pairs of RNAs.
    """

    vocab_files_names = {"tokens_file": "tokenizer.json"}  # noqa: RUF012
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, tokens_file, **named):
        if tokens_file is None:
            raise InputError(named.get("name_or_path"), "has no tokenizer.json", "name a model directory")
        self.tokeniser = tokeniser_of(load_tokens(tokens_file), tokens_file)
        self._numbers = {token: number for number, token in enumerate(self.tokeniser.tokens)}
        self._k = getattr(self.tokeniser, "k", 1)
        special = {f"{name}_token": f"<{name}>" for name in NAMED if f"<{name}>" in self._numbers}
        bracketed = [token for token in self._numbers if token.startswith("<")]
        special["extra_special_tokens"] = [token for token in bracketed if token not in special.values()]
        self._borders = re.compile(f"({'|'.join(token for token in bracketed if token != special['mask_token'])})")
        super().__init__(**(special | named))

    @classmethod
    def _from_pretrained(cls, resolved_vocab_files, *arguments, **named):
        # Read as ours, `tokens_file`; under this key Transformers reads it as one of the `tokenizers` library.
        resolved_vocab_files.pop("tokenizer_file", None)
        return super()._from_pretrained(resolved_vocab_files, *arguments, **named)

    @property
    def vocab_size(self) -> int:
        return len(self._numbers)

    def get_vocab(self) -> dict[str, int]:
        return self._numbers | self.added_tokens_encoder

    def tokenize(self, text: str, **named) -> list[str]:
        """One token per letter, and the special tokens that the text itself contains."""
        tokens = []
        for part in self._borders.split("".join(text.split())):
            tokens += [part] if self._borders.fullmatch(part) else self._tokenize(part)
        return tokens

    def _tokenize(self, text: str, **named) -> list[str]:
        if not text:
            return []
        pieces, half, place = text.split(self.mask_token), self._k // 2, -1
        numbers = self.tokeniser.encode_fragment(HIDDEN.join(pieces))
        for piece in pieces[:-1]:
            place += len(piece) + 1
            shown = numbers[max(place - half, 0) : place + half + 1]
            # The ends that centre no k-mer stay what they are.
            shown[shown != FIL] = self.mask_token_id
        return [self.tokeniser.tokens[number] for number in numbers]

    def _encode_plus(self, text, text_pair=None, is_split_into_words: bool = False, **named):
        # Words would be tokenised one by one, but k-mers go over their borders.
        if is_split_into_words:
            text, text_pair = joined(text), joined(text_pair)
        return super()._encode_plus(text, text_pair, **named)

    def _convert_token_to_id(self, token: str) -> int:
        if token in self._numbers:
            return self._numbers[token]
        # U where the token is spelled with T, or the other way round; lower case.
        if len(token) == self._k:
            return int(self.tokeniser.encode_fragment(token)[self._k // 2])
        return self.unk_token_id

    def _convert_id_to_token(self, index: int) -> str:
        return self.tokeniser.tokens[index]

    def _decode(self, token_ids, skip_special_tokens: bool = False, **named) -> str:
        # As a whole at first: where the letters of k-mers stand, the tokens around them say.
        numbers = [token_ids] if isinstance(token_ids, int) else token_ids
        text = self.convert_tokens_to_string(self.convert_ids_to_tokens(numbers))
        return re.sub(f"{self._borders.pattern}|{self.mask_token}", "", text) if skip_special_tokens else text

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The nucleotides behind the tokens; a token that shows none, and has no neighbour that does, as it is."""
        if self._k == 1:
            return "".join(tokens)
        half, letters = self._k // 2, {}
        for place, token in enumerate(tokens):
            if not token.startswith("<"):
                for step, letter in enumerate(token, start=-half):
                    letters.setdefault(place + step, letter)
        # A token says best what its own nucleotide is.
        letters |= {place: token[half] for place, token in enumerate(tokens) if not token.startswith("<")}
        places = range(min([0, *letters]), max([len(tokens), *(place + 1 for place in letters)]))
        return "".join(letters.get(place) or tokens[place] for place in places)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        cls, eos, alone = self.cls_token_id, self.eos_token_id, token_ids_1 is None
        if eos is None:
            return token_ids_0 if alone else [cls, *token_ids_0, cls, *token_ids_1]
        return [cls, *token_ids_0, eos] if alone else [cls, *token_ids_0, eos, *token_ids_1, eos]

    def get_special_tokens_mask(
        self, token_ids_0, token_ids_1=None, already_has_special_tokens: bool = False
    ) -> list[int]:
        if already_has_special_tokens:
            return super().get_special_tokens_mask(token_ids_0, token_ids_1, already_has_special_tokens=True)
        # Built of numbers that no special token has.
        inner = ([-1] * len(part) if part is not None else None for part in (token_ids_0, token_ids_1))
        return [int(number != -1) for number in self.build_inputs_with_special_tokens(*inner)]

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        return (str(save_tokens(save_directory, self.tokeniser)),)


def joined(words):
    """Letters or pieces of one sequence, or lists of them, one per sequence -> the sequences."""
    if words is None or isinstance(words, str):
        return words
    return "".join(words) if all(isinstance(word, str) for word in words) else [joined(part) for part in words]
