"""Weights from and to other people's layouts.

One module per layout, each with `read(path, heads) -> Weights` and `write(loaded, path)`: those of the three families'
published checkpoints, and MultiMolecule's. `transfer` imports and exports by a layout's name.
"""
