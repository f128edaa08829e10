"""The report of a run, made from the run's manifests and tables.

Everything the page shows is read from the outputs the manifests name.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.evaluation import (
    atlas_page,
    cells,
    charts,
    comparison,
    composition,
    interpretation_page,
    numbers,
    page,
    published_page,
    strata,
    task_page,
)
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.flow import flow

FLOATS = dict.fromkeys(("value", "ci_low", "ci_high"), pl.Float64)


@dataclass
class Sources:
    """What a report is made from: manifests, and tables of published numbers."""

    run: str
    corpus_directory: Path
    collected: Path
    pretrain: Path
    model: Path
    atlas: Path
    interpretation: Path
    evaluations: list[Path]
    published: list[Path]

    @property
    def sequences(self) -> Path:
        return self.corpus_directory / "sequences" / "manifest.json"

    @property
    def clusters(self) -> Path:
        return self.corpus_directory / "clusters.manifest.json"

    @property
    def manifests(self) -> list[Path]:
        before = [self.sequences, self.clusters, self.pretrain, self.model]
        return [*before, *self.evaluations, self.collected, self.atlas, self.interpretation]


def build(sources: Sources) -> str:
    """The page as HTML text."""
    figures = Figures()
    sections = corpus(sources, figures) | training(sources, figures) | results(sources, figures)
    sections |= {"atlas": atlas_page.sections(sources.atlas, figures), "headline": headline(sources)}
    sections["headline"] += sections["best"]
    sections["interpretation"] = interpretation_page.sections(sources.interpretation, figures)
    sections |= page.lineages(sources.manifests)
    return page.render("report.html", figures, sections | {"run": sources.run})


def headline(sources: Sources) -> list[dict]:
    clusters = pl.scan_parquet(page.output(sources.clusters, "clusters.parquet"))
    return numbers.headline(
        page.read_table(page.output(sources.collected, "ledger.csv")),
        clusters.select(pl.col("cluster").n_unique()).collect().item(),
        page.output(sources.model, "model.safetensors"),
        page.read_table(page.output(sources.pretrain, "validation.csv")),
    )


def corpus(sources: Sources, figures: Figures) -> dict:
    ledger = page.read_table(page.output(sources.collected, "ledger.csv"))
    sequences = pl.scan_parquet(provenance.outputs(sources.sequences, ".parquet"))
    clusters = pl.scan_parquet(page.output(sources.clusters, "clusters.parquet"))
    specs = {
        "Length": charts.lengths(composition.length_counts(sequences)),
        "Family or type": charts.composition(composition.family_counts(sequences)),
        "Cluster size": charts.cluster_sizes(composition.cluster_size_counts(clusters)),
    }
    return {
        "flow": flow(ledger),
        "ledger": numbers.ledger_table(ledger),
        "corpus": [figures.add(spec, title) for title, spec in specs.items()],
    }


def training(sources: Sources, figures: Figures) -> dict:
    history = page.read_table(page.output(sources.pretrain, "history.csv"))
    validation = page.read_table(page.output(sources.pretrain, "validation.csv"))
    specs = charts.training(history, validation)
    return {
        "training": [figures.add(spec, title) for title, spec in specs.items()],
        "training_end": validation.row(-1, named=True),
    }


def results(sources: Sources, figures: Figures) -> dict:
    metrics, seeds = collected(sources, "metrics.csv", FLOATS), collected(sources, "seeds.csv", FLOATS)
    folds = cells.folds(metrics)
    strata_table = collected(sources, "strata.csv", strata.SCHEMA)
    found = task_page.sections(cells.read(sources.evaluations, folds), metrics, seeds, strata_table, folds, figures)
    compared = collected(sources, "comparison.csv", comparison.SCHEMA)
    return found | {"published": published_page.sections(compared, sources.published)}


def collected(sources: Sources, name: str, types: dict) -> pl.DataFrame:
    """A table of collect; types: of the columns that may be empty."""
    return pl.read_csv(page.output(sources.collected, name), schema_overrides=types)
