"""The GAN doctor: reads what a game of two networks recorded, looks at what it draws, and says in plain words what is going on.

From the records (`of_records`), of a discriminator D and a generator G, means over the newest third of the run:

    D is right      how often D tells real from generated examples: 50% is guessing
    swing           standard deviation of that over twenty parts of the newest half: they chase each other, whatever the loss
    D(G(z))         e^(−loss of G) where G minimises −ln D(G(z)), 1 − e^loss where it minimises ln(1 − D(G(z))): how real G looks to D
    G's gradient    its norm, beside what it was at its largest

From the model's own samples beside real ones (`of_samples`):

    spread          root-mean-square distance of samples from their mean, in parts of the data's: what is left of it if G ignores z
    bins missed     the data fall into bins, each example into that of the nearest centre (of the data's modes, or by k-means): a bin is
                    missed that gets less than a fifth of its share of the samples (after Richardson and Weiss 2018)
    copied          how much more often a training example is nearest to a sample than a held-out one (Meehan et al. 2020): 0 is chance, 1
                    always; beside it the median distance to the nearest training example, in parts of that of held-out ones

Each finding has its evidence and a cure: settings for a new training. A figure that nobody recorded accuses nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.measures.resampling import NORMAL
from genlab.runs import Run, load_model
from genlab.sampling import sample

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.models.contract import Model

Kind = Literal["healthy", "diverged", "d_has_won", "ignores_z", "collapse", "oscillation", "memorising", "too_early"]
Records = Sequence[Mapping[str, Any]]
Rows = NDArray[np.float32]

LEAST_RECORDS = 6
SURE = 0.97
"""D is right so often that G hardly ever looks real."""
SELDOM = 0.02
"""D(G(z)) below which G fools nobody."""
FADED = 0.1
"""A gradient is gone that is below this part of what it was."""
STILL = 0.05
"""A spread below this part of the data's is no spread: G draws one thing, whatever z is."""
MISSED = 0.3
"""A collapse misses at least this part of the bins."""
FAIR = 0.2
"""A bin is missed that gets less than this part of its share."""
SWINGS = 0.06
"""How often D is right: a standard deviation above this is a chase."""
COPIES = 0.15
"""Samples are nearest to a training example so much more often than by chance, with 95% confidence."""
NEAR = 0.6
"""They lie nearer than this part of the usual distance: who is far off the data may be nearest to any of their outermost."""
BINS = 20
PARTS = 20
ADVISES = "; the GAN doctor advises "
"""In the last sentence of a training that broke down, what follows is the doctor's own."""
SAMPLES = 1_000
MOST_COMPARED = 10_000


@dataclass(frozen=True)
class Finding:
    """Something that is going on.

    Attributes:
        kind: What it is called.
        words: What it means, a sentence or two.
        evidence: The figures behind it, each in words.
        cure: Settings for a new training that should help, by name; of the model, or of the training where it has them.
        advice: The cure in words.
    """

    kind: Kind
    words: str
    evidence: tuple[str, ...]
    cure: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says.

    Attributes:
        findings: The gravest first; ``healthy`` alone if nothing is wrong.
        figures: All that was read, by name.
    """

    findings: tuple[Finding, ...]
    figures: Mapping[str, float]

    @property
    def kind(self) -> Kind:
        """The gravest finding's."""
        return self.findings[0].kind

    def __str__(self) -> str:
        lines = []
        for each in self.findings:
            lines += [each.words, *(f"  - {line}" for line in each.evidence)]
            lines += [f"  What helps: {each.advice}"] if each.advice else []
        return "\n".join(lines)


def examine(run: Run, *, data: Dataset | None = None, samples: int = SAMPLES, seed: int = 0) -> Diagnosis:
    """The doctor's word on a run: on its records, and on what its newest weights draw.

    Args:
        run: Of a model with a discriminator and a generator among its players.
        data: What it was trained on; None loads that anew.
        samples: How many examples to draw, and to compare with as many real ones at most.
        seed: Decides them.

    Raises:
        InputError: The run is of no such model.
        RunError: Its files are torn, or its data have changed.
    """
    records = run.metrics()
    figures = of_records([record for record in records if record["kind"] == "train"], run.config["model"]["settings"])
    ends = [record for record in records if record["kind"] == "event"]
    message = str(ends[-1]["message"]) if ends and ends[-1]["event"] == "failed" else ""
    if not figures and not (message and "judge" in run.abilities):  # which may have broken down before its first record
        raise InputError(f"the doctor reads runs of two players, one of whom judges; {run.name} has none that judges")
    if run.checkpoint_path.exists():
        from genlab.measures.likelihood import load_run_data

        model = load_model(run, weights="raw")
        figures |= of_samples(model, data if data is not None else load_run_data(run), samples=samples, seed=seed)
    return diagnose(figures, run.config["model"]["settings"], failed=message)


