"""Map RNAs of the corpus by the pre-trained encoder, by random weights and by 5-mer counts, and score the maps."""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch
from rnalm.errors import exits
from rnalm.evaluation import atlas, rna_types
from rnalm.evaluation.tables import write
from rnalm.inference import LanguageModel
from rnalm.provenance import outputs, stage


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, help="manifest of the corpus")
    parser.add_argument("--model", type=Path, required=True, help="manifest of the pre-trained model")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-family", type=int, default=60)
    parser.add_argument("--max-length", type=int, default=2000, help="nt")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    parameters = {"seed": arguments.seed, "per_family": arguments.per_family, "max_length": arguments.max_length}
    parameters |= {"planes": list(atlas.planes()), "perplexity": atlas.PERPLEXITY, "neighbours": atlas.NEIGHBOURS}
    with stage("atlas", arguments.manifest, [arguments.sequences, arguments.model], parameters) as record:
        parts = outputs(arguments.sequences, ".parquet")
        chosen = atlas.choose(parts, arguments.seed, arguments.per_family, arguments.max_length)
        trained = LanguageModel.from_directory(arguments.model.parent)
        untrained = trained.untrained(arguments.seed)
        rnas = chosen.select("digest", "length", "family", "type", row=pl.int_range(pl.len()))
        sets, record.notes["left_out"] = rna_types.divide(rnas)
        embedded = atlas.embeddings(trained, untrained, chosen["sequence"].to_list()) if sets else {}
        points, scores = [], []
        # No set at all, and the tables are empty.
        for name, members in (sets or {"": rnas.clear()}).items():
            rows = members["row"].to_numpy()
            here = {encoder: np.asarray(matrix)[rows] for encoder, matrix in embedded.items()}
            found = atlas.survey(members.drop("row"), here, ("family", "type"), arguments.seed)
            for tables, table in zip((points, scores), found, strict=True):
                tables.append(table.with_columns(set=pl.lit(name)))
        record.counts |= {name: len(members) for name, members in sets.items()}
        files = [arguments.manifest.with_name(name) for name in ("atlas.parquet", "scores.csv")]
        record.outputs += [write(pl.concat(parts), path) for parts, path in zip((points, scores), files, strict=True)]
        record.counts["sequences"] = len(chosen)


if __name__ == "__main__":
    main()
