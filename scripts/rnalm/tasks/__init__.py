"""Downstream tasks: readers of their data, splits, what their heads predict, losses, scores, baselines."""
