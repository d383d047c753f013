"""The kernels, one file each, and the table from which their tests and benchmarks are generated.

A kernel is a family with one stem: the C++ source, its binding, and here the NumPy ``reference`` (the truth, in float64), the
``torch`` twin and the ``native`` call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.kernels import sigmoid_neuron as neuron_kernel
from genlab.kernels import toy_gan, toy_gan_ensemble
from genlab.kernels.masked_conv2d import (
    BACKWARD,
    FORWARD,
    channel_mask,
    example,
    example_backward,
    mask_2d,
    masked_conv2d,
    masked_conv2d_backward,
)
from genlab.kernels.sigmoid_neuron import sigmoid_neuron, sigmoid_neuron_backward

__all__ = [
    "KERNELS",
    "Kernel",
    "channel_mask",
    "mask_2d",
    "masked_conv2d",
    "masked_conv2d_backward",
    "sigmoid_neuron",
    "sigmoid_neuron_backward",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Kernel:
    """One computation in several variants that agree to rounding.

    All variants take the same arguments, already checked; `example` draws them.

    Attributes:
        name: The stem, as in ``git ls-files '*name*'``.
        variants: ``"reference"``, ``"torch"`` and ``"native"``, and for some ``"python"``: lists and floats. The native one comes in
            as many instruction sets as ``genlab.native_info()["isas"]`` lists; ``GENLAB_ISA`` chooses among them before the first import.
        tolerance: By dtype, the largest `error` at which two variants agree.
        domain: The values for which they agree.
        example: ``example(rng, dtype, **sizes)`` draws arguments; one case serves for correctness and for speed.
        rounding: ``rounding(*arguments)`` tells, for each output, the rounding to expect in units of the dtype's precision; None for
            sums of products, see `error`.
    """

    name: str
    variants: Mapping[str, Callable[..., Any]]
    tolerance: Mapping[str, float]
    domain: str
    example: Callable[..., tuple[Any, ...]]
    rounding: Callable[..., tuple[Array, ...]] | None = None

    @property
    def reference(self) -> Callable[..., Any]:
        """The truth: plain NumPy, summed in float64."""
        return self.variants["reference"]

    @property
    def torch(self) -> Callable[..., Any]:
        """What a torch user would write."""
        return self.variants["torch"]

    @property
    def native(self) -> Callable[..., Any]:
        """The call into the compiled extension."""
        return self.variants["native"]

    def error(self, result: Any, *arguments: Any) -> float:
        """How far `result` lies from the truth, in units of the rounding that it must expect.

            error = max |result - kernel(arguments)| / (eps · rounding(arguments))
                    with rounding = √kernel(1) · kernel(|arguments|) for a kernel that names none

        Every output of such a kernel is a sum of products. In any order, K terms t are summed to within λ · eps / 2 · √K · Σ|t| but
        for a probability of 2 exp(-λ² / 2) (Higham and Mary 2019). The kernel itself tells both: K is what it makes of ones, Σ|t|
        what it makes of magnitudes. Small differences of large terms do not upset this measure, as they would a relative
        error; a single wrong term does.

        Args:
            result: An array, or a tuple of arrays and None, as a variant returned it.
            arguments: What the variant was given.

        Returns:
            The error of the worst element, 0 if there is none; to be compared with ``tolerance[dtype]``.
        """
        exact = self._in_float64(_as_float64, arguments)
        if self.rounding is not None:
            expected: tuple[Any, ...] = self.rounding(*(_map_floats(argument, _as_float64) for argument in arguments))
        else:
            magnitudes, terms = self._in_float64(_magnitude, arguments), self._in_float64(_ones, arguments)
            expected = tuple(None if k is None else np.sqrt(k) * size for k, size in zip(terms, magnitudes, strict=True))
        outputs = zip(_as_tuple(result), exact, expected, strict=True)
        # NumPy's maximum, unlike Python's, does not pass over NaN.
        return float(np.max([_largest_error(*arrays) for arrays in outputs if arrays[0] is not None]))

    def _in_float64(self, change: Callable[[Array], Array], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The reference's outputs for arguments whose floats were changed."""
        return _as_tuple(self.reference(*(_map_floats(argument, change) for argument in arguments)))


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _map_floats(argument: Any, function: Callable[[Array], Array]) -> Any:
    """`function` of an array of floats; masks and None as they are."""
    return function(argument) if isinstance(argument, np.ndarray) and argument.dtype.kind == "f" else argument


def _as_float64(array: Array) -> Array:
    return array.astype(np.float64)


def _magnitude(array: Array) -> Array:
    return np.abs(_as_float64(array))


def _ones(array: Array) -> Array:
    return np.ones(array.shape)


def _largest_error(result: Array, exact: Array, rounding: Array) -> float:
    precision = np.finfo(result.dtype)
    # The smallest normal number stands in for magnitudes of 0, where only an exact 0 is right.
    error = np.abs(result - exact) / (precision.eps * rounding + precision.tiny)
    return float(error.max(initial=0.0))


# λ = 8 in `Kernel.error`: sums of sound kernels stay below it but for a chance of 1e-14 each. Random cases reach 1.
_SUM_OF_PRODUCTS = {"float32": 4.0, "float64": 4.0}
_FINITE = (
    "finite values whose sums stay below overflow; weights at dead taps may be anything. NaN in x reaches every output that reads it "
    "through a live tap; where a tap is dead for all channels, the reference and the native kernel do not look, torch does"
)
_NEURONS = "finite values whose sums stay below overflow"
# 1e-12 in float64, whatever the number of steps: training draws runs together again, it does not drive them apart.
_STEPS = {"float64": 1e-12 / float(np.finfo(np.float64).eps)}
# A thousand steps in float32; a run of such lengths that took one other draw, or one face out of turn, is further off by far.
_MANY_STEPS = {"float32": 1000.0}
_PICTURES = "faces and draws in [0, 1], weights and learning rates up to a million"

KERNELS: Mapping[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        Kernel("masked_conv2d", FORWARD, _SUM_OF_PRODUCTS, _FINITE, example),
        Kernel("masked_conv2d_backward", BACKWARD, _SUM_OF_PRODUCTS, _FINITE, example_backward),
        Kernel("sigmoid_neuron", neuron_kernel.FORWARD, _SUM_OF_PRODUCTS, _NEURONS, neuron_kernel.example, neuron_kernel.rounding),
        Kernel(
            "sigmoid_neuron_backward",
            neuron_kernel.BACKWARD,
            _SUM_OF_PRODUCTS,
            _NEURONS,
            neuron_kernel.example_backward,
            neuron_kernel.rounding_backward,
        ),
        Kernel("toy_gan", toy_gan.TRAIN, _STEPS, _PICTURES, toy_gan.example, toy_gan.rounding),
        Kernel("toy_gan_ensemble", toy_gan_ensemble.ADVANCE, _MANY_STEPS, _PICTURES, toy_gan_ensemble.example, toy_gan_ensemble.rounding),
    )
}
