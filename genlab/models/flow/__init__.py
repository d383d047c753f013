"""Reversible models: bijections between data and noise, whose density follows from a change of variables."""
