"""``genlab bench roofline``: what this machine can do at most, by code that does nothing else.

Share of the peak in other tables is measured against the same code, in the same rounds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from genlab.benchmark.table import Agreement, Arrays, Case, CaseResult, Check, Contender, Figure, Settings, Side, Table
from genlab.native import core, native_info

ABOUT = """\
The roofs. Arithmetic: multiply-adds on registers alone, twelve sums at once, in float32 and with the bfloat16 dot product; beside
them n×n matrix products in float32 by OpenBLAS through NumPy and by torch. Reading: the sum of an array that every thread has its
share of, over and over, from arrays that fit each level of a common memory hierarchy; beside it torch's sum of the largest."""

PEAK = "peak, float32 multiply-adds"
PEAK_BFLOAT16 = "peak, bfloat16 dot products"
PEAK_MATRIX = "peak, bfloat16 matrix unit"
ONE_THREAD = ", one thread"
ROUNDS = 1 << 22
MATRIX_ROUNDS = 1 << 18
MATRIX_SIZES = (512, 1024, 2048)
# KiB for each thread: within a first-level cache, a second-level one, a share of the third, and beyond all of them.
READ_SIZES = (16, 512, 4096, 131072)
READ_BYTES = 1 << 29
LARGEST = READ_SIZES[-1]


def cases(quick: bool) -> tuple[Case, ...]:
    """Arithmetic and reading; both take a second or two."""
    sizes = MATRIX_SIZES[:2] if quick else MATRIX_SIZES
    products = [f"{size}×{size} matrix product, {library}" for library, size in itertools.product(("NumPy", "torch"), sizes)]
    readings = [f"read {size} KiB a thread" for size in READ_SIZES]
    return (
        Case("arithmetic", {"kind": "arithmetic"}, (PEAK, *peaks_beside(), PEAK + ONE_THREAD, *products)),
        Case("reading", {"kind": "reading"}, (readings[-1], *readings[:-1], readings[-1] + ONE_THREAD, "torch sum")),
    )


def peaks_beside() -> tuple[str, ...]:
    """The peaks of bfloat16 that the processor has."""
    found = [PEAK_BFLOAT16] if "bfloat16" in native_info()["dtypes"] else []
    return (*found, PEAK_MATRIX) if core().roofline_matrix_products(1)[0] else tuple(found)


def notes() -> list[str]:
    """What this processor lacks."""
    return [] if peaks_beside() else ["This processor has no bfloat16 dot product: nothing in bfloat16 is timed."]


# --- sides -----------------------------------------------------------------------------------------------------------------------


def peak_contender(bfloat16: bool, **_: Any) -> Contender:
    """Multiply-adds on registers alone, on all threads."""

    def run() -> tuple[float, float]:
        values: tuple[float, float] = core().roofline_multiply_adds(ROUNDS, bfloat16)
        return values

    return Contender(lambda: {"result": np.array(run()[1] / (ROUNDS if bfloat16 else 1))}, run)


def matrix_unit_contender(**_: Any) -> Contender:
    """Matrix products of bfloat16 on the processor's matrix unit, on all threads."""

    def run() -> tuple[float, float]:
        values: tuple[float, float] = core().roofline_matrix_products(MATRIX_ROUNDS)
        return values

    return Contender(lambda: {"result": np.array(run()[1] / (16 * MATRIX_ROUNDS))}, run)


