"""What is computed and painted in a browser, whoever shows it: the dashboard's components, and hand-outs that need no server.

A script knows nothing of who shows it: it is given a root to paint in, data, and colours as the custom properties ``--st-…`` of a style.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent


class Encoded(str):
    """An array's bytes as text, and what they are.

    Attributes:
        kind: NumPy's short name of the type, such as ``"<f4"``.
        shape: Of the array.
    """

    kind: str
    shape: tuple[int, ...]


def base64(array: NDArray[Any]) -> Encoded:
    """The array's bytes, for one of JavaScript's typed arrays."""
    text = Encoded(b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii"))
    text.kind, text.shape = array.dtype.str, array.shape
    return text
