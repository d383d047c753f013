"""The warp: a plane of noise that the layers of a flow bend into data, scrubbed; a point is asked for its numbers."""

from __future__ import annotations

import numpy as np

from genlab.dashboard.components import base64, component
from genlab.dashboard.stage.flows import Plane

_mount = component("warp", family="slanted", styles=["plane.css"], scripts=["player.js"])


def warp(plane: Plane, *, identity: str, key: str) -> None:
    """Show the plane.

    Args:
        plane: At every station, in views from −1 to 1.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
        key: Of this component among those of the page.
    """
    # √ of the share of a high density, so that what is a tenth as likely is still seen.
    high = np.quantile(plane.density.reshape(plane.stations, -1), 0.997, axis=1)[:, None, None]
    shade = np.sqrt((plane.density / np.maximum(high, 1e-30)).clip(0, 1))
    data = {
        "id": identity,
        "stations": plane.stations,
        "side": plane.density.shape[-1],
        "along": plane.lines.shape[2],
        "lines": base64(plane.lines.astype("<f4")),
        "dots": base64(plane.dots.astype("<f4")),
        "shade": base64((255 * shade).round().astype(np.uint8)),
        "nodes": base64(plane.nodes.astype("<f4")),
        "log_dets": base64(plane.log_dets.astype("<f4")),
        "centres": plane.centres.tolist(),
        "scales": plane.scales.tolist(),
        "turns": plane.turns.tolist(),
        "temperature": plane.temperature,
    }
    _mount(data=data, key=key)
