"""What the page of reversible models shows: the plane at every layer of a flow, and an image on its way to noise and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out, model_of
from genlab.errors import InputError

SIDE = 56  # the plane is looked at in so many squares each way
LINES, ALONG = 15, 65  # lines of the grid each way, and points of each
REACH = 2.6  # standard deviations of noise that the grid spans
DOTS = 400
_FITTED = 2000  # points that a view is fitted to
_ROOM = 1.15

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Plane:
    """A flow in the plane from noise (station 0) to data (the last), each station in a view of its own, from −1 to 1 each way.

    A view is turned so that its points lie as like those of the next one as can be; turning changes no area.

    Attributes:
        lines: Of a square grid in the noise, ``(stations, lines, points, 2)``.
        dots: Drawn points, ``(stations, dots, 2)``.
        density: p at the middle of each square of each view, ``(stations, SIDE, SIDE)``, rows from the top.
        nodes: The way of each square of the data's view, ``(stations, SIDE · SIDE, 2)``.
        log_dets: Log |det| from the data to each station, for each of those squares, ``(stations, SIDE · SIDE)``.
        centres: Of each view, in the station's own units, ``(stations, 2)``.
        scales: Half a view's width in those units, ``(stations,)``.
        turns: Each view's rotation or reflection, ``(stations, 2, 2)``: seen = turn · (x − centre) / scale.
        temperature: What noise was multiplied by.
    """

    lines: Floats
    dots: Floats
    density: Floats
    nodes: Floats
    log_dets: Floats
    centres: Floats
    scales: Floats
    turns: Floats
    temperature: float

    @property
    def stations(self) -> int:
        """Layers and one."""
        return len(self.scales)


@dataclass(frozen=True)
class RoundTrip:
    """An image on its way to noise and back.

    Attributes:
        stations: What is there on the way, the image first, scaled to levels from 0 to 255 each for itself, ``(stations, C, H, W)``.
        back: The image that came back, levels ``(C, H, W)``.
        off: The largest difference of a value on the way back, in levels.
        bits_per_dim: −log₂ P(x) per value at most, by the importance bound.
        log_det: Log |det ∂z/∂x| in nats.
    """

    stations: NDArray[np.uint8]
    back: NDArray[np.uint8]
    off: float
    bits_per_dim: float
    log_det: float


@st.cache_data(max_entries=16, show_spinner=False)
def plane_of(source: Source, temperature: float, seed: int) -> Plane:
    """The plane at every station of a flow.

    Raises:
        InputError: The model is not one of points in the plane.
    """
    import torch

    model = model_of(source)
    if model.domain.shape != (2,):
        raise InputError(f"model must be one of points in the plane to be looked at here; {source.name!r} is one of {model.domain}")
    noise = np.random.default_rng(seed).standard_normal((_FITTED, 2))
    with SAMPLING_SLOT, torch.no_grad():
        drawn = _back(model, noise)
        centres = drawn.mean(1)
        scales = _ROOM * np.quantile(np.abs(drawn - centres[:, None]).max(2), 0.995, axis=1)
        turns = _turns((drawn - centres[:, None]) / scales[:, None, None])
        views = [_View(*view) for view in zip(centres, scales, turns, strict=True)]
        nodes, log_dets = _forth(model, views[-1].out_of(_squares()))
        density = [_density(model, view.out_of(_squares()), station, temperature) for station, view in enumerate(views)]
        grid, dots = _back(model, _grid()), _back(model, temperature * noise[:DOTS])
    return Plane(
        lines=_seen(views, grid).reshape(len(views), -1, ALONG, 2),
        dots=_seen(views, dots),
        density=np.stack(density).reshape(len(views), SIDE, SIDE).astype(np.float32),
        nodes=_seen(views, nodes),
        log_dets=log_dets.astype(np.float32),
        centres=centres.astype(np.float32),
        scales=scales.astype(np.float32),
        turns=turns.astype(np.float32),
        temperature=temperature,
    )


@dataclass(frozen=True)
class _View:
    centre: NDArray[Any]
    scale: float
    turn: NDArray[Any]

    def into(self, points: NDArray[Any]) -> NDArray[Any]:
        """As they are seen."""
        seen: NDArray[Any] = (points - self.centre) / self.scale @ self.turn.T
        return seen

    def out_of(self, seen: NDArray[Any]) -> NDArray[Any]:
        """In the station's own units."""
        points: NDArray[Any] = self.scale * (seen @ self.turn) + self.centre
        return points


