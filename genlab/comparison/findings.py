"""Pros and cons out of the figures: what each family is best and worst at, and the lecture's own claims held to what was measured.

A family is spoken for by its best member at each figure. It is ahead of another only if the two 95% intervals do not touch; where they do,
nothing is claimed. A bound is never set against an exact likelihood, only against another bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from genlab.comparison.outcome import FAMILIES, FIGURES, Row

Verdict = Literal["borne out", "contradicted", "undecided"]
Rank = Literal["first", "last", "among the first"]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Finding:
    """What is said of a family, and what the figures say to it.

    Attributes:
        family: In the lecture's words.
        claim: What is said.
        source: By whom.
        verdict: What comes of it.
        evidence: The figures, in a sentence.
    """

    family: str
    claim: str
    source: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Balance:
    """A family's pros and cons, each a sentence with its figure."""

    family: str
    pros: tuple[str, ...]
    cons: tuple[str, ...]


_BEST_AND_WORST = {
    "one_seconds": ("fastest to draw one", "slowest to draw one"),
    "many_seconds": ("fastest to draw 64", "slowest to draw 64"),
    "precision": ("most samples among real examples", "fewest samples among real examples"),
    "recall": ("covers most of the real examples", "covers least of the real examples"),
    "frechet": ("nearest to real examples in digit features", "farthest from real examples in digit features"),
    "training_bytes": ("least memory to train", "most memory to train"),
    "drawing_bytes": ("least memory to draw", "most memory to draw"),
}
_AUTOREGRESSIVE, _VARIATIONAL, _REVERSIBLE, _ADVERSARIAL = list(FAMILIES.values())[:4]

# (family, claim, source, what is known of log p, or a figure and the rank that it is said to have)
_SAID: tuple[tuple[str, str, str, str, Rank | None], ...] = (
    (_AUTOREGRESSIVE, "p(x) can be computed", "slide 18", "exact", None),
    (_AUTOREGRESSIVE, "good samples", "slide 18", "frechet", "among the first"),
    (_AUTOREGRESSIVE, "drawing is sequential, hence slow", "slide 18", "one_seconds", "last"),
    (_VARIATIONAL, "p(x) is intractable: a lower bound in its place", "slide 21", "bound", None),
    (_VARIATIONAL, "blurred: its samples lie beside real ones", "often said", "precision", "last"),
    (_REVERSIBLE, "p(x) can be computed", "slide 7", "exact", None),
    (_ADVERSARIAL, "no density: one can only draw", "slide 34", "none", None),
    (_ADVERSARIAL, "modes collapse: a limited set of samples", "slide 65", "recall", "last"),
    (_ADVERSARIAL, "the sharpest samples", "often said", "precision", "first"),
    (_ADVERSARIAL, "the fastest to draw", "often said", "one_seconds", "first"),
)


def balances(found: Rows) -> list[Balance]:
    """Each family's pros and cons, in the rows' order."""
    return [_balance(found, family) for family in _families(found)]


def findings(found: Rows) -> list[Finding]:
    """What is said of the families that take part, each with its verdict."""
    there = set(_families(found))
    return [
        _of_density(found, family, claim, source, what) if rank is None else _of_rank(found, family, claim, source, what, rank)
        for family, claim, source, what, rank in _SAID
        if family in there
    ]


def _families(found: Rows) -> list[str]:
    return list(dict.fromkeys(row.family for row in found if row.seeds))


def _balance(found: Rows, family: str) -> Balance:
    pros: list[str] = []
    cons: list[str] = []
    members = [row for row in found if row.family == family and row.seeds]
    for kind in ("exact", "bound", "none"):
        if of_kind := [row for row in members if row.likelihood == kind]:
            (pros if kind == "exact" else cons).append("; ".join(f"{row.name} has {row.log_p}" for row in of_kind))
    for key, (best, worst) in _BEST_AND_WORST.items():
        standing = _standing(found, family, key)
        if standing is None or not standing.others:
            continue
        told = f"({standing.member.name}, {standing.member.text(key)}{FIGURES[key].unit})"
        if standing.behind == standing.others:
            pros.append(f"{best} {told}")
        elif standing.ahead == standing.others:
            cons.append(f"{worst} {told}")
    return Balance(family, tuple(pros), tuple(cons))


def _of_density(found: Rows, family: str, claim: str, source: str, kind: str) -> Finding:
    """What is known of log p, which the figures decide without doubt."""
    members = [row for row in found if row.family == family and row.seeds]
    evidence = "; ".join(f"{row.name} has {row.log_p}" for row in members) + "."
    other = [row for row in members if row.likelihood != kind]
    # The catalogue says why: a flow is exact of real values, and levels are none.
    return Finding(
        family, claim, source, "contradicted" if other else "borne out", " ".join([evidence, *(row.words for row in other)]).strip()
    )


def _of_rank(found: Rows, family: str, claim: str, source: str, key: str, rank: Rank) -> Finding:
    """Whether a family is where it is said to be."""
    standing = _standing(found, family, key)
    if standing is None or not standing.others:
        return Finding(family, claim, source, "undecided", "There is nothing to hold it against.")
    verdict: Verdict = "undecided"
    if rank == "last":
        verdict = "borne out" if standing.ahead == standing.others else "contradicted" if standing.behind else verdict
    elif standing.ahead:
        verdict = "contradicted"
    elif rank == "among the first" or standing.behind == standing.others:
        verdict = "borne out"
    best = ", ".join(f"{row.name} {row.text(key)}" for row in _best(found, key).values())
    return Finding(family, claim, source, verdict, f"{FIGURES[key].head}, the best of each family: {best}.")


@dataclass(frozen=True)
class _Standing:
    """Where a family stands at a figure: who speaks for it, the other families, those surely better and those surely worse."""

    member: Row
    others: frozenset[str]
    ahead: frozenset[str]
    behind: frozenset[str]


def _standing(found: Rows, family: str, key: str) -> _Standing | None:
    """None where the family does not have the figure."""
    best = _best(found, key)
    if family not in best:
        return None
    sign = 1 if FIGURES[key].better == "less" else -1
    reach = {name: sorted(sign * end for end in row.figures[key].ends) for name, row in best.items()}
    others = frozenset(best) - {family}
    ahead = frozenset(other for other in others if reach[other][1] < reach[family][0])
    behind = frozenset(other for other in others if reach[other][0] > reach[family][1])
    return _Standing(best[family], others, ahead, behind)


def _best(found: Rows, key: str) -> dict[str, Row]:
    """Who speaks for each family at a figure."""
    with_it = [row for row in found if key in row.figures]
    sign = 1 if FIGURES[key].better == "less" else -1
    return {
        family: min((row for row in with_it if row.family == family), key=lambda row: sign * row.figures[key].mean)
        for family in dict.fromkeys(row.family for row in with_it)
    }
