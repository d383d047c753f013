"""Autoregressive systems: a file per system builds a list of nodes, `model.py` makes a torch module of it."""
