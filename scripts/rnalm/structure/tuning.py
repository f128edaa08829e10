"""The decoding threshold that scores best on validation RNAs, as RiNALMo tunes it."""

import numpy as np

from rnalm.structure.metrics import score

THRESHOLDS = tuple(step / 100 for step in range(1, 30))


def tune_threshold(decoded, true, lengths, thresholds=THRESHOLDS) -> tuple[float, float]:
    """(threshold, mean per-RNA relaxed F1) of the best threshold, the lowest of equals.

    decoded: per RNA, what `decoding.candidates` gives at the lowest threshold
    true:    per RNA, its base pairs
    lengths: per RNA, nt
    """
    means = []
    for threshold in thresholds:
        scores = [
            score(pairs[strengths > threshold].tolist(), pairs_true, length, relaxed=True)[2]
            for (pairs, strengths), pairs_true, length in zip(decoded, true, lengths, strict=True)
        ]
        means.append(float(np.mean(scores)))
    best = int(np.argmax(means))
    return thresholds[best], means[best]
