"""The tokenizer in Transformers: the tokens of the library, text back from them, and files."""

import shutil

import rnalm.hf
from models_of_hf import ENCODERS, EVERY, MASKED, SEQUENCES
from transformers import (
    AutoTokenizer,
)


@EVERY
def test_tokens_are_the_familys_own(folder, name):
    tokenizer, tokeniser = AutoTokenizer.from_pretrained(folder / name), ENCODERS[name].tokeniser
    batch = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    assert list(batch) == ["input_ids", "attention_mask"]
    for ids, mask, sequence in zip(batch["input_ids"], batch["attention_mask"], SEQUENCES, strict=True):
        own = tokeniser.encode(sequence).tolist()
        assert ids.tolist() == own + [tokeniser.pad] * (len(ids) - len(own))
        assert mask.tolist() == [1] * len(own) + [0] * (len(ids) - len(own))
    assert len(tokenizer) == tokenizer.vocab_size == len(tokeniser.tokens)
    assert tokenizer.convert_ids_to_tokens(range(len(tokeniser.tokens))) == list(tokeniser.tokens)
    assert tokenizer.convert_tokens_to_ids(list(tokeniser.tokens)) == list(range(len(tokeniser.tokens)))


@EVERY
def test_rna_and_dna_in_any_case_and_layout_are_one(folder, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    spellings = ["GGCUUACGU", "GGCTTACGT", "ggcuuacgt", " GGC UUA\nCGT\n"]
    assert len({tuple(ids) for ids in tokenizer(spellings)["input_ids"]}) == 1
    assert tokenizer(list("GGCUUACGU"), is_split_into_words=True) == tokenizer("GGCUUACGU")
    assert tokenizer([["GGCUU", "ACGU"], ["G"]], is_split_into_words=True) == tokenizer(["GGCUUACGU", "G"])
    k = getattr(ENCODERS[name].tokeniser, "k", 1)
    for spelling in ("U" * k, "T" * k, "u" * k):
        expected = tokenizer("U" * (2 * k))["input_ids"][k]
        assert tokenizer.convert_tokens_to_ids(spelling) == expected != tokenizer.unk_token_id


def test_golden_tokens(folder):
    def ids(name, text):
        return AutoTokenizer.from_pretrained(folder / name)(text)["input_ids"]

    assert ids("rinalmo", "acgunx-ry") == [0, 5, 6, 7, 8, 20, 3, 21, 10, 11, 2]
    assert ids("rnaret", "AUGGCU") == [6, 7, 9, 9, 8, 7]
    assert ids("rnaret_3mer", "AUGGCU") == [1, 13, 37, 68, 63, 1]
    assert ids("ernie_rna", "<mask>") == [0, 24, 2]


@EVERY
def test_decoding_gives_the_sequence_back(folder, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    for sequence in (SEQUENCES[0], SEQUENCES[3], "A" * 50):
        spelled = sequence.replace("U", ENCODERS[name].tokeniser.thymine)
        padded = tokenizer(sequence, padding="max_length", max_length=60)["input_ids"]
        assert tokenizer.decode(padded, skip_special_tokens=True) == spelled
        one = tokenizer.decode(tokenizer(sequence)["input_ids"])
        assert one == (f"<cls>{spelled}<eos>" if tokenizer.eos_token else spelled)
    text = tokenizer.decode(tokenizer(MASKED)["input_ids"])
    assert MASKED.replace("U", ENCODERS[name].tokeniser.thymine) in text


def test_a_mask_hides_one_nucleotide_from_every_kmer(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder / "rnaret_3mer")
    clean = tokenizer("AUGGCUA")["input_ids"]
    for place, hidden in ((3, [2, 3, 4]), (0, [1]), (1, [1, 2]), (6, [5])):
        text = "AUGGCUA"[:place] + "<mask>" + "AUGGCUA"[place + 1 :]
        ids = tokenizer(text)["input_ids"]
        assert [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id] == hidden
        assert [token for i, token in enumerate(ids) if i not in hidden] == [
            token for i, token in enumerate(clean) if i not in hidden
        ]
    # Two that overlap, one beside an ambiguous letter.
    assert tokenizer("AUG<mask><mask>UAC")["input_ids"].count(tokenizer.mask_token_id) == 4
    assert tokenizer("AUN<mask>CUA")["input_ids"][1:-1] == [2, 4, 4, 4, tokenizer.convert_tokens_to_ids("CUA")]


@EVERY
def test_pairs_and_special_tokens(folder, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("GGCUA", "ACG"))
    both = tokenizer("GGCUA", "ACG", return_special_tokens_mask=True)
    cls, eos = tokenizer.cls_token_id, tokenizer.eos_token_id
    if eos is None:
        assert both["input_ids"] == [cls, *first, cls, *second]
        assert both["special_tokens_mask"] == [1, *[0] * 5, 1, *[0] * 3]
        assert tokenizer("GGCUA", return_special_tokens_mask=True)["special_tokens_mask"] == [0] * 5
    else:
        assert both["input_ids"] == [cls, *first, eos, *second, eos]
        assert both["special_tokens_mask"] == [1, *[0] * 5, 1, *[0] * 3, 1]
        assert tokenizer("GGCUA", return_special_tokens_mask=True)["special_tokens_mask"] == [1, *[0] * 5, 1]
    assert tokenizer.num_special_tokens_to_add(pair=True) == len(both["input_ids"]) - 8
    short = tokenizer("GGCUAGGCUA", max_length=6, truncation=True)["input_ids"]
    assert len(short) == 6 and short[-1] == (eos if eos is not None else short[-1])


@EVERY
def test_a_tokenizer_that_was_saved_is_the_same(folder, tmp_path, name):
    tokenizer = AutoTokenizer.from_pretrained(folder / name, model_max_length=10, padding_side="left")
    shutil.copy(folder / name / "config.json", tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert type(again) is rnalm.hf.RnalmTokenizer and not again.is_fast
    assert (again.model_max_length, again.padding_side) == (10, "left")
    assert again.get_vocab() == tokenizer.get_vocab() and again.special_tokens_map == tokenizer.special_tokens_map
    assert again(SEQUENCES, padding=True) == tokenizer(SEQUENCES, padding=True)
    assert (tmp_path / "tokenizer.json").read_bytes() == (folder / name / "tokenizer.json").read_bytes()
