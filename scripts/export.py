"""Turn the last checkpoint of a pre-training run into a model directory."""

import argparse
from pathlib import Path

import polars as pl
from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
from rnalm.errors import exits
from rnalm.models import directory, registry
from rnalm.provenance import load, stage
from rnalm.training import card


@exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segment", type=Path, required=True, help="manifest of the last pre-training segment")
    parser.add_argument("--corpus-manifests", nargs="+", required=True, help="manifests for the model card")
    parser.add_argument("--manifest", type=Path, required=True)
    arguments = parser.parse_args()
    target = arguments.manifest.parent
    inputs = [arguments.segment, *arguments.corpus_manifests]
    with stage("export", arguments.manifest, inputs, {}) as record:
        segment = load(arguments.segment)
        parameters = segment["parameters"]
        encoder = registry.build(parameters["model"])
        weights = get_fp32_state_dict_from_zero_checkpoint(
            arguments.segment.parent / "checkpoint", segment["notes"]["tag"]
        )
        encoder.load_state_dict({name.removeprefix("encoder."): tensor for name, tensor in weights.items()})
        scores = pl.read_csv(arguments.segment.parent / "validation.csv").row(-1, named=True)
        corpus = [load(manifest) for manifest in arguments.corpus_manifests]
        described = parameters["model"], encoder.tokeniser, parameters
        text = card.pretrained(parameters["run"], target, *described, segment["counts"], corpus, scores)
        record.outputs += directory.save(target, encoder, text)
        record.counts |= {"parameters": segment["counts"]["parameters"], **scores}


if __name__ == "__main__":
    main()
