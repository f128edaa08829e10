"""Read the pre-trained encoder's score maps: where they point, which k-mers stand there, and base pairs in them."""

import argparse
from pathlib import Path

import numpy as np
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


def kmers_of_corpus(sample: pl.DataFrame) -> pl.DataFrame:
    means = map(np.array, sample["column_means"])
    found = interpretation.enriched((*rna, None) for rna in zip(sample["sequence"], means, strict=True))
    return found.with_columns(rnas=pl.lit("corpus"))


def kmers_of_task(encoder, manifest: str, longest: int, count: int) -> pl.DataFrame:
    """K-mers of a task's first RNAs of known coding region."""
    items = records.load(manifest).values()
    coding = ((item.sequence, interpretation.coding_region(item.label)) for item in items if item.length <= longest)
    chosen = [rna for rna in coding if rna[1]][:count]
    found = interpretation.enriched((rna, pair_maps.profile(encoder, rna)[1], region) for rna, region in chosen)
    return found.with_columns(rnas=pl.lit(Path(manifest).parents[2].name))


def base_pairs(model: LanguageModel, rnas: list, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Precision of every head, trained and at random, and maps to draw; both empty without RNAs."""
    if not rnas:
        return pl.DataFrame(schema=pair_maps.HEADS), pl.DataFrame(schema=pair_maps.MAPS)
    encoders = {"pretrained": model.encoder, "random": model.untrained(seed).encoder}
    found = {name: pair_maps.precisions(encoder, rnas) for name, encoder in encoders.items()}
    first = pair_maps.first_layer(model.encoder)
    heads = pl.concat(pair_maps.table(name, precisions, first) for name, precisions in found.items())
    return heads, pair_maps.drawn(model.encoder, rnas, found["pretrained"])


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
        tasks = [kmers_of_task(model.encoder, path, longest, arguments.coding_rnas) for path in arguments.coding]
        known = [rna for manifest in arguments.structures for rna in records.load(manifest).values()]
        rnas = pair_maps.choose(known, seed, arguments.rnas)
        heads, maps = base_pairs(model, rnas, seed)
        tables = {
            "profiles.parquet": sample.drop("sequence"),
            "kmers.csv": pl.concat([kmers_of_corpus(sample), *tasks]),
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
