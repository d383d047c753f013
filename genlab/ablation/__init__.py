"""Which tricks pay: variants of one network trained on equal budgets and seeds, and what came of each, with intervals.

- `genlab.ablation.variants`: slides 18 and 65 as switches, each a difference of settings of a model of the catalogue.
- `plan`: what is asked for, checked. `study`: every variant and seed as an ordinary run folder, gone on with where it stopped.
- `outcome`: means, intervals over seeds and what a trick is worth, out of the one JSON file that a study writes.
"""

from genlab.ablation.outcome import Row, rows, table
from genlab.ablation.plan import Plan, plan_again, plan_of
from genlab.ablation.study import read, study
from genlab.ablation.variants import SWITCHES, VARIANTS, Variant

__all__ = ["SWITCHES", "VARIANTS", "Plan", "Row", "Variant", "plan_again", "plan_of", "read", "rows", "study", "table"]
