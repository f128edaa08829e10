"""The report of a run: one HTML page that opens offline, made from the run's manifests and tables.

Everything the page shows is read from the outputs the manifests name. Charts are Vega-Lite specifications, drawn by
the Vega libraries that are inlined once; a content security policy in the page forbids any request.
"""

import json
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2
import polars as pl
import vl_convert

from rnalm import provenance
from rnalm.errors import InputError
from rnalm.evaluation import charts, lineage
from rnalm.evaluation.bootstrap import interval
from rnalm.evaluation.flow import flow
from rnalm.structure.drawing import draw
from rnalm.structure.notation import parse_dot_bracket

SEED = 42
LONGEST_DRAWN = 500  # nt; longer drawings and contact maps cannot be read on a page
LENGTH_BINS = 40
MOST_CONTACT_MAPS = 3
MOST_FILES = 20  # listed per stage run; the manifest names all
METRICS = ("precision", "recall", "f1", "relaxed_precision", "relaxed_recall", "relaxed_f1")


@dataclass
class Sources:
    """The manifests a report is made from (paths); `published` is a table of published numbers."""

    run: str
    corpus_directory: Path
    collected: Path
    pretrain: Path
    model: Path
    atlas: Path
    evaluations: list[Path]
    published: Path

    @property
    def sequences(self) -> Path:
        return self.corpus_directory / "sequences" / "manifest.json"

    @property
    def clusters(self) -> Path:
        return self.corpus_directory / "clusters.manifest.json"

    def inputs(self) -> list[Path]:
        manifests = [self.sequences, self.clusters, self.collected, self.pretrain, self.model, self.atlas]
        return [*manifests, *self.evaluations, self.published]


def build(sources: Sources) -> str:
    """The page as HTML text."""
    metrics = pl.read_csv(output(sources.collected, "metrics.csv"))
    ledger = pl.read_csv(output(sources.collected, "ledger.csv"))
    history = pl.read_csv(output(sources.pretrain, "history.csv"))
    validation = pl.read_csv(output(sources.pretrain, "validation.csv"))
    predictions = read_predictions(sources.evaluations)
    stages = lineage.ancestors(sources.inputs()[:-1])
    figures = Figures()
    page = {
        "run": sources.run,
        "headline": headline(sources, ledger, validation, metrics),
        "verdicts": verdicts(predictions),
        "means": [figures.add(charts.means(rows), split) for split, rows in by_split(mean_rows(metrics))],
        "flow": flow(ledger),
        "ledger": ledger_table(ledger),
        "corpus": corpus_figures(sources, figures),
        "training": [figures.add(spec, name) for name, spec in charts.training(history, validation).items()],
        "training_end": validation.tail(1).to_dicts()[0] | {"seconds": provenance.load(sources.pretrain)["wall_seconds"]},
        "results": results_table(metrics),
        "metric_names": [name for name in metrics["metric"].unique(maintain_order=True)],
        "published": published_table(sources.published, metrics),
        "distributions": [
            figures.add(charts.distributions(rows), split) for split, rows in by_split(rna_rows(predictions))
        ],
        "gallery": gallery(predictions, figures),
        "atlas": atlas_figures(sources.atlas, figures),
        "stages": lineage.grouped(stages),
        "versions": lineage.versions(stages),
        "most_files": MOST_FILES,
        "longest_drawn": LONGEST_DRAWN,
        "most_dots": charts.MOST_RNAS,
    }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rnalm.evaluation"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "size": human_bytes, "duration": human_seconds, "init": charts.INITS.get}
    return environment.get_template("report.html").render(
        **page, charts=script_json(figures.specs), vega=vl_convert.javascript_bundle()
    )


class Figures:
    """The page's chart specifications by their element's id."""

    def __init__(self):
        self.specs: dict[str, dict] = {}

    def add(self, spec: dict, title: str) -> dict:
        """Register a chart; returns what the template needs to place it."""
        identifier = f"chart-{len(self.specs) + 1}"
        self.specs[identifier] = spec
        return {"id": identifier, "title": title, "label": spec["description"]}


def output(manifest: Path, name: str) -> Path:
    """The output file `name` of a manifest; InputError if it names none."""
    found = [path for path in provenance.outputs(manifest) if path.name == name]
    if not found:
        raise InputError(manifest, f"names no output {name}", "run the stage that makes it again")
    return found[0]


# --- numbers ----------------------------------------------------------------------------------------------------------


