"""Named tensors and a JSON header as one safetensors file, compared as a whole before anything is returned. torch loads on first use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.errors import RunError
from genlab.runs.files import write_aside
from genlab.runs.reader import FORMAT, check_format

if TYPE_CHECKING:
    from torch import Tensor


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write named tensors and a JSON header as one safetensors file.

    Raises:
        RunError: As for :func:`write_aside`.
    """
    from safetensors.torch import save

    content = save(dict(tensors), metadata={"genlab": json.dumps({"format": FORMAT, **header})})
    write_aside(path, content)


def read_tensors(path: Path, expected: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors named by `expected` out of a file of :func:`save_tensors`, and its header.

    Everything is compared before anything is returned: each group of names (what stands before the first ``/``) must hold the
    expected names and no others, of the expected shapes and dtypes.

    Raises:
        RunError: The file is missing, torn, of another format or fits another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = read_header(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} could not be read: {error}") from None
    groups = {name.split("/", 1)[0] for name in expected}
    _compare_tensors(path, {name: tensor for name, tensor in tensors.items() if name.split("/", 1)[0] in groups}, expected)
    return {name: tensors[name] for name in expected}, header


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a file of :func:`save_tensors`; of a checkpoint ``{"format", "model", "step", "epoch", "seconds", ...}``.

    Raises:
        RunError: The file is missing, torn, or not of this format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("genlab", "null"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{path} is torn or not a safetensors file: {error}") from None
    check_format(path, header)
    return dict(header)


def _compare_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose names, shapes or dtypes are not the expected ones."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise RunError(f"{path} does not fit the model: it lacks the tensor {name!r}")
        if name not in expected:
            raise RunError(f"{path} does not fit the model: it has a tensor {name!r} that the model has not")
        for what in ("shape", "dtype"):
            have, want = getattr(found[name], what), getattr(expected[name], what)
            if have != want:
                have, want = (str(tuple(have)), str(tuple(want))) if what == "shape" else (have, want)
                raise RunError(f"{path} does not fit the model: {name!r} has {what} {have}, the model's has {want}")