# --- figures ---------------------------------------------------------------------------------------------------------------------


def of_records(train: Records, settings: Mapping[str, Any]) -> dict[str, float]:
    """What a game's records of kind ``"train"`` tell; nothing if nobody in it judges.

    Args:
        train: With ``values`` by ``<player>/<name>``; a judge is a player with an ``accuracy``. Of several pairs the last one is read.
        settings: The model's; its ``loss`` says what G's loss means.
    """
    names = list(dict.fromkeys(name for record in train for name in record["values"]))
    judges = [name.rpartition("/")[0] for name in names if name.endswith("/accuracy")]
    makers = [name.rpartition("/")[0] for name in names if name.endswith("/loss") and name.rpartition("/")[0] not in judges]
    if not judges or not makers:
        return {}
    accuracy, loss, slope = (
        _curve(train, name) for name in (f"{judges[-1]}/accuracy", f"{makers[-1]}/loss", f"{makers[-1]}/gradient_norm")
    )
    figures = {"records": float(len(loss)), "accuracy": _newest(accuracy), "loss of G": _newest(loss)}
    real = _looks_real(str(settings.get("loss")))
    if real is not None:
        figures["D(G(z))"] = real(figures["loss of G"])
    if len(slope) >= LEAST_RECORDS:
        figures["gradient of G"] = _newest(slope)
        figures["gradient of G, of its largest"] = _newest(slope) / (max(_parts(slope, PARTS)) or 1.0)
    if len(accuracy) >= PARTS:
        figures["swing"] = float(np.std(_parts(accuracy[len(accuracy) // 2 :], PARTS)))
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def of_samples(model: Model, data: Dataset, *, samples: int = SAMPLES, seed: int = 0) -> dict[str, float]:
    """What a model draws, beside what is real.

    Args:
        model: Any that can be drawn from.
        data: What it was trained on.
        samples: How many to draw, and to compare with as many real ones at most.
        seed: Decides them.
    """
    chosen = np.random.default_rng(seed).permutation(len(data.train))[:samples]
    batch = data.train.batch(np.random.default_rng(seed), chosen)
    labels: dict[str, Any] = (
        {"labels": np.resize(batch.labels, samples)} if getattr(model, "classes", 0) and batch.labels is not None else {}
    )
    drawn, real = _rows(sample(model, samples, seed=seed, **labels)), _rows(batch.values)
    figures = {"spread": _spread(drawn) / (_spread(real) or 1.0)}
    centres = _centres(data, real, seed)
    if len(centres) > 1:
        expected, found = (np.bincount(_nearest(rows, centres)[1], minlength=len(centres)) / len(rows) for rows in (real, drawn))
        figures |= {"bins": float(len(centres)), "bins missed": float((found < FAIR * expected).sum())}
    held_out = np.concatenate([_rows(split.images) for split in (data.valid, data.test)])
    if len(held_out) > 1:
        figures |= _copied(drawn, _rows(data.train.images), held_out, seed)
    return figures


def _copied(drawn: Rows, seen: Rows, held_out: Rows, seed: int) -> dict[str, float]:
    """How much more often a training example is nearest than one that was never seen, and how near; as many of both are looked at."""
    count = min(len(seen), len(held_out), MOST_COMPARED)
    rng = np.random.default_rng(seed)
    seen, held_out = (rows[rng.permutation(len(rows))[:count]] for rows in (seen, held_out))
    ours, theirs = _nearest(drawn, seen)[0], _nearest(drawn, held_out)[0]
    is_ours = np.where(ours == theirs, 0.5, ours < theirs)  # of a tie nobody knows
    excess, error = 2 * is_ours.mean() - 1, 2 * is_ours.std() / math.sqrt(len(is_ours))
    usual = float(np.median(_nearest(held_out, seen)[0])) or 1.0
    return {"copied": float(excess), "copied, at least": float(excess - NORMAL * error), "distance": float(np.median(ours)) / usual}


# --- what they mean --------------------------------------------------------------------------------------------------------------


def diagnose(figures: Mapping[str, float], settings: Mapping[str, Any], *, failed: str = "") -> Diagnosis:
    """What figures mean; a figure that is missing accuses nobody.

    Args:
        figures: Of `of_records` and `of_samples`.
        settings: The model's: a cure changes only what a model has, to what it is not yet.
        failed: What a training said that failed.
    """
    if failed:
        found = [_diverged(failed)]
    elif figures.get("records", 0) < LEAST_RECORDS:
        found = [Finding("too_early", "It is too early to say anything: next to nothing is recorded yet.", ())]
    else:
        rules = (_d_has_won, _ignores_z, _collapse, _oscillation, _memorising)
        found = [finding for rule in rules if (finding := rule(figures, settings)) is not None]
    if any(finding.kind == "ignores_z" for finding in found):
        found = [finding for finding in found if finding.kind != "collapse"]  # which it is the extreme of
    findings = tuple(_fitting(finding, settings) for finding in found) or (_healthy(figures),)
    return Diagnosis(findings, dict(figures))


def _diverged(message: str) -> Finding:
    return Finding(
        "diverged",
        "The training broke down: a loss or a weight was no finite number any more. The last good state is kept.",
        (message.partition(ADVISES)[0],),
        {"generator_rate": 0.25, "discriminator_rate": 0.25, "penalty": 0.1},
        "lower learning rates, and a penalty on D's gradient",
    )


def _d_has_won(figures: Mapping[str, float], settings: Mapping[str, Any]) -> Finding | None:
    accuracy, real = figures.get("accuracy", 0.0), figures.get("D(G(z))", 0.0)
    if accuracy < SURE or real > SELDOM:
        return None
    faded = figures.get("gradient of G, of its largest", 1.0)
    is_gone = faded < FADED or settings.get("loss") == "minimax"
    evidence = [f"D is right on {_percent(accuracy)} of the examples"]
    if "D(G(z))" in figures:
        evidence.append(f"what G draws looks real to D with probability {real:.2g}")
    if "gradient of G, of its largest" in figures:
        evidence.append(f"G's gradient is {_percent(faded)} of what it was at its largest")
    gone = "G's gradient is gone" if is_gone else "what D tells G is of little use"
    return Finding(
        "d_has_won",
        f"D has won and {gone}: D is sure of everything, so G cannot tell a small improvement from none.",
        tuple(evidence),
        {"loss": "relativistic", "penalty": 0.1, "discriminator_rate": 0.25, "generator_rate": 0.25, "discriminator_moves": 1},
        "a loss that is steep where D is sure, a penalty that keeps D's field smooth, D no quicker than G",
    )


def _ignores_z(figures: Mapping[str, float], settings: Mapping[str, Any]) -> Finding | None:
    spread = figures.get("spread", 1.0)
    if spread >= STILL:
        return None
    return Finding(
        "ignores_z",
        "G ignores z: whatever z it is given, it draws nearly the same.",
        _spread_in_words(figures),
        {"loss": "relativistic", "penalty": 0.1, "packing": 2, "generator_rate": 0.25, "discriminator_rate": 0.25},
        "packing, by which D sees several samples at once and so their sameness; equal learning rates",
    )


def _collapse(figures: Mapping[str, float], settings: Mapping[str, Any]) -> Finding | None:
    bins, missed = figures.get("bins", 0.0), figures.get("bins missed", 0.0)
    if not bins or missed < MISSED * bins:
        return None
    return Finding(
        "collapse",
        "Mode collapse: G draws a part of the data only.",
        (f"of {bins:.0f} parts of the data its samples leave {missed:.0f} out", *_spread_in_words(figures)),
        {"loss": "relativistic", "penalty": 0.1, "packing": 2, "generator_rate": 0.25, "discriminator_rate": 0.25},
        "a loss of pairs with a penalty, packing, equal learning rates",
    )


def _oscillation(figures: Mapping[str, float], settings: Mapping[str, Any]) -> Finding | None:
    swing = figures.get("swing", 0.0)
    if swing < SWINGS or "accuracy" not in figures:
        return None
    return Finding(
        "oscillation",
        "D and G chase each other: now the one is ahead, now the other, and nothing settles.",
        (f"D is right on {_percent(figures['accuracy'])} of the examples, ± {_percent(swing)} over the newer half of the run",),
        {"penalty": 10.0 if settings.get("loss") == "wasserstein" else 0.1, "generator_rate": 0.25, "discriminator_rate": 0.25},
        "a penalty on D's gradient, lower and equal learning rates",
    )


def _memorising(figures: Mapping[str, float], settings: Mapping[str, Any]) -> Finding | None:
    if figures.get("copied, at least", 0.0) <= COPIES or figures["distance"] >= NEAR:
        return None
    return Finding(
        "memorising",
        "G remembers: its samples lie nearer to what it was trained on than to examples of the same kind that it never saw.",
        (
            f"a training example is the nearest to {_percent((1 + figures['copied']) / 2)} of the samples, where chance would have 50%",
            f"to the nearest one it is {_percent(figures['distance'])} as far as from examples that were never seen",
        ),
        {"hidden": 32, "discriminator_hidden": 32, "dropout": 0.3},
        "more data, smaller networks, dropout in D, fewer steps",
    )


def _healthy(figures: Mapping[str, float]) -> Finding:
    evidence = []
    if "accuracy" in figures:
        evidence.append(f"D is right on {_percent(figures['accuracy'])} of the examples")
    evidence += _spread_in_words(figures)
    if "bins" in figures:
        evidence.append(f"of {figures['bins']:.0f} parts of the data its samples leave {figures['bins missed']:.0f} out")
    return Finding("healthy", "Healthy: neither has won, and nothing speaks for a collapse.", tuple(evidence))


def _spread_in_words(figures: Mapping[str, float]) -> tuple[str, ...]:
    return (f"its samples spread {_percent(figures['spread'])} as far as the data",) if "spread" in figures else ()


def _fitting(finding: Finding, settings: Mapping[str, Any]) -> Finding:
    """With a cure of settings that the model has, and that are not so yet."""
    cure = {name: value for name, value in finding.cure.items() if name in settings and settings[name] != value}
    return Finding(finding.kind, finding.words, finding.evidence, cure, finding.advice)


# --- small arithmetic ------------------------------------------------------------------------------------------------------------


def _looks_real(loss: str) -> Callable[[float], float] | None:
    """How real G looks to D, from G's loss."""
    rules: dict[str, Callable[[float], float]] = {
        "nonsaturating": lambda value: math.exp(-value),
        "relativistic": lambda value: math.exp(-value),
        "minimax": lambda value: 1 - math.exp(min(0.0, value)),
    }
    return rules.get(loss)


def _curve(train: Records, name: str) -> list[float]:
    return [float(record["values"][name]) for record in train if name in record["values"]]


def _newest(values: Sequence[float]) -> float:
    """The mean of the newest third."""
    return float(np.mean(values[-max(1, len(values) // 3) :])) if values else math.nan


def _parts(values: Sequence[float], count: int) -> list[float]:
    """Means over so many parts, one after the other."""
    return [float(part.mean()) for part in np.array_split(np.asarray(values), min(count, len(values)))]


def _rows(values: NDArray[Any]) -> Rows:
    return values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float32)


def _spread(rows: Rows) -> float:
    return float(np.sqrt(rows.astype(np.float64).var(0).sum()))


def _centres(data: Dataset, real: Rows, seed: int) -> Rows:
    """Of the data's modes; where they have none, of k-means, with at least 20 examples in the mean."""
    if data.centres is not None:
        return data.centres
    from sklearn.cluster import KMeans

    bins = min(BINS, len(real) // 20)
    if bins < 2 or len(np.unique(real, axis=0)) < bins:
        return real[:0]
    centres: Rows = KMeans(bins, n_init=1, random_state=seed % 2**32).fit(real).cluster_centers_
    return centres


def _nearest(rows: Rows, among: Rows) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far the nearest of some is from each row, and which it is."""
    from sklearn.neighbors import NearestNeighbors

    distance, place = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(among).kneighbors(rows)
    return distance[:, 0], place[:, 0]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.01 else f"{100 * share:.1g}%"
