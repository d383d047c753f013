"""Continuous flows: noise carried to data along a velocity field that a network learns."""
