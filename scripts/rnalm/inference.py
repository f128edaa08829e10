"""A trained model on sequences: embed them, fold them.

Sequences are normalised as the corpus was (upper case, U read as T, gaps removed), so ACGU and ACGT give the
same numbers. Batches are packed under a token budget; a sequence's numbers do not depend on its neighbours.
"""

import os
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from rnalm.errors import InputError
from rnalm.models import finetuned
from rnalm.models.directory import ModelDirectory, autocast, load
from rnalm.models.ernie_rna_heads import ZERO_SHOT
from rnalm.models.registry import build
from rnalm.randomness import key
from rnalm.sequences.alphabet import normalise
from rnalm.structure.decoders import DECODERS, OF_LOGITS
from rnalm.tasks import kinds
from rnalm.tasks.kinds import pairs
from rnalm.tasks.records import Record
from rnalm.tokens.packing import PackedBatch, pack, token_budget_batches
from rnalm.training.prediction import predict

TOKENS_PER_BATCH = 4096
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # bytes of this machine


class LanguageModel:
    def __init__(self, loaded: ModelDirectory, where, precision: str = "fp32"):
        """precision: of the matrix products, `fp32` or `bf16`; what is returned is fp32."""
        self.config, self.encoder, self.model, self.where = loaded.config, loaded.encoder, loaded.model, where
        self.precision = precision
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        (self.model or self.encoder).to(self.device)

    @classmethod
    def from_directory(cls, directory, precision: str = "fp32") -> "LanguageModel":
        """InputError if `directory` is no model directory."""
        return cls(load(directory), directory, precision)

    def untrained(self, seed: int) -> "LanguageModel":
        """The encoder's own network with random weights."""
        torch.manual_seed(int(key(seed, "atlas", "initialisation") >> 1))
        fresh = ModelDirectory(self.config, build(self.config["model"]).eval(), None)
        return LanguageModel(fresh, "random", self.precision)

    def zero_shot(self, **choices) -> "LanguageModel":
        """The same encoder without its head: pairs are read off its attention, as ERNIE-RNA's can be.

        choices: `map` and `pairs` of `ZeroShotModel`. InputError for another encoder.
        """
        head = {**ZERO_SHOT, **choices}
        model = finetuned.build(self.encoder, head, self.where, "name a model directory of ERNIE-RNA")
        return LanguageModel(
            ModelDirectory({**self.config, "head": head}, self.encoder, model), self.where, self.precision
        )

    def hidden_states(self, sequences: list[str]) -> list[np.ndarray]:
        """One fp32 array (tokens, d) per sequence; its nucleotides are at `encoder.tokeniser.nucleotides`."""
        states = [None] * len(sequences)
        for members, batch, out in self._passes(self.encoder, sequences):
            for i, part in zip(members, batch.split(out.float()), strict=True):
                states[i] = part.cpu().numpy()
        return states

    def pair_logits(self, sequences: list[str]) -> list[np.ndarray]:
        """One symmetric fp32 array (L, L) per sequence: the logit that two nucleotides pair."""
        return self._pairs(sequences, lambda i, logits: logits)

    def pair_probabilities(self, sequences: list[str]) -> list[np.ndarray]:
        """One symmetric fp32 array (L, L) per sequence: the probability that two nucleotides pair."""
        return self._pairs(sequences, lambda i, logits: pairs.probabilities(logits))

    def fold(self, sequences: list[str], decoder: str | None = None) -> list[list[tuple[int, int]]]:
        """Base pairs (i, j), i < j, 0-based, of each sequence, decoded at the model's own threshold.

        decoder: a name in DECODERS; by default the one that the model's head was published with.
        """
        head = self._pair_head()
        if "threshold" not in head:
            problem = "has no threshold, so that it predicts no base pairs but how near nucleotides are"
            raise InputError(self.where, problem, "use `rnalm predict`")
        decoder = decoder or head.get("decoder", "greedy")
        if decoder not in DECODERS:
            raise InputError(self.where, f"asks for the decoder {decoder!r}", f"use one of {', '.join(DECODERS)}")
        clean = [normalise(sequence) for sequence in sequences]

        def decoded(i: int, logits: np.ndarray) -> list[tuple[int, int]]:
            matrix = logits if decoder in OF_LOGITS else pairs.probabilities(logits)
            return DECODERS[decoder](matrix, clean[i], head["threshold"])

        return self._pairs(clean, decoded)

    def predict(self, sequences: list[str], partners: list[str] | None = None) -> list:
        """What the model's head says of each sequence, or of each with its partner, by the kind of the head.

        Base pairs; the logits of classes, (classes,); a number; the probability of every nucleotide, (L,), or of every
        two, (L, L), where the head is one of pairs without a threshold (closeness).
        InputError for a model without a head, and for partners where it tells of single nucleotides.
        """
        if self.model is None:
            raise InputError(self.where, "has no head to predict with", "name a fine-tuned model directory")
        if partners and kinds.of(self.config["head"]) in ("pairs", "positions"):
            raise InputError(self.where, "predicts nucleotides of one molecule", "give no partners")
        both = zip(sequences, partners or [""] * len(sequences), strict=True)
        records = [Record("", "", normalise(one), None, normalise(other)) for one, other in both]
        return predict(self.model, self.config["head"], records, self.precision)

    def _pairs(self, sequences: list[str], kept: Callable[[int, np.ndarray], object]) -> list:
        """What is `kept` of the (L, L) logits of every sequence, given its number: all would fill the memory."""
        self._pair_head()
        self._check_memory(max(map(len, sequences), default=0))
        found = [None] * len(sequences)
        for members, _, out in self._passes(self.model, sequences):
            for i, logits in zip(members, out, strict=True):
                found[i] = kept(i, logits.float().cpu().numpy())
        return found

    def _check_memory(self, length: int) -> None:
        """InputError where the pairs of a sequence cannot be in memory: there the system ends a process without a word.

        A GPU says it by itself. At least what goes into a convolution and what comes out of it are there at once, fp32;
        without convolutions, the logits of all attention heads and a copy.
        """
        convolutions = (part.out_channels for part in self.model.modules() if isinstance(part, nn.Conv2d))
        channels = max(convolutions, default=self.encoder.config.heads)
        needed = 2 * 4 * channels * length**2
        if self.device.type == "cpu" and needed > MEMORY:
            problem = f"has pairs that take {needed / 1e9:,.0f} GB of memory, more than is here"
            raise InputError(f"a sequence of {length:,} nt", problem, "fold parts of it")

    def _pair_head(self) -> dict:
        head = self.config["head"]
        if not head or kinds.of(head) != "pairs":
            raise InputError(
                self.where, "is without a structure head", "name a model directory fine-tuned for structures"
            )
        return head

    @torch.no_grad()
    def _passes(self, module: nn.Module, sequences: list[str]) -> Iterator[tuple[list[int], PackedBatch, object]]:
        """(numbers of the sequences, their batch, the module's output) of each forward pass."""
        encoded = [self.encoder.tokeniser.encode(normalise(sequence)) for sequence in sequences]
        for members in token_budget_batches([len(ids) for ids in encoded], TOKENS_PER_BATCH):
            batch = pack([encoded[i] for i in members]).to(self.device)
            with autocast(self.precision, self.device):
                out = module(batch)
            yield members, batch, out
