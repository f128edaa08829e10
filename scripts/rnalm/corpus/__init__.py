"""Exact deduplication, MMseqs2 clustering and epoch draws."""
