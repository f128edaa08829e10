"""Read the pre-trained encoder's score maps: where they point, which k-mers stand there, and base pairs in them."""

import argparse
from pathlib import Path

import polars as pl
import torch
from rnalm.errors import exits
from rnalm.evaluation import atlas, interpretation_tables, pair_maps
from rnalm.evaluation.tables import write
from rnalm.inference import LanguageModel
from rnalm.models.rnaret import Rnaret
from rnalm.provenance import outputs, stage
from rnalm.tasks import records

ASKED = ("seed", "per_family", "max_length", "max_linear_length", "rnas", "coding_rnas")


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
        sample = interpretation_tables.with_profiles(model.encoder, sample)
        encoders = {"pretrained": model.encoder, "random": model.untrained(seed).encoder}
        enriched = [
            interpretation_tables.kmers(encoders, [(sequence, None) for sequence in sample["sequence"]], "corpus")
        ]
        for path in arguments.coding:
            rnas = interpretation_tables.coding_rnas(path, longest, arguments.coding_rnas)
            enriched.append(interpretation_tables.kmers(encoders, rnas, Path(path).parents[2].name))
        known = [rna for manifest in arguments.structures for rna in records.load(manifest).values()]
        rnas = pair_maps.choose(known, seed, arguments.rnas)
        heads, maps = interpretation_tables.base_pairs(encoders, rnas)
        tables = {
            "profiles.parquet": sample.drop("sequence"),
            "kmers.csv": pl.concat(enriched),
            "heads.csv": heads,
            "maps.parquet": maps,
        }
        record.outputs += [write(table, arguments.manifest.with_name(name)) for name, table in tables.items()]
        record.counts |= {"sequences": len(sample), "rnas": len(rnas), "chance": pair_maps.chance(rnas)}
        record.notes["family"] = model.config["model"]["family"]


if __name__ == "__main__":
    main()
