"""What came of a comparison: a row a model, and for each figure a mean with a 95% interval.

mean ± t(0.975, S − 1) · s / √S   over S seeds (Student)
value ± 1.96 · standard error     over test examples, samples or repeated drawings, where there is one seed
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genlab.ablation.outcome import Interval, images_of, student
from genlab.errors import RunError
from genlab.measures.resampling import NORMAL
from genlab.models import entries


@dataclass(frozen=True)
class Figure:
    """A column.

    Attributes:
        key: Its name in the document.
        head: Its name for a reader, with its unit.
        words: What it says.
        better: Which way; empty where neither is.
        scale: What is stored times this is what is shown.
        digits: After the point; None: three figures in all, as becomes times and sizes, which are compared by their ratio.
    """

    key: str
    head: str
    words: str
    better: Literal["less", "more", ""]
    scale: float = 1.0
    digits: int | None = None

    @property
    def unit(self) -> str:
        """What stands behind a number, a space before it; empty of what is a share."""
        return f" {self.head.partition(' (')[2].rstrip(')')}".rstrip()

    def text(self, interval: Interval | None) -> str:
        """The mean ± half the interval, or a dash."""
        if interval is None:
            return "–"
        mean, half = interval.mean, interval.half or 0.0
        digits = self.digits if self.digits is not None else max(0, 2 - math.floor(math.log10(abs(mean)))) if mean else 0
        return f"{mean:,.{digits}f}" + (f" ± {half:,.{digits}f}" if half else "")


FIGURES: dict[str, Figure] = {
    each.key: each
    for each in (
        Figure("exact", "−log p, exact (nats)", "of test examples; computed, not bounded", "less", digits=2),
        Figure("bound", "−log p, at most (nats)", "of test examples; the truth is somewhere below", "less", digits=2),
        Figure("precision", "precision", "the share of samples that lie among real examples", "more", digits=3),
        Figure("recall", "recall", "the share of real examples that lie among samples", "more", digits=3),
        Figure("density", "density", "how thick the real examples are where samples lie", "more", digits=3),
        Figure("coverage", "coverage", "the share of real examples with a sample nearby", "more", digits=3),
        Figure("frechet", "Fréchet, digit features", "between samples and real examples; not FID", "less", digits=2),
        Figure("copies", "copies", "0: no nearer to training examples than to held-out ones; 1: always", "less", digits=3),
        Figure("one_seconds", "one drawn (ms)", "time to draw one example", "less", 1e3),
        Figure("many_seconds", "64 drawn (ms)", "time to draw 64 together", "less", 1e3),
        Figure("training_seconds", "training (s)", "time of training", "", digits=1),
        Figure("examples_seen", "seen (thousand examples)", "training examples, with repetition, in that time", "", 1e-3),
        Figure("parameters", "parameters (thousand)", "numbers that are learnt", "", 1e-3),
        Figure("training_bytes", "memory to train (MB)", "at most, beyond the interpreter, torch and the data", "less", 1e-6),
        Figure("drawing_bytes", "memory to draw 64 (MB)", "likewise", "less", 1e-6),
    )
}

PARTS = {
    "What is known of log p": ("exact", "bound"),
    "Where samples lie": ("precision", "recall", "density", "coverage", "frechet", "copies"),
    "What drawing costs": ("one_seconds", "many_seconds", "drawing_bytes"),
    "What training costs": ("training_seconds", "examples_seen", "training_bytes", "parameters"),
}
"""The figures by what they speak of."""

FAMILIES = {
    "autoregressive": "Autoregressive",
    "latent": "Variational autoencoder",
    "reversible": "Reversible",
    "adversarial": "Adversarial (GAN)",
    "continuous": "Flow matching",
}
"""The lecture's four, and one that came after it, by the catalogue's names; any other family goes by its own."""


@dataclass(frozen=True)
class Row:
    """A model.

    Attributes:
        name: In the catalogue.
        family: In the lecture's words.
        words: What it is.
        seeds: How many have been measured.
        figures: By name, as they are shown: scaled. Of ``"exact"`` and ``"bound"`` there is one at most.
        bits_per_dim: Of the first seed, where it has a likelihood or a bound of levels.
        failures: What went wrong, a sentence a seed.
        samples: Of the first seed, uint8 ``(n, C, H, W)``, or None; of points one picture.
        levels: Of the samples' values.
    """

    name: str
    family: str
    words: str
    seeds: int
    figures: Mapping[str, Interval]
    bits_per_dim: float | None
    failures: tuple[str, ...]
    samples: NDArray[np.uint8] | None
    levels: int

    @property
    def likelihood(self) -> Literal["exact", "bound", "none"]:
        """What is known of log p."""
        return "exact" if "exact" in self.figures else "bound" if "bound" in self.figures else "none"

    @property
    def log_p(self) -> str:
        """The same in words, with the figure."""
        told = {"exact": "an exact likelihood ({} nats)", "bound": "a bound (at most {} nats)", "none": "no likelihood"}
        return told[self.likelihood].format("" if self.likelihood == "none" else self.text(self.likelihood))

    def text(self, key: str) -> str:
        """A figure for a reader."""
        if key in ("exact", "bound") and self.seeds and self.likelihood == "none":
            return "none"
        return FIGURES[key].text(self.figures.get(key))


def rows(document: Mapping[str, Any]) -> list[Row]:
    """A row for each model of a comparison's document, in the plan's order.

    Raises:
        RunError: The document holds what a comparison does not write.
    """
    try:
        models = document["plan"]["variants"]
        return [_row(each, [record for record in document["runs"] if record["variant"] == each["name"]]) for each in models]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, binascii.Error) as error:
        raise RunError(f"the file of the comparison holds what no comparison writes: {type(error).__name__} {error}") from None


def real(document: Mapping[str, Any]) -> Row | None:
    """Real examples that no model was trained on, measured as if they were samples; None as long as nobody has looked.

    Raises:
        RunError: The document holds what a comparison does not write.
    """
    try:
        if "real" not in document:
            return None
        held_out = {"variant": "real", "figures": document["real"]["figures"], "samples": document["real"]["samples"]}
        return _row({"name": "real", "model": "", "words": "held-out examples, as if they were samples"}, [held_out])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, binascii.Error) as error:
        raise RunError(f"the file of the comparison holds what no comparison writes: {type(error).__name__} {error}") from None


def columns(found: Sequence[Row]) -> list[str]:
    """The figures that some row has."""
    return [key for key in FIGURES if any(key in row.figures for row in found)]


def leaders(found: Sequence[Row], key: str) -> set[str]:
    """The models that no other is surely better than: their interval reaches the best one's; nobody where neither way is better."""
    better = FIGURES[key].better
    sign = {"less": 1, "more": -1, "": 0}[better]
    reach = {row.name: sorted(sign * end for end in row.figures[key].ends) for row in found if key in row.figures}
    return {name for name, ends in reach.items() if better and ends[0] <= min(other[1] for other in reach.values())}


