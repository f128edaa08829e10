"""What the name of a file says: how it is compressed, and what it is called without the endings that say so."""

from pathlib import Path

GZIP = (".gz", ".bgz")
ZSTD = (".zst",)


def uncompressed(path) -> str:
    """The name of a file without what says how it is compressed: `TS0.dbn.gz` -> `TS0.dbn`."""
    name = Path(path)
    return name.stem if name.suffix.lower() in (*GZIP, *ZSTD) else name.name


def stem(path) -> str:
    """The name of a file without the endings of its compression and format: `human.v2.fa.gz` -> `human.v2`."""
    return Path(uncompressed(path)).stem
