"""Generative adversarial networks: `losses` is what the players minimise, `game` what all models share, `gan` a model of one pair.

A file a system: `gan2d` in the plane; `mlp_gan`, `dcgan` and `lapgan` on images, with `images` for what those share; `networks` has layers.
"""
