"""Similarity clusters of a corpus that `rnalm corpus` made.

Leaves DIR/clusters.parquet (digest, cluster), strands.csv and clusters.manifest.json. MMseqs2 linclust with the flags
of the RiNALMo paper; a run that was killed goes on where it stopped. `rnalm draw` continues from here.
"""

import os
import shutil
from pathlib import Path


def add(command) -> None:
    command.add_argument("corpus", type=Path, metavar="DIR", help="folder of `rnalm corpus`")
    command.add_argument("--min-seq-id", type=float, default=0.7, help="identity of a cluster's members (default: 0.7)")
    command.add_argument("--coverage", type=float, default=0.8, help="(default: 0.8)")
    command.add_argument("--split-memory-limit", default="0", help="bytes, K, M or G; 0, the default: all memory")
    command.add_argument("--split-strands", action="store_true", help="reversed members are clusters of their own")
    command.add_argument("--threads", type=int, default=os.cpu_count(), help="(default: all cores)")


def run(arguments) -> None:
    from rnalm import provenance
    from rnalm.corpus import clustering

    folder, sequences = arguments.corpus, arguments.corpus / "manifest.json"
    keys = ("min_seq_id", "coverage", "split_memory_limit", "split_strands")
    settings = {name: getattr(arguments, name) for name in keys}
    state = folder / ".state"
    with provenance.stage("cluster", folder / "clusters.manifest.json", [sequences], settings) as record:
        clustering.make(record, sequences, None, settings, arguments.threads, state, folder)
    shutil.rmtree(state)
    print(f"{folder}: {record.counts['clusters']:,} clusters of {record.counts['sequences']:,} sequences")
