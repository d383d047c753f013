"""``genlab bench toy-gan``: the lecture's toy GAN, one run (latency) and many runs (throughput): two tables, two claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from genlab.benchmark.table import Agreement, Array, Arrays, Case, CaseResult, Check, Contender, Figure, Settings, Side, Table
from genlab.kernels import KERNELS
from genlab.kernels.toy_gan import D_BIAS, D_WEIGHTS, G_BIAS, G_WEIGHTS, PIXELS
from genlab.kernels.toy_gan_ensemble import uniforms

ABOUT = """\
The toy GAN of 2×2 pictures, five faces, from the same weights with the same draws.
- one run, a step after the other, in float64: native; pure Python over lists of floats; NumPy as a notebook writes it; torch eager,
  whose gradients come from autograd. This is latency: a step waits for the one before, and one core does it all.
- many runs, each with a learning rate and draws of its own, in float32: native over vector lanes and threads; NumPy and torch over all
  runs at once, step by step. NumPy gets its draws ready-made; native computes them, as torch's side does by NumPy. This is throughput.
  'one native run' stands beside it to be compared in steps per second.
Deviations are max |state − truth| / (1 + |truth|), the truth by NumPy in float64."""

NATIVE = "native"
PYTHON = "pure Python"
NUMPY = "NumPy loops"
TORCH = "torch eager"
NATIVE_MANY = "native, many runs"
NUMPY_MANY = "NumPy over all runs"
TORCH_MANY = "torch over all runs"
ONE_RUN = "one native run"

# Of the run that is a yardstick for many: the lecture's thousand epochs of five faces.
ONE_RUN_STEPS = 5000


def cases(quick: bool) -> tuple[Case, ...]:
    """One run of the lecture's length, and many; the quick ones are shorter and fewer."""
    return (one_run(500), many_runs(960, 100)) if quick else (one_run(ONE_RUN_STEPS), many_runs(9600, 500))


def one_run(steps: int) -> Case:
    """One run of so many steps."""
    return Case(f"one run of {steps:,} steps", {"steps": steps}, (NATIVE, PYTHON, NUMPY, TORCH))


def many_runs(runs: int, steps: int) -> Case:
    """So many runs of so many steps."""
    settings = {"runs": runs, "steps": steps}
    return Case(f"{runs:,} runs of {steps:,} steps", settings, (NATIVE_MANY, NUMPY_MANY, TORCH_MANY, ONE_RUN))


# --- sides -----------------------------------------------------------------------------------------------------------------------


def run_contender(variant: str, *, steps: int) -> Contender:
    """One run by a variant of the kernel's own table."""
    train, arguments = KERNELS["toy_gan"].variants[variant], run_arguments(steps)
    return Contender(lambda: {"run": train(*arguments)[0][-1]}, lambda: train(*arguments))


def run_arguments(steps: int) -> tuple[Array, Array, Array, float, bool, int]:
    """Arguments of one run, the same in every process."""
    arguments: tuple[Array, Array, Array, float, bool, int] = KERNELS["toy_gan"].example(np.random.default_rng(0), "float64", steps=steps)
    return arguments


def one_run_contender(*, runs: int, steps: int) -> Contender:
    """One native run, whatever the case."""
    return run_contender("native", steps=ONE_RUN_STEPS)


def many_contender(variant: str, *, runs: int, steps: int) -> Contender:
    """Many runs by a variant of the kernel's own table."""
    advance, arguments = KERNELS["toy_gan_ensemble"].variants[variant], many_arguments(runs, steps)
    return Contender(lambda: {"runs": advance(*arguments)}, lambda: advance(*arguments))


def many_arguments(runs: int, steps: int) -> tuple[Array, Array, Array, Array, bool, int, int]:
    """Arguments of many runs, the same in every process."""
    example = KERNELS["toy_gan_ensemble"].example
    arguments: tuple[Array, Array, Array, Array, bool, int, int] = example(np.random.default_rng(0), "float32", runs=runs, steps=steps)
    return arguments


def numpy_many_contender(*, runs: int, steps: int) -> Contender:
    """Many runs in NumPy, written for speed: float32, in place, and a sigmoid that may overflow."""
    state, keys, faces, rate, _, first_step, _ = many_arguments(runs, steps)
    z = uniforms(keys, first_step + np.arange(steps))
    faces = faces.astype(np.float32)

    def advance() -> Array:
        with np.errstate(over="ignore"):
            return numpy_steps(state.copy(), faces, rate, z)

    return Contender(lambda: {"runs": advance()}, advance)


