"""One module per downstream task."""
