"""Readers of structures that lie in more than one form: sets in an archive, and an archive beside plain files.

`bpseq_folders`: RNAret's archive, whose folders of `.bpseq` files are sets: RNAStrAlign (for training) and archiveII.
`st_zip_and_files`: the zip of bpRNA's split beside files of structures, to test on others what TR0 has trained.
"""

import re
from collections import defaultdict
from pathlib import Path

from rnalm.errors import InputError
from rnalm.sequences.names import uncompressed
from rnalm.structure.files import READERS as STRUCTURES
from rnalm.structure.files import parse_bpseq
from rnalm.tasks.archive2 import LARGEST_MEMBER, family
from rnalm.tasks.archives import is_archive, texts
from rnalm.tasks.records import Record
from rnalm.tasks.structure import from_files, from_st_zip, paired

MEMBER = re.compile(r"(?:.*/)?(RNAStrAlign|archiveII)/([^/]+)\.bpseq")


def from_bpseq_folders(paths, settings: dict) -> dict[str, list[Record]]:
    """A set per folder of an archive. The family is what the file's name begins with."""
    sets = defaultdict(list)
    for path in filter(is_archive, paths):
        for match, where, text in texts(path, MEMBER, LARGEST_MEMBER):
            folder, name = match.groups()
            (item,) = parse_bpseq(text, where)
            sets[folder].append(paired(item, f"{folder}:{name}", family(name), where))
    if not sets:
        problem = "brought no RNAStrAlign/*.bpseq or archiveII/*.bpseq"
        raise InputError(settings["source"]["name"], problem, "give RNAret's archive datasets.tar.gz")
    return {name: sorted(records, key=lambda record: record.id) for name, records in sorted(sets.items())}


def from_st_zip_and_files(paths, settings: dict) -> dict[str, list[Record]]:
    """The sets of a zip, and a set per file of structures; either may be left out."""
    zips = [path for path in paths if path.suffix == ".zip"]
    files = [path for path in paths if Path(uncompressed(path)).suffix in STRUCTURES]
    return (from_st_zip(zips, settings) if zips else {}) | from_files(files, settings)


READERS = {"bpseq_folders": from_bpseq_folders, "st_zip_and_files": from_st_zip_and_files}