def headline(sources: Sources, ledger: pl.DataFrame, validation: pl.DataFrame, metrics: pl.DataFrame) -> list[dict]:
    """The tiles at the top: value, label and a note."""
    records = ledger.filter(pl.col("rule") == "in")["records"].sum()
    unique = ledger.filter(pl.col("rule") == "kept")["records"].sum()
    clusters = pl.scan_parquet(output(sources.clusters, "clusters.parquet"))
    count = clusters.select(pl.col("cluster").n_unique()).collect().item()
    final = validation.tail(1).to_dicts()[0]
    tiles = [
        tile(f"{records:,}", "records in", f"from {ledger['source'].n_unique()} source(s)"),
        tile(f"{unique:,}", "unique sequences", "after exact deduplication"),
        tile(f"{count:,}", "clusters", "one member of each is shown per epoch"),
        tile(f"{parameters(output(sources.model, 'model.safetensors')):,}", "model parameters", "weights of the encoder"),
        tile(f"{final['perplexity']:.3f}", "validation perplexity", f"after {final['step']:,} steps; 1 would be certainty"),
    ]
    return tiles + best_cell(metrics)


def tile(value: str, label: str, note: str) -> dict:
    return {"value": value, "label": label, "note": note}


def best_cell(metrics: pl.DataFrame) -> list[dict]:
    """A tile of the best mean F1 of a pre-trained encoder, beside the others on the same split."""
    exact = metrics.filter(pl.col("metric") == "f1")
    ours = exact.filter(pl.col("init").is_in(["pretrained", "frozen"])).sort("value", descending=True)
    if ours.is_empty():
        return []
    best = ours.row(0, named=True)
    rest = exact.filter((pl.col("task") == best["task"]) & (pl.col("split") == best["split"]))
    rest = rest.filter(pl.col("init").is_in(["random", "baseline"])).sort("init", descending=True)
    others = ", ".join(f"{label(row)} {row['value']:.3f}" for row in rest.iter_rows(named=True))
    return [tile(f"{best['value']:.3f}", "best mean F1", f"{label(best)}, split {best['split']}; {others}")]


def parameters(weights: Path) -> int:
    """Number of weights in a safetensors file, from its header alone (https://github.com/huggingface/safetensors)."""
    with open(weights, "rb") as handle:
        (size,) = struct.unpack("<Q", handle.read(8))
        header = json.loads(handle.read(size))
    tensors = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(product(shape) for shape in tensors)


def product(shape: list[int]) -> int:
    result = 1
    for extent in shape:
        result *= extent
    return result


def verdicts(predictions: pl.DataFrame) -> list[dict]:
    """Paired differences in exact F1, RNA by RNA: the pre-trained encoder less each other one, per split."""
    found = []
    for (task, split), rows in predictions.group_by("task", "split", maintain_order=True):
        ours = rows.filter(pl.col("init") == "pretrained").select("id", ours="f1")
        for (init,), others in rows.filter(pl.col("init") != "pretrained").group_by("init", maintain_order=True):
            both = ours.join(others.select("id", "f1", "model", "init"), on="id").sort("id")
            if both.is_empty():
                continue
            mean, low, high = interval((both["ours"] - both["f1"]).to_numpy(), SEED)
            outcome = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
            verdict = {"task": task, "split": split, "init": init, "against": label(both.row(0, named=True))}
            found.append(verdict | {"mean": mean, "low": low, "high": high, "n": len(both), "outcome": outcome})
    return found


def label(row: dict) -> str:
    """What the reader calls an initialisation; a baseline goes by its own name."""
    return row["model"] if row["init"] == "baseline" else charts.INITS.get(row["init"], row["init"])


def mean_rows(metrics: pl.DataFrame) -> pl.DataFrame:
    return named(metrics.filter(pl.col("metric") == "f1"))


def rna_rows(predictions: pl.DataFrame) -> pl.DataFrame:
    return named(predictions).select("task", "split", "name", "init", "id", "length", "f1")


def named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of the initialisations, with the reader's `name` of each."""
    order = {init: number for number, init in enumerate(charts.INITS)}
    names = pl.Series([label(row) for row in rows.select("init", "model").iter_rows(named=True)], dtype=pl.String)
    rows = rows.with_columns(names.alias("name"), order=pl.col("init").replace_strict(order, default=len(order)))
    return rows.sort("task", "split", "order", maintain_order=True)


def by_split(rows: pl.DataFrame):
    """(title, rows) of each task and split."""
    for (task, split), part in rows.group_by("task", "split", maintain_order=True):
        yield f"{words(task)}, split {split}", part


