"""The score by which RNAret tells an mRNA from a lncRNA, from the CDS probability of each nucleotide."""

import numpy as np

WINDOW = 30  # nt


def coding_score(probabilities, window: int = WINDOW) -> float:
    """The largest mean CDS probability of `window` nt in a row; from 0.5 on, RNAret calls the RNA an mRNA.

    Shorter sequences are filled up with zeros, which dilutes them, as in RNAret (`lnc.py`).
    probabilities: (nt,); ValueError if there is none
    """
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.ndim != 1 or not len(probabilities):
        raise ValueError("a sequence has at least one nucleotide")
    filled = np.pad(probabilities, (0, max(0, window - len(probabilities))))
    return float(np.convolve(filled, np.full(window, 1 / window), "valid").max())
