"""Generative adversarial networks: `game` is what all share, `losses` what the players minimise, `networks` what they are made of.

A file a system: `gan2d` in the plane.
"""