def _seen(views: list[_View], stations: NDArray[Any]) -> Floats:
    return np.stack([view.into(points) for view, points in zip(views, stations, strict=True)]).astype(np.float32)


def _turns(seen: NDArray[Any]) -> NDArray[Any]:
    """For each station the orthogonal matrix that brings its points closest to the next one's (Schönemann 1966); the data's is I."""
    turns = [np.eye(2)]
    for here, following in zip(reversed(seen[:-1]), reversed(seen[1:]), strict=True):
        left, _, right = np.linalg.svd((following @ turns[0].T).T @ here)
        turns.insert(0, left @ right)
    return np.stack(turns)


def _squares() -> NDArray[Any]:
    """The middles of a view's squares, ``(SIDE · SIDE, 2)``, rows from the top."""
    middles = (2 * np.arange(SIDE) + 1) / SIDE - 1
    x, y = np.meshgrid(middles, -middles)
    return np.stack([x, y], -1).reshape(-1, 2)


def _grid() -> NDArray[Any]:
    """Upright lines, then level ones, ``(2 · LINES · ALONG, 2)``."""
    across, along = np.linspace(-REACH, REACH, LINES), np.linspace(-REACH, REACH, ALONG)
    upright = np.stack(np.meshgrid(across, along, indexing="ij"), -1)
    return np.concatenate([upright, upright[..., ::-1]]).reshape(-1, 2)


def _back(model: Any, codes: NDArray[Any]) -> NDArray[Any]:
    """The stations of noise on its way to data, ``(stations, N, 2)``."""
    return np.stack([station.double().numpy() for station in model.path_back(codes)])


def _forth(model: Any, points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The stations of data on its way to noise, and log |det| from the data, both with the noise first."""
    stations = [(station.double().numpy(), log_det.double().numpy()) for station, log_det in model.path(points)]
    found = [np.stack(each) for each in zip(*reversed(stations), strict=True)]
    return found[0], found[1]


def _density(model: Any, points: NDArray[Any], station: int, temperature: float) -> NDArray[Any]:
    """P of points at a station, ``(N,)``: that of the noise that the layers between lead to, times |det|."""
    import torch

    values = torch.from_numpy(points).float()[:, :, None, None]
    layers = list(model.body.scales[0])
    total = torch.zeros(())
    for layer in layers[len(layers) - station :]:
        values, log_det = layer(values)
        total = total + log_det
    z = values[:, :, 0, 0].double() / temperature
    log_density = total - 0.5 * z.square().sum(1) - math.log(2 * math.pi) - 2 * math.log(temperature)
    density: NDArray[Any] = log_density.exp().numpy()
    return density


@st.cache_data(max_entries=64, show_spinner=False)
def round_trip(source: Source, number: int) -> RoundTrip:
    """That test image through all layers and back, every value in the middle of its level."""
    import torch

    from genlab.domain import Batch
    from genlab.models.contract import Compute

    model, image = model_of(source), held_out(source)[0][number : number + 1]
    with SAMPLING_SLOT, torch.no_grad():
        values = torch.from_numpy(image).float() + 0.5
        path = list(model.path(values))
        codes, log_det = path[-1]
        off = float((model.inverse(codes) - values).abs().max())
        back = model.decode(codes)[0].numpy()
        nats = -float(model.importance_bound(Batch(image), 16, Compute(key=(0,))))
    stations = np.stack([_as_picture(station[0].numpy()) for station, _ in path])
    return RoundTrip(stations, back, off, nats / (math.log(2) * image.size), float(log_det))


@st.cache_data(max_entries=32, show_spinner=False)
def drawn_at(source: Source, temperature: float, seed: int, n: int) -> NDArray[np.uint8]:
    """Images from noise multiplied by a temperature; the same noise at every temperature."""
    with SAMPLING_SLOT:
        images: NDArray[np.uint8] = model_of(source).sample(n, seed, {"temperature": temperature})
    return images


def _as_picture(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Real values as levels from 0 to 255, from the least to the largest."""
    least, largest = np.quantile(values, [0.01, 0.99])
    share = (values - least) / max(float(largest - least), 1e-9)
    picture: NDArray[np.uint8] = (255 * share.clip(0, 1)).round().astype(np.uint8)
    return picture
