"""What the page of flow matching shows: a velocity field for the browser, images on their way, and what steps of a solver are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out, model_of, sources
from genlab.errors import GenlabError, InputError
from genlab.measures.features import in_space, usual_space
from genlab.measures.neighbours import Neighbours, compared
from genlab.models import entries
from genlab.models.continuous.solver import SOLVERS
from genlab.runs import open_run, pretrained_path

SHIPPED = {"plane": {"spirals-matching": "two spirals in the plane"}, "images": {"digits-matching": "small digits, 8×8"}}
"""Models that come with genlab, by the part of the page."""
COUNTS = (1, 2, 4, 8, 16, 32)
"""Steps of a solver that are compared."""
PASSES_AT_MOST = 32
DOTS = 240
STATIONS = 32  # in which the way is sent that the field leads
_BETWEEN = 4  # steps of Kutta's method between two stations: nothing is seen of its error
FINEST = STATIONS * _BETWEEN
_REAL = 700
_WEIGHTS_AT_MOST = 300_000  # a network that a browser still follows with the eye
_ON_THE_WAY = 24  # stations of images
_VALUES_AT_MOST = 260_000  # of images on their way, in all
_JUDGED = 600  # examples
_SIDE = 110  # squares each way, that a density is added up in

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Field:
    """A velocity field in the plane, small enough to be followed in the browser; all in the network's own units.

    Attributes:
        sizes: Values in each of the network's maps, its input first.
        frequencies: Of the time that its input holds beside the point.
        weights: Of each layer the weight, then the bias.
        paths: Where the dots are at t = 0, 1/STATIONS … 1 if the field is followed as finely as can be, ``(STATIONS + 1, DOTS, 2)``.
        real: Held-out points ``(N, 2)``.
        reach: Half of the width of the view.
        middle: The point of the data that is 0 here.
        spread: How many of the data's units one of these is.
    """

    sizes: tuple[int, ...]
    frequencies: int
    weights: Floats
    paths: Floats
    real: Floats
    reach: float
    middle: tuple[float, ...]
    spread: float


@dataclass(frozen=True, eq=False)
class OnTheWay:
    """Images between noise and data.

    Attributes:
        times: t of each station.
        images: What is there, as a share of ink from 0 to 255, ``(stations, N, C, H, W)``.
        expected: Where it is heading, x + (1 − t) v(x, t), likewise.
        detour: How long the paths are beside the straight lines between their ends, all together.
    """

    times: tuple[float, ...]
    images: NDArray[np.uint8]
    expected: NDArray[np.uint8]
    detour: float


@dataclass(frozen=True)
class Worth:
    """What so many steps of a solver are worth.

    Attributes:
        solver: Its name.
        steps: How many.
        passes: How often the network is asked for a drawn example.
        lie: Where what is drawn lies among held-out examples.
    """

    solver: str
    steps: int
    passes: int
    lie: Neighbours


@dataclass(frozen=True)
class Density:
    """What a density in the plane adds up to.

    Attributes:
        integral: Over a rectangle that holds nearly all.
        inside: The share of drawn points that lie there.
        nats: The mean of −log p of held-out points.
        points: How many of these.
        error: The mean change of log p once the solver takes twice as many steps, in nats.
    """

    integral: float
    inside: float
    nats: float
    points: int
    error: float


def sources_of(part: str) -> dict[str, Source]:
    """Models of the page's part by name: those that come with genlab, then runs of one's own, the newest first."""
    found = {name: Source(name, 0, f"{words}, comes with genlab") for name, words in SHIPPED[part].items() if pretrained_path(name)}
    return found | {source.name: source for source in sources((), by_class=True) if source.path and _is_of(part, source)}


def _is_of(part: str, source: Source) -> bool:
    ours = {entry.name for entry in entries() if entry.family == "flow_matching"}
    try:
        run = open_run(source.path)
        return run.config["model"]["name"] in ours and (run.domain.is_image if part == "images" else run.domain.shape == (2,))
    except GenlabError:
        return False


@st.cache_resource(max_entries=8, show_spinner=False)
def field_of(source: Source, seed: int) -> Field:
    """The field of a model of points in the plane, and dots that begin as noise of that seed.

    Raises:
        InputError: Its network is too large for a browser.
    """
    import torch

    model = model_of(source)
    layers = list(model.network.layers)
    if model.parameter_count() > _WEIGHTS_AT_MOST:
        raise InputError(
            f"network must have at most {_WEIGHTS_AT_MOST:,} weights to be followed in a browser; this one has {model.parameter_count():,}"
        )
    with SAMPLING_SLOT, torch.no_grad():
        stations = list(model.paths(model.noise(DOTS, seed), steps=FINEST, solver="rk4"))[::_BETWEEN]
        real = model.as_seen(held_out(source)[0][:_REAL], np.random.default_rng(0))
    paths = torch.stack(stations).numpy()
    return Field(
        sizes=(layers[0].in_features, *(layer.out_features for layer in layers)),
        frequencies=model.network.frequencies,
        weights=np.concatenate([parameter.detach().numpy().ravel() for layer in layers for parameter in layer.parameters()]),
        paths=paths,
        real=real.numpy(),
        reach=float(max(3.0, 1.1 * np.abs(paths[-1]).max())),
        middle=model.settings.middle or (0.0, 0.0),
        spread=model.settings.spread,
    )


@st.cache_data(max_entries=16, show_spinner=False)
def on_the_way(source: Source, seed: int, count: int) -> OnTheWay:
    """That many images from noise to data, as the field leads them."""
    import torch

    model = model_of(source)
    count = max(1, min(count, _VALUES_AT_MOST // (2 * (_ON_THE_WAY + 1) * model.domain.size)))
    times = tuple(station / _ON_THE_WAY for station in range(_ON_THE_WAY + 1))
    labels = torch.arange(count) % model.classes if model.classes else None
    with SAMPLING_SLOT, torch.no_grad():
        seen = list(model.paths(model.noise(count, seed), steps=_ON_THE_WAY, solver="midpoint", labels=labels))
        now = [torch.full((count,), time) for time in times]
        expected = [x + (1 - t[0]) * model.velocity(x, t, labels) for x, t in zip(seen, now, strict=True)]
    ways = sum(_apart(before, after) for before, after in pairwise(seen))
    detour = ways / _apart(seen[0], seen[-1])
    return OnTheWay(times, _ink(torch.stack(seen).numpy()), _ink(torch.stack(expected).numpy()), detour)


@st.cache_data(max_entries=32, show_spinner=False)
def drawn_in(source: Source, steps: int, solver: str, seed: int, count: int) -> NDArray[Any]:
    """Examples drawn in that many steps; the noise is the seed's, whatever the steps, and classes follow each other in turn."""
    from genlab.sampling import sample

    model = model_of(source)
    told = {"labels": np.arange(count) % model.classes} if model.classes else {}
    with SAMPLING_SLOT:
        return sample(model, count, seed=seed, steps=steps, solver=solver, **told)