def numpy_steps(state: Array, faces: Array, rate: Array, z: Array) -> Array:
    """The steps of runs (13, runs) with draws z (steps, runs), in place."""
    w, b, v, c = state[D_WEIGHTS], state[D_BIAS], state[G_WEIGHTS], state[G_BIAS]
    x, product = np.empty_like(w), np.empty_like(w)
    for step, draw in enumerate(z):
        face = faces[step % len(faces)]
        move = rate / (1 + np.exp(face @ w + b))  # lr·(1 − p)
        for pixel in range(PIXELS):
            w[pixel] += move * face[pixel]
        b += move

        np.multiply(v, draw, out=x)
        x += c
        np.negative(x, out=x)
        np.exp(x, out=x)
        x += 1
        np.reciprocal(x, out=x)
        move = rate / (1 + np.exp(-(np.multiply(w, x, out=product).sum(axis=0) + b)))  # lr·q
        w -= np.multiply(move, x, out=product)
        b -= move

        np.multiply(w, x, out=product)
        move = rate / (1 + np.exp(product.sum(axis=0) + b))  # lr·(1 − y)
        np.subtract(1, x, out=x)
        product *= x
        product *= move
        c += product
        product *= draw
        v += product
    return state


SIDES = {
    NATIVE: Side("genlab", partial(run_contender, "native"), role="native"),
    PYTHON: Side("Python", partial(run_contender, "python")),
    NUMPY: Side("NumPy", partial(run_contender, "reference")),
    TORCH: Side("torch", partial(run_contender, "torch")),
    NATIVE_MANY: Side("genlab", partial(many_contender, "native"), role="native"),
    NUMPY_MANY: Side("NumPy", numpy_many_contender),
    TORCH_MANY: Side("torch", partial(many_contender, "torch")),
    ONE_RUN: Side("genlab", one_run_contender, role="context"),
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """The state after the last step against NumPy in float64."""
    many = "runs" in settings
    truths = {"run": KERNELS["toy_gan"].reference(*run_arguments(ONE_RUN_STEPS if many else settings["steps"]))[0][-1]}
    tolerances = {"run": KERNELS["toy_gan"].tolerance["float64"] * float(np.finfo(np.float64).eps)}
    if many:
        state, *others = many_arguments(**settings)
        truths["runs"] = KERNELS["toy_gan_ensemble"].reference(state.astype(np.float64), *others)
        tolerances["runs"] = KERNELS["toy_gan_ensemble"].tolerance["float32"] * float(np.finfo(np.float32).eps)

    def agreements(outputs: Arrays) -> list[Agreement]:
        return [
            Agreement("state", float((np.abs(state - truths[name]) / (1 + np.abs(truths[name]))).max()), tolerances[name])
            for name, state in outputs.items()
        ]

    return agreements


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Rates in steps per second, and what they are multiples of."""
    found = []
    for result in results:
        settings = result.case.settings
        many = "runs" in settings
        rate = settings["steps"] * settings.get("runs", 1) / result.native.median
        if not many:
            found += [
                Figure("steps_per_second", rate, "steps per second, one native run"),
                *(
                    Figure(f"over_{key}", result.ratio(result[side]), f"{side} / native, one run")
                    for key, side in (("python", PYTHON), ("numpy", NUMPY), ("torch", TORCH))
                ),
            ]
        else:
            single = ONE_RUN_STEPS / result[ONE_RUN].median if ONE_RUN in result.case.sides else math.nan
            found += [
                Figure("seed_steps_per_second", rate, "steps per second, many native runs together"),
                Figure("many_over_one_run", rate / single, "steps per second of many native runs / of one"),
                Figure("many_over_numpy", result.ratio(result[NUMPY_MANY]), f"{NUMPY_MANY} / native, many runs"),
                Figure("many_over_torch", result.ratio(result[TORCH_MANY]), f"{TORCH_MANY} / native, many runs"),
            ]
    return found


TABLE = Table("toy-gan", __name__, ABOUT, SIDES, cases, check, figures)
