"""Learning rates as functions of the step."""

import math


def warmup_cosine(step: int, *, start: float, peak: float, end: float, warmup_steps: int, total_steps: int) -> float:
    """Linear from `start` to `peak` in `warmup_steps`, then cosine to `end` at `total_steps`, constant after.

    RiNALMo pre-training: 1e-7 -> 5e-5 in 2,000 steps, cosine to 1e-5 (Nature Communications 16:5671).
    """
    if step < warmup_steps:
        return start + (peak - start) * step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return end + (peak - end) * (1 + math.cos(math.pi * progress)) / 2


def linear(step: int, *, start: float, end_factor: float, steps: int) -> float:
    """From `start` to `start * end_factor` in `steps` steps, constant after (fine-tuning)."""
    return start * (1 + (end_factor - 1) * min(1.0, step / steps))
