"""RNAs through MultiMolecule, in an environment of its own: python multimolecule_embedder.py MODEL RNAS OUT

As its documentation shows it: the auto classes with their defaults, batches of BATCH in the order of the input, padded
by the tokenizer. Otherwise like embedders.py, whose results it is compared with. MultiMolecule (AGPL-3.0) is no
dependency; nothing of the library is imported here.
"""

import json
import os
import sys
from importlib import metadata
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import measure
import numpy as np
import torch
from multimolecule import AutoModel, AutoTokenizer

BATCH = 32


@torch.no_grad()
def main(directory: str, rnas: str, out: str) -> None:
    sequences = json.loads(Path(rnas).read_text())
    model, tokenizer = AutoModel.from_pretrained(directory).eval(), AutoTokenizer.from_pretrained(directory)

    def embed(sequences: list[str]) -> list:
        arrays = []
        for start in range(0, len(sequences), BATCH):
            batch = tokenizer(sequences[start : start + BATCH], padding=True, return_tensors="pt")
            keep = batch["attention_mask"].bool()
            hidden = model(**batch).last_hidden_state
            arrays += [rows.numpy() for rows in hidden[keep].split(keep.sum(dim=1).tolist())]
        return arrays

    embed([min(sequences, key=len)[:10]])
    arrays, cost = measure.work(lambda: embed(sequences))
    np.save(f"{out}.npy", np.concatenate(arrays))
    cost["versions"] = {name: metadata.version(name) for name in ("multimolecule", "transformers", "torch")}
    cost["attention"] = model.config._attn_implementation
    Path(f"{out}.json").write_text(json.dumps(cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