def results_table(metrics: pl.DataFrame) -> list[dict]:
    """One row per task, split and model: `cells` maps a metric to its row of metrics.csv."""
    table = []
    for (task, split, name), rows in named(metrics).group_by("task", "split", "name", maintain_order=True):
        cells = {row["metric"]: row for row in rows.iter_rows(named=True)}
        table.append({"task": task, "split": split, "name": name, "n": rows["n"].max(), "cells": cells})
    return table


def published_table(path: Path, metrics: pl.DataFrame) -> dict:
    """Columns and rows of the published numbers as they stand, each with what this run measured in that cell."""
    table = pl.read_csv(path, infer_schema_length=None)
    ran = {(row["split"], row["metric"]): row for row in metrics.iter_rows(named=True) if row["init"] == "pretrained"}
    rows = []
    for row in table.iter_rows(named=True):
        here = ran.get((row.get("split"), row.get("metric")))
        rows.append({"cells": row, "here": f"{here['value']:.3f}" if here else "not run"})
    return {"columns": table.columns, "rows": rows, "any": any(row["here"] != "not run" for row in rows)}


def ledger_table(ledger: pl.DataFrame) -> dict:
    """The ledger with one column per rule."""
    rules = ledger["rule"].unique(maintain_order=True).to_list()
    wide = ledger.pivot("rule", index="source", values="records", aggregate_function="sum").fill_null(0)
    return {"rules": rules, "rows": wide.to_dicts()}


# --- figures ----------------------------------------------------------------------------------------------------------


def corpus_figures(sources: Sources, figures: Figures) -> dict:
    sequences = pl.scan_parquet(provenance.outputs(sources.sequences, ".parquet"))
    members = pl.scan_parquet(output(sources.clusters, "clusters.parquet"))
    ranges = cluster_size_counts(members)
    return {
        "lengths": figures.add(charts.lengths(length_counts(sequences)), "Length"),
        "families": figures.add(charts.composition(family_counts(sequences)), "Family"),
        "clusters": figures.add(charts.cluster_sizes(ranges), "Cluster size"),
    }


def length_counts(sequences: pl.LazyFrame) -> pl.DataFrame:
    """`low, high, sequences` of bins that are equally wide on a log scale (nt)."""
    exact = sequences.group_by("length").agg(sequences=pl.len()).sort("length").collect()
    shortest, longest = exact["length"].min(), exact["length"].max() + 1
    ratio = (longest / shortest) ** (1 / LENGTH_BINS)
    edges = sorted({round(shortest * ratio**number) for number in range(LENGTH_BINS)} | {longest})
    low = pl.DataFrame({"low": edges[:-1], "high": edges[1:]}).cast(pl.Int64)
    binned = exact.with_columns(pl.col("length").cast(pl.Int64)).join_asof(low, left_on="length", right_on="low")
    return binned.group_by("low", "high").agg(pl.col("sequences").sum()).sort("low")


def family_counts(sequences: pl.LazyFrame) -> pl.DataFrame:
    """`family, sequences` of the commonest families, the rest in one row."""
    named = sequences.select(family=pl.col("rna_type").fill_null("not stated"))
    counts = named.group_by("family").agg(sequences=pl.len()).sort(["sequences", "family"], descending=[True, False])
    counts = counts.collect().with_columns(pl.col("sequences").cast(pl.Int64))
    rest = counts[charts.MOST_FAMILIES :]
    if rest.is_empty():
        return counts
    other = {"family": [f"{len(rest):,} others"], "sequences": [rest["sequences"].sum()]}
    return pl.concat([counts[: charts.MOST_FAMILIES], pl.DataFrame(other)])


def cluster_size_counts(members: pl.LazyFrame) -> pl.DataFrame:
    """`size, clusters`: number of clusters in doubling ranges of their size (1, 2-3, 4-7, ...)."""
    sizes = members.group_by("cluster").agg(size=pl.len()).group_by("size").agg(clusters=pl.len()).collect()
    doublings = Counter()
    for size, clusters in sizes.iter_rows():
        doublings[size.bit_length()] += clusters
    rows = []
    for power in range(1, max(doublings) + 1):
        low, high = 2 ** (power - 1), 2**power - 1
        rows.append({"size": f"{low:,}" if low == high else f"{low:,}–{high:,}", "clusters": doublings[power]})
    return pl.DataFrame(rows)


