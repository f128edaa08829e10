"""Embed sequences of known family with the pre-trained encoder and with random weights, and map them."""

import argparse
from pathlib import Path

import polars as pl
import torch
from rnalm.errors import exits
from rnalm.evaluation import atlas
from rnalm.files import atomic
from rnalm.inference import LanguageModel
from rnalm.models.directory import ModelDirectory
from rnalm.models.registry import build
from rnalm.provenance import outputs, stage
from rnalm.randomness import key


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, help="manifest of the corpus")
    parser.add_argument("--model", type=Path, required=True, help="manifest of the pre-trained model")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-family", type=int, default=120)
    parser.add_argument("--max-length", type=int, default=1022, help="nt")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    parameters = {"seed": arguments.seed, "per_family": arguments.per_family, "max_length": arguments.max_length}
    with stage("atlas", arguments.manifest, [arguments.sequences, arguments.model], parameters) as record:
        parts = outputs(arguments.sequences, ".parquet")
        chosen = atlas.choose(parts, arguments.seed, arguments.per_family, arguments.max_length)
        trained = LanguageModel.from_directory(arguments.model.parent)
        torch.manual_seed(int(key(arguments.seed, "atlas", "initialisation") >> 1))
        fresh = build(trained.config["model"]).eval()
        models = {"pretrained": trained, "random": LanguageModel(ModelDirectory(trained.config, fresh, None), "random")}
        tables = []
        for init, model in models.items():
            states = model.hidden_states(chosen["sequence"].to_list())
            embeddings = atlas.mean_pool(states, model.encoder.tokeniser.nucleotides)
            plane = atlas.project(embeddings, arguments.seed)
            for space, points in (("embedding", embeddings), ("plane", plane)):
                found = atlas.scores(points, chosen["family"].to_list())
                record.counts |= {f"{init}.{space}.{name}": value for name, value in found.items()}
            tables.append(
                chosen.select(
                    *("digest", "family", "length"),
                    init=pl.lit(init),
                    x=pl.Series(plane[:, 0], dtype=pl.Float32),
                    y=pl.Series(plane[:, 1], dtype=pl.Float32),
                )
            )
        path = arguments.manifest.parent / "atlas.parquet"
        with atomic(path) as temporary:
            pl.concat(tables).write_parquet(temporary)
        record.outputs.append(path)
        record.counts["sequences"] = len(chosen)


if __name__ == "__main__":
    main()
