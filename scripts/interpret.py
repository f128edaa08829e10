"""Read the pre-trained encoder's score maps: where they point, which k-mers stand there, and base pairs in them."""

import argparse
from pathlib import Path

import polars as pl
import torch
from rnalm.errors import exits
from rnalm.evaluation import atlas, interpretation, pair_maps
from rnalm.files import atomic
from rnalm.inference import LanguageModel
from rnalm.models.rnaret import Rnaret
from rnalm.provenance import outputs, stage
from rnalm.tasks import records

ASKED = ("seed", "per_family", "max_length", "max_linear_length", "rnas", "coding_rnas")


def with_profiles(encoder, sample: pl.DataFrame) -> pl.DataFrame:
    """RNAs of the corpus with the first row and the column means of their maps."""
    rows = [pair_maps.profile(encoder, sequence) for sequence in sample["sequence"]]
    columns = zip(("first_row", "column_means"), zip(*rows, strict=True), strict=True)
    return sample.with_columns(pl.Series(name, values, dtype=pl.List(pl.Float32)) for name, values in columns)


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


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, help="manifest of the corpus")
    parser.add_argument("--structures", nargs="*", default=[], help="manifests of tasks' data: RNAs with base pairs")
    parser.add_argument("--coding", nargs="*", default=[], help="manifests of tasks' data: RNAs with coding regions")
    parser.add_argument("--model", type=Path, required=True, help="manifest of the pre-trained model")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-family", type=int, default=30, help="sequences of the corpus")
    parser.add_argument("--max-length", type=int, default=500, help="nt, of attention, whose maps are quadratic")
    parser.add_argument("--max-linear-length", type=int, default=10000, help="nt, of retention")
    parser.add_argument("--rnas", type=int, default=60, help="RNAs with base pairs")
    parser.add_argument("--coding-rnas", type=int, default=200, help="RNAs with a coding region, of each task")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    seed, parameters = arguments.seed, {name: getattr(arguments, name) for name in ASKED}
    inputs = [arguments.sequences, arguments.model, *arguments.structures, *arguments.coding]
    with stage("interpret", arguments.manifest, inputs, parameters) as record:
        model = LanguageModel.from_directory(arguments.model.parent)
        longest = arguments.max_linear_length if isinstance(model.encoder, Rnaret) else arguments.max_length
        sample = atlas.choose(outputs(arguments.sequences, ".parquet"), seed, arguments.per_family, longest)
        sample = with_profiles(model.encoder, sample)
        encoders = {"pretrained": model.encoder, "random": model.untrained(seed).encoder}
        enriched = [kmers(encoders, [(sequence, None) for sequence in sample["sequence"]], "corpus")]
        for path in arguments.coding:
            rnas = coding_rnas(path, longest, arguments.coding_rnas)
            enriched.append(kmers(encoders, rnas, Path(path).parents[2].name))
        known = [rna for manifest in arguments.structures for rna in records.load(manifest).values()]
        rnas = pair_maps.choose(known, seed, arguments.rnas)
        heads, maps = base_pairs(encoders, rnas)
        tables = {
            "profiles.parquet": sample.drop("sequence"),
            "kmers.csv": pl.concat(enriched),
            "heads.csv": heads,
            "maps.parquet": maps,
        }
        for name, table in tables.items():
            path = arguments.manifest.with_name(name)
            with atomic(path) as temporary:
                (table.write_csv if path.suffix == ".csv" else table.write_parquet)(temporary)
            record.outputs.append(path)
        record.counts |= {"sequences": len(sample), "rnas": len(rnas), "chance": pair_maps.chance(rnas)}
        record.notes["family"] = model.config["model"]["family"]


if __name__ == "__main__":
    main()
