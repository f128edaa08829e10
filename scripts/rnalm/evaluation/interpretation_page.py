"""What a report shows of score maps: base pairs in them, where they point, and which k-mers stand there."""

from pathlib import Path

import numpy as np
import polars as pl

from rnalm import provenance
from rnalm.evaluation import charts, interpretation, interpretation_charts, page
from rnalm.evaluation.figures import Figures

MOST_CODONS, MOST_KMERS = 16, 10
BINS = 50  # of relative positions
# What the maps of a family are.
MAPS = {
    "rinalmo": "attention weights",
    "ernie_rna": "accumulated pair logits; layer 0 is the bias of pairs that the model starts from",
    "rnaret": "normalised retention scores",
}
KINDS = {"codon": "triplets in any frame", "codon_in_frame": "codons in the frame of the coding region"}


def sections(manifest: Path, figures: Figures) -> dict:
    content = provenance.load(manifest)
    heads = page.read_table(page.output(manifest, "heads.csv"))
    kmers = page.read_table(page.output(manifest, "kmers.csv"))
    # A column of nothing but empty cells is read as text.
    kmers = kmers.with_columns(pl.col("random_log2_fold").cast(pl.Float64))
    maps = pl.read_parquet(page.output(manifest, "maps.parquet"))
    profiles = pl.read_parquet(page.output(manifest, "profiles.parquet"))
    return {
        "kind": MAPS[content["notes"]["family"]],
        "pairs": pairs(heads, content["counts"], figures),
        "maps": [drawn(rows, figures) for _, rows in maps.group_by("id", maintain_order=True)],
        "profiles": curves(profiles, figures),
        "sequences": content["counts"]["sequences"],
        "codons": [codons(rows, *key, figures) for key, rows in by_kind(kmers, KINDS)],
        "kmers": [
            {"rnas": key[0], "rows": rows.head(MOST_KMERS).to_dicts()} for key, rows in by_kind(kmers, ["9-mer"])
        ],
        "parameters": content["parameters"],
    }


def pairs(heads: pl.DataFrame, counts: dict, figures: Figures) -> dict | None:
    """The best head, trained and at random, and the chart of all trained ones; None without RNAs of known structure."""
    if heads.is_empty():
        return None
    best = {name: rows.sort("precision").row(-1, named=True) for (name,), rows in heads.group_by("encoder")}
    spec = interpretation_charts.heads(heads.filter(pl.col("encoder") == "pretrained"))
    return {"best": best, "chance": counts["chance"], "figure": figures.add(spec, "Every layer and head")}


def drawn(rows: pl.DataFrame, figures: Figures) -> dict:
    """The maps of one RNA, and its base pairs in the same square."""
    first = rows.row(0, named=True)
    sequence, made = first["sequence"], []
    for row in rows.iter_rows(named=True):
        scores = np.array(row["scores"]).reshape(len(sequence), -1)
        head = f"head {row['head']}" if row["head"] else "all heads"
        title = f"Layer {row['layer']}, {head}: precision {row['precision']:.2f}"
        spec = interpretation_charts.score_map(scores, sequence, f"Score map of {row['id']}, {row['map']}")
        made.append(figures.add(spec, title))
    made.append(figures.add(contacts(first), "Its base pairs"))
    return {"id": first["id"], "family": first["family"], "length": len(sequence), "figures": made}


def contacts(row: dict) -> dict:
    """The base pairs of an RNA, on both sides of the diagonal as in a map."""
    letters = row["sequence"]
    both = [pair for i, j in row["pairs"] for pair in ((i, j), (j, i))]
    marks = [{"i": i + 1, "j": j + 1, "bases": f"{letters[i]}-{letters[j]}", "kind": "shared"} for i, j in both]
    return charts.contacts(pl.DataFrame(marks), len(letters), f"Base pairs of {row['id']}, as in its score map")


def curves(profiles: pl.DataFrame, figures: Figures) -> list[dict]:
    """The first row by position, and the column means, over those of an even map, by relative position.

    None without RNAs.
    """
    if profiles.is_empty():
        return []
    rows = [np.array(row) for row in profiles["first_row"]]
    first = interpretation.mean_over_samples(rows)
    relative = np.mean([binned(np.array(row)) for row in profiles["column_means"]], axis=0)
    places = (np.arange(BINS) + 0.5) / BINS
    specs = {
        "What the first token takes": interpretation_charts.line(
            first, np.arange(1, len(first) + 1), "Position (nt)", "Mean score", "First row of the maps, by position"
        ),
        "What is taken of each part": interpretation_charts.line(
            relative, places, "Place in the RNA, 0 to 1", "Mean of the columns", "Column means, by relative position"
        ),
    }
    return [figures.add(spec, title) for title, spec in specs.items()]


def binned(row: np.ndarray) -> np.ndarray:
    """(L,) -> (BINS,) by relative position, each value times L: 1 where all rows of a map spread out evenly."""
    places = ((np.arange(BINS) + 0.5) / BINS * len(row)).astype(int)
    return row[places] * len(row)


def by_kind(kmers: pl.DataFrame, kinds):
    """((RNAs, kind), rows) of the kinds, those that have any."""
    chosen = kmers.filter(pl.col("kind").is_in(list(kinds)))
    return chosen.group_by("rnas", "kind", maintain_order=True)


def codons(rows: pl.DataFrame, rnas: str, kind: str, figures: Figures) -> dict:
    shown = rows.filter(pl.col("log2_fold").is_finite()).sort("log2_fold", "kmer", descending=[True, False])
    title = f"{KINDS[kind]}, {rnas}"
    spec = interpretation_charts.codons(shown.head(MOST_CODONS), f"Enrichment of {title}")
    return figures.add(spec, title[0].upper() + title[1:])
