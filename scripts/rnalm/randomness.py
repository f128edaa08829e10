"""Counter-based randomness: numbers are a function of what they are for, not of when they are drawn.

A key names the purpose, for instance `key(seed, "mask", epoch)`; the counter says which number
(a row, a cluster's digest). Results are the same on any number of processes, in any order, and
after any restart.
"""

import hashlib

import numpy as np
import polars as pl


def key(*parts) -> np.uint64:
    """64-bit key of a purpose; parts are ints and strings."""
    text = "\x1f".join(map(str, parts)).encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


def bits(key: np.uint64, counters: np.ndarray) -> np.ndarray:
    """One uniform uint64 per counter (uint64): the SplitMix64 finaliser over key and counter.

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(counters, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        # A second round: a key that is added only once shifts one common stream.
        z = (z ^ key) * np.uint64(0xBF58476D1CE4E5B9)
        return z ^ (z >> np.uint64(32))


def uniform(key: np.uint64, counters: np.ndarray) -> np.ndarray:
    """One float64 in [0, 1) per counter."""
    return (bits(key, counters) >> np.uint64(11)) * 2.0**-53


def digest_counters(digests) -> np.ndarray:
    """Hexadecimal digests (a sequence of str) -> the first 64 bits of each as uint64, usable as counters."""
    return pl.Series(digests, dtype=pl.String).str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()
