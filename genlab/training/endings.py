"""What a run says at its end: how much it did, and whether there is reason to doubt it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from genlab.models.contract import Model, abilities


def count_of(number: float | None, unit: str) -> str:
    """``1 minute``, ``0.5 minutes``, ``2,000 steps``."""
    text = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{text} {unit}" if number == 1 else f"{text} {unit}s"


def advice(model: Model) -> str:
    """What the GAN doctor says of a game that broke down, to stand behind the sentence that tells so; nothing where nobody judges."""
    if "judge" not in abilities(model):
        return ""
    from genlab.doctor import ADVISES, diagnose

    (finding,) = diagnose({}, model.config["settings"], failed="it broke down").findings
    cure = " ".join(f"{name}={value}" for name, value in finding.cure.items())
    return f"{ADVISES}{finding.advice}" + (f" ({cure})" if cure else "")


def doubts(model: Model, best: Mapping[str, float]) -> str:
    """A sentence if the best validation is no better than giving all levels the same probability, and why that may be; else nothing.

    The uniform distribution costs log(levels) nats a value. A bound that is worse may still belong to a better model.
    """
    domain, report = model.domain, model.report
    if domain.levels is None or report.kind != "exact" or report.key not in best:
        return ""
    nats = best[report.key] if report.lower_is_better else -best[report.key]
    uniform = math.log(domain.levels) * domain.size
    if nats < uniform:
        return ""
    return (
        f"; that is no better than all levels being equally likely ({uniform:.2f} nats): the learning rate may be too high, "
        "the run too short, or the validation images unlike the training images"
    )
