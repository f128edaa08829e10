"""Stage cluster: unique sequences -> similarity clusters by MMseqs2 linclust."""

import argparse
import shutil
from pathlib import Path

from rnalm import errors, provenance
from rnalm.corpus import clustering


@errors.exits
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", required=True, type=Path, help="manifest of deduplicate")
    parser.add_argument("--min-seq-id", required=True, type=float)
    parser.add_argument("--coverage", required=True, type=float)
    parser.add_argument("--split-memory-limit", required=True, help="bytes, K, M or G; 0: all memory")
    parser.add_argument("--split-strands", action="store_true", help="reversed members are clusters of their own")
    parser.add_argument("--previous", nargs="?", type=Path, help="manifest of cluster of a corpus whose ids are kept")
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--state", required=True, type=Path, help="working folder; a killed run goes on from there")
    parser.add_argument("--manifest", required=True, type=Path)
    a = parser.parse_args()

    settings = {
        "min_seq_id": a.min_seq_id,
        "coverage": a.coverage,
        "split_memory_limit": a.split_memory_limit,
        "split_strands": a.split_strands,
    }
    inputs = [path for path in (a.sequences, a.previous) if path]
    with provenance.stage("cluster", a.manifest, inputs, settings) as record:
        clustering.make(record, a.sequences, a.previous, settings, a.threads, a.state, a.manifest.parent)
    shutil.rmtree(a.state)


if __name__ == "__main__":
    main()
