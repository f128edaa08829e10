"""Stage cluster: unique sequences -> similarity clusters by MMseqs2 linclust."""

import argparse
import shutil
from pathlib import Path

import polars as pl
from rnalm import errors, files, provenance
from rnalm.corpus import clustering, mmseqs, partitions, succession


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--min-seq-id", required=True, type=float)
    parser.add_argument("--coverage", required=True, type=float)
    parser.add_argument("--split-memory-limit", required=True, help="bytes, K, M or G; 0: all memory")
    parser.add_argument("--previous", nargs="?", type=Path, help="manifest of cluster of a corpus whose ids are kept")
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--state", required=True, type=Path, help="working folder; a killed run goes on from there")
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    settings = {"min_seq_id": a.min_seq_id, "coverage": a.coverage, "split_memory_limit": a.split_memory_limit}
    inputs = [path for path in (a.sequences, a.previous) if path]
    with provenance.stage("cluster", a.manifest, inputs, settings) as record:
        clusters = clustering.cluster(a.sequences, a.state, threads=a.threads, **settings)
        if a.previous:
            clusters = succession.inherit(clusters, pl.scan_parquet(provenance.outputs(a.previous, ".parquet")))
        output = a.manifest.parent / "clusters.parquet"
        with files.atomic(output) as temporary:
            partitions.write(clusters, temporary)
        sizes = clustering.sizes(clusters)
        record.outputs = [output]
        record.counts = {
            "sequences": clusters.height,
            "clusters": len(sizes),
            "singletons": int((sizes == 1).sum()),
            "largest": sizes.max(),
        }
        record.notes = {
            "mmseqs": mmseqs.version(),
            "cluster_sizes": clustering.histogram(sizes),
        }
    shutil.rmtree(a.state)


if __name__ == "__main__":
    main()
