"""The gallery: what image models draw and what each cost.

`exhibits` says what hangs there; `shipped` has the first sets and the figures of the models that come with genlab, which are there at once.
"""
