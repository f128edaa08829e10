"""Encoders on packed input, attention, heads, model directories."""