def read_contender(kibibytes: int, **_: Any) -> Contender:
    """Sums an array of ones of so many KiB a thread, often enough for a turn."""
    native = core()
    array = np.ones(native.info()["threads"] * kibibytes * 256, np.float32)
    passes = max(1, READ_BYTES // array.nbytes)

    def run() -> float:
        total: float = native.roofline_read(array, passes)
        return total

    return Contender(lambda: {"result": np.array(2 * run() / (array.size * passes))}, run)


def torch_sum_contender(**_: Any) -> Contender:
    """torch.sum of as much memory as `read_contender` reads from beyond the caches."""
    import torch

    array = torch.ones(torch.get_num_threads() * LARGEST * 256)
    return Contender(lambda: {"result": 2 * array.sum().numpy() / len(array)}, array.sum)


def matrix_contender(library: str, size: int, **_: Any) -> Contender:
    """A product of square matrices, the computation that libraries tune most."""
    a, b, c = np.random.default_rng(0).standard_normal((3, size, size), dtype=np.float32)
    if library == "NumPy":
        return Contender(lambda: {}, lambda: np.matmul(a, b, out=c))
    import torch

    first, second, product = (torch.from_numpy(matrix) for matrix in (a, b, c))
    return Contender(lambda: {}, lambda: torch.mm(first, second, out=product))


PEAKS = {
    PEAK: Side("genlab", partial(peak_contender, False), role="context"),
    PEAK_BFLOAT16: Side("genlab", partial(peak_contender, True), role="context"),
    PEAK_MATRIX: Side("genlab", matrix_unit_contender, role="context"),
}
_READ = {f"read {size} KiB a thread": Side("genlab", partial(read_contender, size), role="context") for size in READ_SIZES}
_SLOWEST = f"read {LARGEST} KiB a thread"

SIDES = {
    **PEAKS,
    PEAK: Side("genlab", partial(peak_contender, False), role="native"),
    PEAK + ONE_THREAD: Side("genlab, one thread", partial(peak_contender, False), role="context", threads=1),
    **{
        f"{size}×{size} matrix product, {library}": Side(library, partial(matrix_contender, library, size), role="context")
        for library, size in itertools.product(("NumPy", "torch"), MATRIX_SIZES)
    },
    **_READ,
    _SLOWEST: Side("genlab", partial(read_contender, LARGEST), role="native"),
    _SLOWEST + ONE_THREAD: Side("genlab, one thread", partial(read_contender, LARGEST), role="context", threads=1),
    "torch sum": Side("torch", torch_sum_contender, role="context"),
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Every register holds what its rounds make of it, every sum what was read: 2 in the units that sides report."""

    def agreements(outputs: Arrays) -> list[Agreement]:
        return [Agreement("result", abs(float(value) - 2), 1e-6) for value in outputs.values()]

    return agreements


def operations(peak: str) -> float:
    """Operations of one run of a peak on all threads."""
    if peak == PEAK_MATRIX:
        return float(core().roofline_matrix_products(1)[0]) * MATRIX_ROUNDS
    return float(core().roofline_multiply_adds(1, peak == PEAK_BFLOAT16)[0]) * ROUNDS


def peak_rate(result: CaseResult, bfloat16: bool = False) -> float:
    """Operations a second of the peak in its fastest round of a case, which no disturbance can make too low; NaN if it was not measured.

    Of bfloat16 it is the faster of dot products and matrix unit.
    """
    names = (PEAK_BFLOAT16, PEAK_MATRIX) if bfloat16 else (PEAK,)
    return max((operations(name) / result[name].minimum for name in names if name in result), default=math.nan)


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Billions a second."""
    found = []
    threads = core().info()["threads"]
    for result in results:
        if result.case.settings["kind"] == "arithmetic":
            one = operations(PEAK) / threads / result[PEAK + ONE_THREAD].median
            products = [
                2 * int(side.side.split("×")[0]) ** 3 / side.median
                for side in result.sides
                if "matrix product" in side.side and side.seconds
            ]
            found += [
                Figure("peak_gigaflops", peak_rate(result) / 1e9, "billions of float32 operations a second, peak"),
                Figure("peak_gigaflops_one_thread", one / 1e9, "the same on one thread"),
                Figure("peak_bfloat16_gigaflops", peak_rate(result, True) / 1e9, "billions of bfloat16 operations a second, peak"),
                Figure(
                    "matrix_gigaflops", max(products, default=math.nan) / 1e9, "billions of operations a second, fastest matrix product"
                ),
            ]
            continue
        for size in READ_SIZES:
            array = threads * size * 1024
            read = array * max(1, READ_BYTES // array)
            rate = read / result[f"read {size} KiB a thread"].median
            found.append(Figure(f"read_{size}_gigabytes", rate / 1e9, f"GB read a second, {size} KiB a thread"))
    return found


TABLE = Table("roofline", __name__, ABOUT, SIDES, cases, check, figures, notes=notes)
