"""The report of a run, made from the run's manifests and tables.

Everything the page shows is read from the outputs the manifests name.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.evaluation import atlas_page, charts, composition, gallery, interpretation_page, numbers, page
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.flow import flow


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
    sections["interpretation"] = interpretation_page.sections(sources.interpretation, figures)
    sections |= page.lineages(sources.manifests)
    sections |= {"run": sources.run, "longest_drawn": gallery.LONGEST, "most_dots": charts.MOST_RNAS}
    return page.render("report.html", figures, sections)


def headline(sources: Sources) -> list[dict]:
    clusters = pl.scan_parquet(page.output(sources.clusters, "clusters.parquet"))
    return numbers.headline(
        page.read_table(page.output(sources.collected, "ledger.csv")),
        clusters.select(pl.col("cluster").n_unique()).collect().item(),
        page.output(sources.model, "model.safetensors"),
        page.read_table(page.output(sources.pretrain, "validation.csv")),
        page.read_table(page.output(sources.collected, "metrics.csv")),
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
    metrics = page.read_table(page.output(sources.collected, "metrics.csv"))
    predictions = read_predictions(sources.evaluations)
    means = numbers.by_split(numbers.named(metrics.filter(pl.col("metric") == "f1")))
    per_rna = numbers.by_split(numbers.named(predictions))
    return {
        "comparisons": numbers.comparisons(predictions),
        "means": [figures.add(charts.means(rows), title) for title, rows in means],
        "results": numbers.results(metrics),
        "metric_names": metrics["metric"].unique(maintain_order=True).to_list(),
        "published": numbers.published(sources.published, metrics),
        "distributions": [figures.add(charts.distributions(rows), title) for title, rows in per_rna],
        "gallery": gallery.gallery(predictions, figures),
    }


def read_predictions(evaluations: list[Path]) -> pl.DataFrame:
    """All predictions under their task, split, model and init, which stand in the metrics beside them."""
    parts = []
    for manifest in evaluations:
        cell = page.read_table(page.output(manifest, "metrics.csv")).row(0, named=True)
        where = [pl.lit(cell[key]).alias(key) for key in ("task", "split", "model", "init")]
        parts.append(pl.read_parquet(page.output(manifest, "predictions.parquet")).with_columns(where))
    return pl.concat(parts, how="vertical_relaxed")
