"""What a model's score maps say about sequences: which letters stand where they point, and whether they pair.

After RNAret (Communications Biology, doi 10.1038/s42003-026-09757-x): of each RNA the last layer's map, mean over the
heads (`models.score_maps`), the 1 % of positions whose columns have the highest means, and the codons and 9-mers at
whose centre these positions stand. Where its published notebooks do something else than its text, this is the text:
- the notebook of miRNA targets plots the last head only; here all heads are averaged, then the samples
- the notebook of mRNA/lncRNA takes codons in any frame; here both: `codon`, in any frame, as published, and
  `codon_in_frame` where a coding sequence is known
- its analysis of mouse loads the mouse model and calls the human one; here there is one model

Enrichment is against all positions of the same RNAs: a hypergeometric test of as many draws without replacement,
one-sided, corrected by Benjamini and Hochberg over all k-mers there are. Positions of one RNA are no independent
draws, so the p-values rank, they do not prove.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control, hypergeom

TOP = 0.01
SHORTEST_LOOP = 3  # unpaired nucleotides between two that pair
ENRICHED = {"kmer": pl.String, "selected": pl.Int64, "population": pl.Int64}
ENRICHED |= dict.fromkeys(("log2_fold", "p_value", "q_value"), pl.Float64)
KNOWN = re.compile("[ACGT]+")


def top_positions(column_means: np.ndarray) -> np.ndarray:
    """(L,) -> positions of the highest 1 %, one at least, ascending; the earlier of equal ones."""
    count = max(1, round(TOP * len(column_means)))
    return np.sort(np.argsort(-column_means, kind="stable")[:count])


def centred(sequence: str, positions: Iterable[int], k: int) -> Counter:
    """The k-mers, k odd, with these positions at their centre; those beyond an end or with other letters left out."""
    half = k // 2
    found = (sequence[p - half : p + half + 1] for p in positions if p >= half)
    return Counter(kmer for kmer in found if len(kmer) == k and KNOWN.fullmatch(kmer))


def coding_region(labels: list[int]) -> tuple[int, int] | None:
    """First run of ones in a label per nucleotide -> (start, end), 0-based, half open; None if there is none."""
    if 1 not in labels:
        return None
    start = labels.index(1)
    return start, next((p for p in range(start, len(labels)) if labels[p] != 1), len(labels))


def codons(sequence: str, region: tuple[int, int], positions: Iterable[int]) -> Counter:
    """The whole codons, in the frame of a coding region, that hold any of the positions; each counts once."""
    start, end = region
    whole = start + (end - start) // 3 * 3
    starts = {start + (p - start) // 3 * 3 for p in positions if start <= p < whole}
    return Counter(codon for p in starts if KNOWN.fullmatch(codon := sequence[p : p + 3]))


def enrichment(selected: Counter, population: Counter) -> pl.DataFrame:
    """Columns ENRICHED, a row per selected k-mer, by p-value; selected: a part of the population.

    log2_fold: of its share of the selected over that of the population; p_value: of as many or more of it among as
    many draws; q_value: corrected for all k-mers of the population.
    """
    drawn, total = selected.total(), population.total()
    names = sorted(population)
    hits, there = (np.array([counts[name] for name in names], dtype=np.int64) for counts in (selected, population))
    if not drawn:
        return pl.DataFrame(schema=ENRICHED)
    p_values = hypergeom.sf(hits - 1, total, there, drawn)
    with np.errstate(divide="ignore"):
        folds = np.log2(hits / drawn) - np.log2(there / total)
    columns = (names, hits, there, folds, p_values, false_discovery_control(np.clip(p_values, 0, 1)))
    table = pl.DataFrame(dict(zip(ENRICHED, columns, strict=True)), schema=ENRICHED)
    return table.filter(pl.col("selected") > 0).sort("p_value", "kmer")


def enriched(rnas: Iterable[tuple[str, np.ndarray, tuple[int, int] | None]]) -> pl.DataFrame:
    """Enrichment at the top positions of RNAs, each (sequence, column means, coding region): ENRICHED and `kind`."""
    kinds = ("codon", "codon_in_frame", "9-mer")
    selected, population = ({kind: Counter() for kind in kinds} for _ in range(2))
    for sequence, column_means, region in rnas:
        for counts, positions in ((selected, top_positions(column_means).tolist()), (population, range(len(sequence)))):
            counts["codon"].update(centred(sequence, positions, 3))
            counts["9-mer"].update(centred(sequence, positions, 9))
            if region:
                counts["codon_in_frame"].update(codons(sequence, region, positions))
    tables = (enrichment(selected[kind], population[kind]).with_columns(kind=pl.lit(kind)) for kind in kinds)
    return pl.concat(tables)


def mean_over_samples(rows: list[np.ndarray], share: float = 0.25) -> np.ndarray:
    """Position-wise means of rows of different lengths, as far as so many of them reach."""
    lengths = np.sort([len(row) for row in rows])
    reach = lengths[math.floor((1 - share) * (len(rows) - 1))]
    padded = np.full((len(rows), reach), np.nan)
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row[:reach]
    return np.nanmean(padded, axis=0)


def pair_precision(scores: np.ndarray, pairs: list[tuple[int, int]]) -> float:
    """Of the P highest cells of a map (L, L), made symmetric, the share that are the RNA's P base pairs.

    Cells of nucleotides with fewer than three between them are left out, and such pairs too. NaN without pairs.
    """
    i, j = np.triu_indices(len(scores), SHORTEST_LOOP + 1)
    true = np.zeros(scores.shape, dtype=bool)
    true[tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)] = True
    cells, hits = (scores + scores.T)[i, j], true[i, j]
    count = hits.sum()
    return float(hits[np.argsort(-cells, kind="stable")[:count]].mean()) if count else math.nan


def chance(length: int, pairs: list[tuple[int, int]]) -> float:
    """`pair_precision` to be expected of a map without meaning."""
    cells = (length - SHORTEST_LOOP) * (length - SHORTEST_LOOP - 1) / 2
    return sum(j - i > SHORTEST_LOOP for i, j in pairs) / cells if cells > 0 else math.nan
