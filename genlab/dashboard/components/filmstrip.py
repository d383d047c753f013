"""The filmstrip: how the samples of a run improve while it trains."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from genlab.dashboard.components import component

_mount = component("filmstrip")

_FRAMES = 7  # one line of them
_COLUMNS = 8  # a run's grids show 64 images


def filmstrip(run: str, files: Sequence[Path], labels: Mapping[str, str], image_shape: Sequence[int]) -> None:
    """Show the newest sample grid and some of the earlier ones, evenly spaced.

    Args:
        run: Name of the run; another one starts anew.
        files: Sample grids in PNG, oldest first.
        labels: What stands below each grid, by file name.
        image_shape: ``(C, H, W)`` of one image.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, min(len(files), _FRAMES)).round().astype(int))
    frames = [{"step": files[i].stem, "label": labels.get(files[i].name, files[i].stem), "source": _data_url(files[i])} for i in chosen]
    _mount(data={"run": run, "frames": frames, "shape": list(image_shape), "columns": _COLUMNS}, key="filmstrip")


def _data_url(file: Path) -> str:
    return f"data:image/png;base64,{b64encode(file.read_bytes()).decode('ascii')}"
