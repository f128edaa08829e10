"""Scores of predictions, every published convention beside the others: structures, classes, numbers, positions."""
