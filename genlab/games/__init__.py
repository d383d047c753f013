"""Games of two networks, looked at closely: slide 60's three reasons why it is a miracle that GANs work, as experiments with numbers.

- `gradient`: all that G learns reaches it through D, and through a perfect D next to nothing does.
- `equilibrium`: the smallest game there is, whose equilibrium is known, and found or not by the way it is played.
- `learning`: G gets better although D is hardly ever fooled.

`interpolation` has the way from one z to another.
"""
