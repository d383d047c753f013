"""What the pages draw with.

`sources` says which models are here and can do what a page shows, and which real images they never saw; `causal` has what models
that draw one value after another draw, `front` fresh images of the best one; all of it is kept for as long as the server lives.
"""
