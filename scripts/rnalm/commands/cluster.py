"""A corpus -> clusters of similar sequences, as in the workflow; continues from `rnalm corpus`.

Leaves DIR/clusters.parquet (digest, cluster), strands.csv (members that are not on the strand of their representative)
and clusters.manifest.json. MMseqs2 works in DIR/.cluster; a killed run goes on from there.
"""

import os
import re
import shutil
from pathlib import Path

from rnalm.commands import folders
from rnalm.errors import InputError


def add(command) -> None:
    command.add_argument("folder", metavar="DIR", type=Path, help="what `rnalm corpus` left")
    command.add_argument("--min-seq-id", type=float, default=0.7, help="identity of a cluster's members (default: 0.7)")
    command.add_argument("--coverage", type=float, default=0.8, help="of both sequences (default: 0.8)")
    command.add_argument(
        "--split-memory-limit", default="0", help="bytes, K, M or G; MMseqs2 takes about double (default: 0, all)"
    )
    command.add_argument(
        "--split-strands", action="store_true", help="make reverse complements clusters of their own (default: report)"
    )
    command.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all cores")


def run(arguments) -> None:
    for option in ("min_seq_id", "coverage"):
        if not 0 <= getattr(arguments, option) <= 1:
            raise InputError(f"--{option.replace('_', '-')}", "is no fraction", "give a number from 0 to 1")
    if not re.fullmatch("[0-9]+[BKMGT]?", arguments.split_memory_limit):
        raise InputError("--split-memory-limit", "is no size", "write it as in 100G, or 0 for all memory")
    if arguments.threads < 1:
        raise InputError("--threads", "is below 1", "ask for at least 1")

    from rnalm import provenance
    from rnalm.corpus import clustering

    folder, state = arguments.folder, arguments.folder / ".cluster"
    names = ("min_seq_id", "coverage", "split_memory_limit", "split_strands")
    settings = {name: getattr(arguments, name) for name in names}
    sequences = folders.manifest_of(folder)
    with provenance.stage("cluster", folder / "clusters.manifest.json", [sequences], settings) as record:
        clustering.make(record, sequences, None, settings, arguments.threads, state, folder)
    shutil.rmtree(state)
    counts, found = record.counts, record.notes["strands"]
    print(f"{folder}: {counts['sequences']:,} sequences in {counts['clusters']:,} clusters")
    print(f"{found['reversed']:,} members in {found['mixed']:,} clusters are reverse complements of representatives")
