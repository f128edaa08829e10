"""One form of RNAret's retention on one sequence, in a process of its own: python retention_forms.py FORM LENGTH OUT

A layer of the published size with fresh weights on random input: the retention by itself, and the whole layer, its
projections and its feed-forward part included. Seconds are the median of up to five calls within two seconds; the peak
is that of the layer. Writes OUT.json and, to compare the forms, what the retention gives as OUT.npy.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import measure
import numpy as np
import torch
from rnalm import config
from rnalm.models import registry
from rnalm.models.retention import CHUNK, Chunks, chunkwise, parallel

CONFIG = Path(__file__).parents[2] / "config/models/rnaret_1mer.yaml"


def in_chunks(q, k, v) -> torch.Tensor:
    return chunkwise(q, k, v, Chunks.of((len(q),), q.shape[1], min(CHUNK, len(q)), q.device))[0]


def at_once(q, k, v) -> torch.Tensor:
    return parallel(q, k, v, (len(q),))


FORMS = {"chunkwise": in_chunks, "parallel": at_once}


def median_seconds(run, most: int = 5, within: float = 2.0) -> float:
    times, ends = [], time.perf_counter() + within
    while not times or (len(times) < most and time.perf_counter() < ends):
        times.append(measure.work(run)[1]["seconds"])
    return statistics.median(times)


@torch.no_grad()
def main(form: str, length: int, out: str) -> None:
    torch.manual_seed(0)
    encoder = registry.build(config.read(CONFIG) | {"layers": 1}).eval()
    layer, mix = encoder.layers[0], FORMS[form]
    x, rotary = torch.randn(length, encoder.config.dim), encoder.rotary(torch.arange(length))

    def whole_layer() -> torch.Tensor:
        z = layer.retention_layer_norm(x)
        return layer.after(x, z, mix(*layer.retention.project(z, rotary)))

    _, cost = measure.work(whole_layer)
    inputs = layer.retention.project(layer.retention_layer_norm(x), rotary)
    np.save(f"{out}.npy", mix(*inputs).flatten(1).numpy())
    cost |= {"layer_seconds": median_seconds(whole_layer), "retention_seconds": median_seconds(lambda: mix(*inputs))}
    Path(f"{out}.json").write_text(json.dumps({"form": form, "length": length, **cost}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