def read_predictions(evaluations: list[Path]) -> pl.DataFrame:
    """All predictions under their task, split, model and init, which stand in the metrics beside them."""
    parts = []
    for manifest in evaluations:
        cell = pl.read_csv(output(manifest, "metrics.csv")).row(0, named=True)
        named = [pl.lit(cell[key]).alias(key) for key in ("task", "split", "model", "init")]
        parts.append(pl.read_parquet(output(manifest, "predictions.parquet")).with_columns(named))
    return pl.concat(parts, how="vertical_relaxed")


def gallery(predictions: pl.DataFrame, figures: Figures) -> list[dict]:
    """Per split: drawings of the pre-trained model's worst, quartile, median and best test RNAs, with contact maps."""
    ours = predictions.filter((pl.col("init") == "pretrained") & (pl.col("length") <= LONGEST_DRAWN))
    splits = []
    for title, rows in by_split(ours):
        picked = pick(rows)
        cards = [card(row, place) for place, row in picked]
        maps = [(place, row) for place, row in picked if place in ("worst", "median", "best")]
        contact_maps = [contact_map(row, place, figures) for place, row in maps[:MOST_CONTACT_MAPS]]
        splits.append({"title": title, "cards": cards, "contacts": contact_maps, "n": len(rows)})
    return splits


def pick(rows: pl.DataFrame) -> list[tuple[str, dict]]:
    """(place, row) at fixed places of the RNAs ordered by F1, then length, then id; every RNA once."""
    ordered = rows.sort("f1", "length", "id").to_dicts()
    last = len(ordered) - 1
    places = {"worst": 0, "lower quartile": last // 4, "median": last // 2, "upper quartile": 3 * last // 4, "best": last}
    chosen = {}
    for place in ("worst", "best", "median", "lower quartile", "upper quartile"):
        chosen.setdefault(places[place], place)
    return [(place, ordered[index]) for index, place in sorted(chosen.items())]


def card(row: dict, place: str) -> dict:
    drawing = draw(row["sequence"], parse_dot_bracket(row["predicted"]), parse_dot_bracket(row["true"]))
    return {"place": place, "svg": drawing, **row}


def contact_map(row: dict, place: str, figures: Figures) -> dict:
    """True pairs above the diagonal, predicted ones below it."""
    true, predicted = set(parse_dot_bracket(row["true"])), set(parse_dot_bracket(row["predicted"]))
    letters = row["sequence"]
    pairs = [
        {"i": i + 1, "j": j + 1, "bases": f"{letters[i]}-{letters[j]}", "kind": "shared" if (i, j) in predicted else "missed"}
        for i, j in sorted(true)
    ]
    pairs += [
        {"i": j + 1, "j": i + 1, "bases": f"{letters[i]}-{letters[j]}", "kind": "shared" if (i, j) in true else "wrong"}
        for i, j in sorted(predicted)
    ]
    schema = {"i": pl.Int64, "j": pl.Int64, "bases": pl.String, "kind": pl.String}
    description = f"Contact map of {row['id']}: true base pairs above, predicted ones below the diagonal"
    spec = charts.contacts(pl.DataFrame(pairs, schema=schema), row["length"], description)
    return figures.add(spec, f"{place}: {row['id']}, {row['length']} nt, F1 {row['f1']:.3f}")


def atlas_figures(manifest: Path, figures: Figures) -> dict:
    """One map per initialisation, with the same families in the same colours; scores as the stage counted them."""
    points = pl.read_parquet(output(manifest, "atlas.parquet"))
    counts = points.group_by("family").len().sort(["len", "family"], descending=[True, False])
    families = counts["family"].head(charts.MOST_FAMILIES).to_list()
    grouped = pl.when(pl.col("family").is_in(families)).then("family").otherwise(pl.lit("other")).alias("family")
    points = points.with_columns(grouped).sort("digest")
    families += ["other"] if len(counts) > len(families) else []
    maps = []
    for init in ("pretrained", "random"):
        title = charts.INITS[init]
        spec = charts.atlas(points.filter(pl.col("init") == init), families, f"t-SNE map of RNA embeddings: {title}")
        maps.append(figures.add(spec, title))
    return {"maps": maps, "scores": provenance.load(manifest)["counts"]}


# --- text -------------------------------------------------------------------------------------------------------------


def words(name: str) -> str:
    """`too_short` -> `too short`."""
    return name.replace("_", " ")


def human_bytes(size: float) -> str:
    """Bytes in the unit that gives one to three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def script_json(value) -> str:
    """JSON that may stand inside a <script> element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
