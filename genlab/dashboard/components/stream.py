"""The stream: a plane of noise that a velocity field carries to data, in as many steps of a solver as the visitor chooses."""

from __future__ import annotations

from genlab.dashboard.components import base64, component
from genlab.dashboard.stage.matching import COUNTS, PASSES_AT_MOST, Field
from genlab.models.continuous.solver import SOLVERS

_mount = component("stream", family="slanted", styles=["plane.css"], scripts=["player.js", "velocity.js"])


def stream(field: Field, *, identity: str, key: str) -> None:
    """Show the field.

    Args:
        field: Its network, and where the dots begin.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
        key: Of this component among those of the page.
    """
    data = {
        "id": identity,
        "sizes": field.sizes,
        "frequencies": field.frequencies,
        "weights": base64(field.weights.astype("<f4")),
        "stations": len(field.paths) - 1,
        "paths": base64(field.paths.astype("<f4")),
        "real": base64(field.real.astype("<f4")),
        "reach": field.reach,
        "middle": field.middle,
        "spread": field.spread,
        "solvers": {name: {"nodes": solver.nodes, "weights": solver.weights} for name, solver in SOLVERS.items()},
        "counts": COUNTS,
        "most": PASSES_AT_MOST,
    }
    _mount(data=data, key=key)
