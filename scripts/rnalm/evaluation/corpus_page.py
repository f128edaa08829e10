"""The report of a corpus: where its sequences come from, what was left out and why, what the model will see.

Made from manifests and tables alone; sequences themselves are never read. Counting clusters takes about 100 bytes of
memory for each sequence, and nothing takes more.
"""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from rnalm import provenance
from rnalm.corpus import exclusion
from rnalm.evaluation import charts, composition, numbers, page
from rnalm.evaluation.figures import Figures
from rnalm.evaluation.flow import flow

MOST_TYPES = 8
# Sets of the draws' composition, in the reader's words.
SETS = {"corpus": "corpus", "clusters": "expected of an epoch", "epoch-000": "first epoch", "validation": "held out"}


@dataclass
class Sources:
    """The manifests that a corpus report is made from; `excluded` and `delta` only where the config asks for them."""

    corpus: str
    normalised: list[Path]
    sequences: Path
    clusters: Path
    audit: Path
    ledger: Path
    leakage: list[Path] = field(default_factory=list)
    excluded: Path | None = None
    delta: Path | None = None

    @property
    def manifests(self) -> list[Path]:
        asked = [path for path in (self.excluded, self.delta) if path]
        return [*self.normalised, self.sequences, self.clusters, *self.leakage, *asked, self.audit]


def build(sources: Sources) -> str:
    """The page as HTML text."""
    figures = Figures()
    ledger = page.read_table(sources.ledger)
    sections = {
        "corpus": sources.corpus,
        "flow": flow(ledger),
        "ledger": numbers.ledger_table(ledger),
        "inventory": inventory(sources, ledger),
        "dropped": dropped(sources),
        "selections": selections(sources),
        "leakage": leakage(sources, figures),
        "excluded": sources.excluded and provenance.load(sources.excluded),
        "delta": sources.delta and provenance.load(sources.delta),
        "headline": headline(sources, ledger),
    }
    sections |= contents(sources, figures) | clusters(sources, figures) | draws(sources, figures)
    return page.render("corpus.html", figures, sections | page.lineages(sources.manifests))


def scan(manifest: Path) -> pl.LazyFrame:
    return pl.scan_parquet(provenance.outputs(manifest, ".parquet"))


def headline(sources: Sources, ledger: pl.DataFrame) -> list[dict]:
    rules = dict(ledger.group_by("rule", maintain_order=True).agg(pl.col("records").sum()).iter_rows())
    counts, audit = provenance.load(sources.clusters)["counts"], provenance.load(sources.audit)["counts"]
    letters = scan(sources.sequences).select(pl.col("length").cast(pl.Int64).sum()).collect().item()
    merged, dropped = rules["merged"], {rule: n for rule, n in rules.items() if rule not in ("in", "kept", "merged")}
    reasons = ", ".join(numbers.words(rule) for rule, number in dropped.items() if number) or "no rule applied"
    held_out = "for validation, never trained on"
    return [
        numbers.tile(f"{rules['in']:,}", "records in", f"from {ledger['source'].n_unique()} sources"),
        numbers.tile(f"{sum(dropped.values()):,}", "records left out", reasons),
        numbers.tile(f"{counts['sequences']:,}", "unique sequences", f"{letters:,} nt; {merged:,} records merged"),
        numbers.tile(f"{counts['clusters']:,}", "clusters", "each gives one sequence per epoch"),
        numbers.tile(f"{counts['singletons']:,}", "clusters of one", f"the largest has {counts['largest']:,} members"),
        numbers.tile(f"{audit['validation_clusters']:,}", "held-out clusters", held_out),
    ]


def inventory(sources: Sources, ledger: pl.DataFrame) -> list[dict]:
    """A row per source: release, licence, files with their hashes, records by what became of them."""
    rows = []
    for manifest in sources.normalised:
        content = provenance.load(manifest)
        retrieved = next(
            provenance.load(path) for item in content["inputs"] if (path := Path(item["path"])).name == "manifest.json"
        )
        name = content["parameters"]["source"]
        rules = dict(ledger.filter(pl.col("source") == name).select("rule", "records").iter_rows())
        rows.append(
            {
                "source": name,
                "release": content["parameters"]["release"],
                "licence": retrieved["notes"].get("licence"),
                "note": retrieved["notes"].get("note"),
                "files": retrieved["outputs"],
                "bytes": sum(item["bytes"] for item in retrieved["outputs"]),
                "records": rules["in"],
                "kept": rules["kept"],
                "merged": rules["merged"],
                "dropped": rules["in"] - rules["kept"] - rules["merged"],
            }
        )
    return rows


