"""Tokenisers, masking, packing and the resumable loader."""
