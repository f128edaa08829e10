"""Intervals, comparisons with published numbers, embeddings and the report."""
