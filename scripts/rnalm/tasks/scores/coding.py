"""How RNAret tells an mRNA from a lncRNA, from the CDS probability of each nucleotide, and two rules of what is true.

RNAret's test (`lnc.py`, 335) calls an RNA an mRNA if the CDS reaches into its first 3,000 nt, which are all that its
model reads. An mRNA whose CDS starts behind them is a lncRNA there.
"""

import numpy as np

WINDOW = 30  # nt
CROP = 3000  # nt
LEAST = 0.5  # score of an mRNA
MESSENGER, LONG_NONCODING = "mRNA", "lncRNA"  # families


def coding_score(probabilities, window: int = WINDOW) -> float:
    """The largest mean CDS probability of `window` nt in a row; from LEAST on, RNAret calls the RNA an mRNA.

    Shorter sequences are filled up with zeros, which dilutes them, as in RNAret (`lnc.py`).
    probabilities: (nt,); ValueError if there is none
    """
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.ndim != 1 or not len(probabilities):
        raise ValueError("a sequence has at least one nucleotide")
    filled = np.pad(probabilities, (0, max(0, window - len(probabilities))))
    return float(np.convolve(filled, np.ones(window), "valid").max() / window)


def is_messenger(labels, family: str) -> bool:
    """Whether any nucleotide is of a CDS, or the source says that the RNA has one beyond what was kept of it.

    labels: (nt,) 0 or 1
    """
    return family == MESSENGER or bool(np.any(labels))


def is_cropped_messenger(labels, family: str) -> bool:
    """Whether any of the first CROP nucleotides is of a CDS, which is RNAret's truth. labels: (nt,) 0 or 1."""
    return bool(np.any(labels[:CROP]))
