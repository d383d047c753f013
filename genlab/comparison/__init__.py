"""The lecture's families side by side (slide 19): their members on the same data and budget, everything measured, with its uncertainty.

A comparison is a study (`genlab.ablation`) whose variants are models and whose runs are measured more thoroughly.

- `genlab.comparison.plan`: who takes part; whoever cannot be trained on the data is named before any training.
- `measuring`: what a finished run gives: exact likelihood, bound or neither, where its samples lie, what it cost; `memory`: the peak of it.
- `outcome`: a row a model with an interval for every figure. `findings`: pros and cons as sentences; what the lecture says, held to them.
- `report`: all of it as one page of HTML that asks nobody for anything.
"""

from genlab.comparison.carrying_out import COMPARISON, FILE, REPORT, compare, read
from genlab.comparison.outcome import FIGURES, Row, rows, table
from genlab.comparison.plan import MEMBERS, comparison_of

__all__ = ["COMPARISON", "FIGURES", "FILE", "MEMBERS", "REPORT", "Row", "compare", "comparison_of", "read", "rows", "table"]