@st.cache_data(max_entries=8, show_spinner=False)
def worth_of_steps(source: Source, seed: int) -> list[Worth]:
    """Every solver at every number of steps that asks the network no more than `PASSES_AT_MOST` times, in order of the passes."""
    model, real = model_of(source), held_out(source)[0]
    space = usual_space(model.domain)
    real = real[:_JUDGED]
    rows, found = in_space(real, model.domain, space), []
    for solver, (nodes, _) in SOLVERS.items() if space == "coordinates" else [("euler", SOLVERS["euler"])]:
        for steps in (count for count in COUNTS if count * len(nodes) <= PASSES_AT_MOST):
            drawn = drawn_in(source, steps, solver, seed, len(real))
            found.append(
                Worth(solver, steps, steps * len(nodes), compared(rows, in_space(drawn, model.domain, space), space=space, seed=seed))
            )
    return found


@st.cache_data(max_entries=8, show_spinner=False)
def density_of(source: Source) -> Density:
    """The density of a model of points in the plane, added up, and what it says of held-out points."""
    import torch

    model, points = model_of(source), held_out(source)[0][:_JUDGED]
    drawn = drawn_in(source, 64, "rk4", 0, 2_000)
    low, high = np.quantile(drawn, [0.001, 0.999], axis=0)
    low, high = low - 0.25 * (high - low), high + 0.25 * (high - low)
    axes = [low[axis] + (np.arange(_SIDE) + 0.5) * (high[axis] - low[axis]) / _SIDE for axis in range(2)]
    middles = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2).astype(np.float32)
    with SAMPLING_SLOT, torch.no_grad():
        sums = [float(model.log_prob(middles[start : start + _SIDE * 10]).exp().sum()) for start in range(0, len(middles), _SIDE * 10)]
        nats, error = -model.log_prob(points), model.solver_error(points)
    return Density(
        integral=math.fsum(sums) * float(np.prod((high - low) / _SIDE)),
        inside=float(((drawn > low) & (drawn < high)).all(1).mean()),
        nats=float(nats.mean()),
        points=len(points),
        error=float(error.mean()),
    )


def histogram(points: NDArray[Any], reach: float, middle: tuple[float, ...], side: int = 64) -> NDArray[np.uint8]:
    """Where points lie, as an image of 256 levels, ``(1, side, side)``, rows from the top; √ of their number, so that few are seen too."""
    edges = [np.linspace(middle[axis] - reach, middle[axis] + reach, side + 1) for axis in range(2)]
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=edges)[0].T[::-1]
    shade: NDArray[np.uint8] = (
        255 * np.sqrt((counts / max(1.0, np.quantile(counts[counts > 0], 0.9) if counts.any() else 1.0)).clip(0, 1))
    ).astype(np.uint8)
    return shade[None]


def _apart(ours: Any, theirs: Any) -> float:
    """The mean distance of examples from where they are later."""
    return float((theirs - ours).flatten(1).norm(dim=1).mean())


def _ink(seen: NDArray[Any]) -> NDArray[np.uint8]:
    """−1 … 1 as 0 … 255; what is beyond is the nearest."""
    levels: NDArray[np.uint8] = (255 * ((seen + 1) / 2).clip(0, 1)).round().astype(np.uint8)
    return levels