def table(document: Mapping[str, Any]) -> list[list[str]]:
    """The rows as text, the head first; exact likelihoods and bounds each in a column of its own."""
    found = rows(document)
    keys = columns(found)
    head = ["model", "family", *(FIGURES[key].head for key in keys), "seeds"]
    return [head, *([row.name, row.family, *(row.text(key) for key in keys), str(row.seeds)] for row in found)]


def how_sure(document: Mapping[str, Any]) -> str:
    """What the intervals are over, in a sentence or two."""
    most = max((row.seeds for row in rows(document)), default=0)
    if most > 1:
        return f"± is a 95% interval over {most} seeds (Student's t): what another seed would give, not what other data would."
    return (
        "± is a 95% interval over test examples, samples (drawn anew with replacement) or repeated drawings, for there is one seed: "
        "what another seed would change is not in it."
    )


def conditions(document: Mapping[str, Any]) -> list[str]:
    """On what all of this was made: data, budget, protocol, machine; a sentence each."""
    told = []
    training, data = document["plan"]["training"], document.get("data", {})
    budget = [f"{training[name]:g} {name}" for name in ("minutes", "steps", "epochs") if training.get(name) is not None]
    told.append(f"{data.get('words', document['plan']['data'].get('name', ''))}. Each model was trained for {', '.join(budget)} a seed.")
    protocols = {record["protocol"]: record["scored"] for record in document["runs"] if "protocol" in record}
    told += [f"Scored: {count:,} test examples of {protocol}." for protocol, count in protocols.items()]
    spaces = {(record["compared"], record["space"]) for record in document["runs"] if "space" in record}
    told += [f"Precision and what follows: {count:,} samples against as many test examples, in {space}." for count, space in spaces]
    if machine := document.get("machine"):
        told.append(f"Made on {machine['cpu']}, {machine['threads']} of {machine['cores']} cores, {machine['date'][:10]}{_busy(machine)}.")
    return told


def _busy(machine: Mapping[str, Any]) -> str:
    load = machine.get("load") or 0.0
    return f", while others used it (load {load:.1f}): times compare with each other at best" if load > 0.5 else ""


def _row(model: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Row:
    done = [record for record in records if "figures" in record]
    samples = next((record["samples"] for record in done if "samples" in record), None)
    family = next((each.family for each in entries() if each.name == model["model"]), "")
    found = {
        key: _over_seeds([record["figures"][key] for record in done if key in record["figures"]], each) for key, each in FIGURES.items()
    }
    return Row(
        name=str(model["name"]),
        family=FAMILIES.get(family, family.replace("_", " ").capitalize()),
        words=str(model["words"]),
        seeds=len(done),
        figures={key: interval for key, interval in found.items() if interval is not None},
        bits_per_dim=next((float(record["bits_per_dim"]) for record in done if record.get("bits_per_dim") is not None), None),
        failures=tuple(f"seed {record['seed']}: {record['failed']}" for record in records if "failed" in record),
        samples=images_of(samples) if samples else None,
        levels=int(samples["levels"]) if samples else 2,
    )


def _over_seeds(found: Sequence[Mapping[str, Any]], kind: Figure) -> Interval | None:
    if not found:
        return None
    values = [kind.scale * float(each["value"]) for each in found]
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{kind.key} is not finite")
    if len(values) > 1:
        return student(values)
    error = found[0]["standard_error"]
    return Interval(values[0], None if error is None else NORMAL * kind.scale * float(error))
