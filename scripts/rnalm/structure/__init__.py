"""Secondary structure: notations, decoders, metrics, drawings."""
