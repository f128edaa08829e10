"""Base pairs in the maps of an encoder that was shown no structure: which head has them, and how they look.

A head is good at pairs if the highest cells of its map, as many as the RNA has pairs, are its pairs
(`interpretation.pair_precision`). Layers count from 1; layer 0 is the bias of pairs that ERNIE-RNA starts from.
"""

import numpy as np
import polars as pl

from rnalm.evaluation import interpretation
from rnalm.models.encoder import Encoder
from rnalm.models.ernie_rna import ErnieRna
from rnalm.models.score_maps import maps, profiles
from rnalm.randomness import bits, digest_counters, key
from rnalm.sequences.alphabet import digest
from rnalm.tokens.packing import pack

SHORTEST, LONGEST = 20, 200  # nt of RNAs whose heads are scored
LONGEST_DRAWN = 120  # nt; longer maps cannot be read on a page
DRAWN = 3
MAPS = {"id": pl.String, "family": pl.String, "sequence": pl.String, "pairs": pl.List(pl.List(pl.Int64))}
MAPS |= {"map": pl.String, "layer": pl.Int64, "head": pl.Int64, "precision": pl.Float64, "scores": pl.List(pl.Float32)}
HEADS = {"encoder": pl.String, "layer": pl.Int64, "head": pl.Int64, "precision": pl.Float64, "rnas": pl.Int64}


def choose(records: list, seed: int, count: int) -> list:
    """So many records with pairs, of SHORTEST to LONGEST nt; from every family the same number as far as there are.

    records: of tasks whose labels are base pairs (`rnalm.tasks.records`)
    """
    fitting = {digest(r.sequence): r for r in records if r.label and SHORTEST <= r.length <= LONGEST}
    if not fitting:
        return []
    order = bits(key(seed, "interpretation"), digest_counters(list(fitting)))
    table = pl.DataFrame({"digest": list(fitting), "order": order, "family": [r.family for r in fitting.values()]})
    table = table.sort("order").with_columns(turn=pl.int_range(pl.len()).over("family"))
    return [fitting[name] for name in table.sort("turn", "order")["digest"].head(count)]


def of_sequence(encoder: Encoder, sequence: str) -> np.ndarray:
    """(layers, heads, L, L) fp32 of the nucleotides."""
    inside = encoder.tokeniser.nucleotides
    (layers,) = maps(encoder, one(encoder, sequence))
    return np.stack([layer[:, inside, inside].float().cpu().numpy() for layer in layers])


def profile(encoder: Encoder, sequence: str) -> tuple[np.ndarray, np.ndarray]:
    """First row and column means of the last layer's map, each (L,) fp32, of the nucleotides."""
    (found,) = profiles(encoder, one(encoder, sequence))
    inside = encoder.tokeniser.nucleotides
    return tuple(vector[inside].float().cpu().numpy() for vector in (found.first_row, found.column_means))


def one(encoder: Encoder, sequence: str):
    """The batch of one sequence, where the encoder is."""
    return pack([encoder.tokeniser.encode(sequence)]).to(next(encoder.parameters()).device)


def precisions(encoder: Encoder, records: list) -> np.ndarray:
    """(RNAs, layers, heads) precision of every head's map."""
    found = []
    for record in records:
        layers = of_sequence(encoder, record.sequence)
        found.append([[interpretation.pair_precision(scores, record.label) for scores in heads] for heads in layers])
    return np.array(found)


def chance(records: list) -> float:
    """Mean precision to be expected of maps without meaning; 0 without RNAs."""
    found = [interpretation.chance(record.length, record.label) for record in records]
    return float(np.mean(found)) if found else 0.0


def first_layer(encoder: Encoder) -> int:
    """Number of the first map."""
    return 0 if isinstance(encoder, ErnieRna) else 1


def table(name: str, found: np.ndarray, first: int) -> pl.DataFrame:
    """Columns HEADS from `precisions` of an encoder: the mean over the RNAs that have pairs far enough apart."""
    known = ~np.isnan(found[:, 0, 0])
    means = found[known].mean(axis=0)
    cell = {"encoder": name, "rnas": int(known.sum())}
    rows = [
        cell | {"layer": first + layer, "head": 1 + head, "precision": float(value)}
        for (layer, head), value in np.ndenumerate(means)
    ]
    return pl.DataFrame(rows, schema=HEADS)


def drawn(encoder: Encoder, records: list, found: np.ndarray) -> pl.DataFrame:
    """Columns MAPS: of the first short RNAs the map of the head that is best on all others, and the last layer's mean.

    found: `precisions` of the records. head: from 1, null for the mean over heads; scores: the map row by row.
    """
    shown = [n for n, record in enumerate(records) if record.length <= LONGEST_DRAWN][:DRAWN]
    layer, head = best_head(found, shown)
    rows = []
    for record in (records[n] for n in shown):
        layers = of_sequence(encoder, record.sequence)
        rna = {"id": record.id, "family": record.family, "sequence": record.sequence, "pairs": record.label}
        for name, number, one_head, scores in (
            ("best head", layer, head + 1, layers[layer, head]),
            ("last layer", len(layers) - 1, None, layers[-1].mean(axis=0)),
        ):
            precision = interpretation.pair_precision(scores, record.label)
            place = {"map": name, "layer": first_layer(encoder) + number, "head": one_head, "precision": precision}
            rows.append(rna | place | {"scores": scores.ravel()})
    return pl.DataFrame(rows, schema=MAPS)


def best_head(found: np.ndarray, left_out: list[int]) -> tuple[int, int]:
    """(index of the layer, of the head) of the highest mean precision over the RNAs that are not left out."""
    kept = np.delete(found, left_out, axis=0)
    means = np.nanmean(kept if len(kept) else found, axis=0)
    return tuple(map(int, np.unravel_index(np.argmax(means), means.shape)))
