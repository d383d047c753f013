"""Mutated inputs for everything that reads what strangers wrote: ``python -m fuzz all --seconds 60``.

What it promises: whatever the bytes, the answer is right or one of genlab's own errors, within bounded time and memory. What it leaves out:
coverage. Inputs are mutated at random from a small corpus that `targets` makes; each follows from (target, seed, number) alone.
"""
