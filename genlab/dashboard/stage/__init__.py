"""What the pages draw with.

`sources` says which models are here and can do what a page shows, and which real images they never saw; `drawings` has what models
draw, kept for as long as the server lives.
"""
