"""Reading, normalising and retrieving sequences."""