def contents(sources: Sources, figures: Figures) -> dict:
    sequences = scan(sources.sequences)
    specs = {
        "Length": charts.lengths(composition.length_counts(sequences)),
        "Family or type": charts.composition(composition.family_counts(sequences)),
    }
    return {
        "contents": [figures.add(spec, title) for title, spec in specs.items()],
        "combinations": composition.source_combinations(sequences).to_dicts(),
    }


def dropped(sources: Sources) -> list[dict]:
    """Per source and rule: number of records, and the accessions of the first ones."""
    found = []
    for manifest in sources.normalised:
        (table,) = provenance.outputs(manifest, "dropped.parquet")
        name = provenance.load(manifest)["parameters"]["source"]
        found += [{"source": name, **row} for row in composition.dropped_examples(pl.scan_parquet(table)).to_dicts()]
    return found


def selections(sources: Sources) -> list[dict]:
    """The rules that chose records of a source by accession and title, with examples; none for most sources."""
    found = []
    for manifest in sources.normalised:
        content = provenance.load(manifest)
        if rules := content["notes"].get("selection"):
            found.append({"source": content["parameters"]["source"], "rules": rules})
    return found


def clusters(sources: Sources, figures: Figures) -> dict:
    content, members = provenance.load(sources.clusters), scan(sources.clusters)
    spec = charts.cluster_sizes(composition.cluster_size_counts(members))
    return {
        "cluster_sizes": figures.add(spec, "Cluster size"),
        "largest": composition.largest_clusters(members, scan(sources.sequences)).to_dicts(),
        "strands": content["notes"]["strands"],
        "split_strands": content["parameters"]["split_strands"],
    }


def leakage(sources: Sources, figures: Figures) -> list[dict]:
    """Per task: share of its test and valid items with a relative in the corpus and in their own train part."""
    found, excluded = [], None
    if sources.excluded:
        excluded = pl.read_parquet(page.output(sources.excluded, "excluded.parquet"), columns=["digest"])
    for manifest in sources.leakage:
        parameters = provenance.load(manifest)["parameters"]
        summary = page.read_table(page.output(manifest, "summary.csv"))
        task = numbers.words(parameters["task"])
        drawn = []
        for (split,), rows in summary.group_by("split", maintain_order=True):
            spec = charts.leakage(rows, f"Share of the {task} items of {split} with a relative, by identity")
            drawn.append(figures.add(spec, f"{task}, {split} split"))
        remaining = excluded is not None and leakage_rows(exclusion.leakage_without(manifest, excluded))
        section = {"task": task, "coverage": parameters["coverage"], "figures": drawn}
        found.append(section | {"tables": {"": leakage_rows(summary), "what is excluded taken out": remaining}})
    return found


def leakage_rows(summary: pl.DataFrame) -> list[dict]:
    """A row per split, part, target and strand: its items, and the covered share at each identity."""
    keys = ["split", "part", "target", "strand"]
    ordered = summary.sort("identity").group_by(keys, maintain_order=True)
    table = ordered.agg("items", "covered", "fraction", "identity").sort(keys)
    return [
        {key: row[key] for key in keys}
        | {"items": row["items"][0], "shares": dict(zip(row["identity"], row["fraction"], strict=True))}
        for row in table.iter_rows(named=True)
    ]


def draws(sources: Sources, figures: Figures) -> dict:
    """What the audit of the draws found, and the composition of the first epoch beside the corpus."""
    counts = provenance.load(sources.audit)["counts"]
    table = page.read_table(page.output(sources.audit, "composition.csv"))
    chosen = table.filter(pl.col("set").is_in(list(SETS))).with_columns(pl.col("set").replace_strict(SETS))
    lengths, types = (chosen.filter(pl.col("by") == of) for of in ("length", "rna_type"))
    commonest = types.group_by("class").agg(pl.col("fraction").max()).sort(["fraction", "class"], descending=True)
    shown = commonest["class"].head(MOST_TYPES)
    types = shown.to_frame().join(types, on="class", maintain_order="left_right")
    specs = {
        "By length": charts.shares(lengths, "Length (nt)", "Composition by length of the corpus and of an epoch"),
        "By type": charts.shares(types, "Family or type", "Composition by type of the corpus and of an epoch"),
    }
    members = page.read_table(page.output(sources.audit, "members.csv"))
    drawn = members.group_by("draws").agg(pl.col("members", "expected").sum()).sort("draws")
    return {
        "audit": counts,
        "coverage": page.read_table(page.output(sources.audit, "coverage.csv")).to_dicts(),
        "draws": [figures.add(spec, title) for title, spec in specs.items()],
        "drawn": drawn.to_dicts(),
    }
