"""The tables of a pre-trained encoder's score maps: where they point, which k-mers stand there, base pairs in them."""

import polars as pl

from rnalm.evaluation import interpretation, pair_maps
from rnalm.tasks import records


def with_profiles(encoder, sample: pl.DataFrame) -> pl.DataFrame:
    """RNAs of the corpus with the first row and the column means of their maps."""
    rows = [pair_maps.profile(encoder, sequence) for sequence in sample["sequence"]]
    columns = {"first_row": [first for first, _ in rows], "column_means": [means for _, means in rows]}
    return sample.with_columns(pl.Series(name, values, dtype=pl.List(pl.Float32)) for name, values in columns.items())


def kmers(encoders: dict, rnas: list, name: str) -> pl.DataFrame:
    """Enriched k-mers of the trained encoder, beside those of random weights, which prefer some letters too.

    rnas: (sequence, coding region or None); name: what they are
    """
    trained, untrained = (
        interpretation.enriched((rna, pair_maps.profile(encoder, rna)[1], region) for rna, region in rnas)
        for encoder in encoders.values()
    )
    control = untrained.select("kmer", "kind", random_log2_fold="log2_fold")
    beside = trained.join(control, on=["kmer", "kind"], how="left", maintain_order="left")
    return beside.with_columns(rnas=pl.lit(name))


def coding_rnas(manifest: str, longest: int, count: int) -> list:
    """The first RNAs of a task that have a coding region: (sequence, region)."""
    items = (item for item in records.load(manifest).values() if item.length <= longest)
    coding = ((item.sequence, interpretation.coding_region(item.label)) for item in items)
    return [rna for rna in coding if rna[1]][:count]


def base_pairs(encoders: dict, rnas: list) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Precision of every head, trained and at random, and maps to draw; both empty without RNAs."""
    if not rnas:
        return pl.DataFrame(schema=pair_maps.HEADS), pl.DataFrame(schema=pair_maps.MAPS)
    found = {name: pair_maps.precisions(encoder, rnas) for name, encoder in encoders.items()}
    first = pair_maps.first_layer(encoders["pretrained"])
    heads = pl.concat(pair_maps.table(name, precisions, first) for name, precisions in found.items())
    return heads, pair_maps.drawn(encoders["pretrained"], rnas, found["pretrained"])
