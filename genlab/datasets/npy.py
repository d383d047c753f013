r"""One array in NumPy's format: its header is believed only as far as the file's size bears it out. No pickle.

The format: ``\x93NUMPY``, a version, the length of the header, the header (a Python literal: type, order, shape), then the values.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from genlab.errors import InputError

MAGIC = b"\x93NUMPY"


@dataclass(frozen=True)
class Header:
    """What comes before the values.

    Attributes:
        shape: Of the array.
        dtype: Of its values.
        fortran: Whether the first axis runs fastest.
        length: Bytes of the header itself.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    length: int

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], what: str) -> Header:
    """The header of an array; `file` then stands at the first value.

    Raises:
        InputError: It is no array of NumPy's, torn, or one of Python objects.
    """
    counted = _Counted(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of old spellings of types
            version = npy_format.read_magic(counted)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"its format is of version {version[0]}.{version[1]}")
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, fortran, dtype = read(counted)
    except Exception as error:  # a torn literal ends in whatever the parser stumbles over: TokenError, RecursionError, TypeError, ...
        raise InputError(f"{what} cannot be read: {error}") from error
    if dtype.hasobject:
        raise InputError(f"{what} cannot be read: Object arrays cannot be loaded, since they can run code")
    if any(type(side) is not int or side < 0 for side in shape):
        raise InputError(f"{what} cannot be read: its header says shape {shape}")
    return Header(shape, dtype, fortran, counted.read_so_far)


def read_values(file: IO[bytes], header: Header, what: str) -> NDArray[Any]:
    """The array after its header; `file` must hold its values and nothing else.

    Raises:
        InputError: There are fewer values than the header says, or more.
    """
    size = header.size
    values = file.read(size)
    if len(values) < size or file.read(1):
        found = f"only {len(values)}" if len(values) < size else "more"
        raise InputError(f"{what} cannot be read: its header says {size} bytes of values; it has {found}")
    if not size:
        return np.zeros(header.shape, header.dtype)
    array: NDArray[Any] = np.frombuffer(values, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    return array


class _Counted:
    """A file of which somebody counts what is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.read_so_far = 0

    def read(self, amount: int = -1, /) -> bytes:
        content = self.file.read(amount)
        self.read_so_far += len(content)
        return content
