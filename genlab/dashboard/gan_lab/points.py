"""The library's point sets as the 2-D GAN lab shows them: moved and scaled, both axes alike, so that they reach from −1 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components import base64
from genlab.dashboard.gan_lab.settings import BY_NAME, DRAWN

_COUNT = 2000  # points of each, of the training's 100,000


@dataclass(frozen=True)
class PointSet:
    """Points in the plane.

    Attributes:
        values: float32 ``(N, 2)``.
        centres: Of the modes, float32 ``(modes, 2)``, or None where there are none.
        sigma: The standard deviation around each of them, or None.
    """

    values: NDArray[np.float32]
    centres: NDArray[np.float32] | None
    sigma: float | None

    def as_data(self) -> dict[str, Any]:
        """For the browser."""
        centres = None if self.centres is None else [round(float(value), 6) for value in self.centres.ravel()]
        return {"values": base64(self.values.astype("<f4")), "centres": centres, "sigma": self.sigma}


@st.cache_resource(show_spinner=False)
def point_sets() -> dict[str, PointSet]:
    """Each set that can be chosen, by name."""
    return {str(name): _scaled(str(name)) for name in BY_NAME["data"].options or () if name != DRAWN}


def _scaled(name: str) -> PointSet:
    from genlab.datasets import load_dataset

    data = load_dataset(name)
    values = data.train.images[:_COUNT].astype(np.float64)
    corners = values if data.centres is None else data.centres.astype(np.float64)
    least, most = corners.min(0), corners.max(0)
    middle, half = (least + most) / 2, float((most - least).max() / 2)
    centres = None if data.centres is None else ((data.centres - middle) / half).astype(np.float32)
    return PointSet(((values - middle) / half).astype(np.float32), centres, None if data.sigma is None else data.sigma / half)
