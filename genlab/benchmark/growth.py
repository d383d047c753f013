"""``genlab bench growth``: how the cost of a training step and of a draw grows with the image, the network and the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genlab.benchmark import roofline, sampling, training
from genlab.benchmark.examples import YARDSTICK, random_model
from genlab.benchmark.table import Case, CaseResult, Figure, Settings

TRAINING_ABOUT = """\
How a training step grows: the yardstick with other sides of the image, other widths (the paper's h), other batches, on one thread and
on all. Sides are those of `genlab bench training`: eager torch in all forms, and the form of torch.compile that was fastest on the
yardstick."""
SAMPLING_ABOUT = """\
How a draw grows: the yardstick with other sides of the image, other widths and other numbers of images, on one thread and on all.
Sides are those of `genlab bench sampling`; naive draws are timed by 14 pixels and multiplied, in the form that the yardstick likes best."""

SIDES_OF_IMAGE = (8, 16, 28, 44, 64)
WIDTHS = (16, 32, 64, 128)
BATCHES = (1, 4, 16, 64, 256)
NAIVE = sampling.NAIVE[sampling.FORMS.index(("cropped", "channels_last"))]


def points(quick: bool) -> list[dict[str, Any]]:
    """Settings that differ from the yardstick at batch 16 in one thing each."""
    base = {"model": YARDSTICK, "images": 16}
    sides, widths, batches = ((8, 28), (8, 32), (1, 16)) if quick else (SIDES_OF_IMAGE, WIDTHS, BATCHES)
    found = [{**base, "model": {**YARDSTICK, "image_shape": [1, side, side]}} for side in sides]
    found += [{**base, "model": {**YARDSTICK, "channels": width}} for width in widths]
    found += [{**base, "images": images} for images in batches]
    return [point for position, point in enumerate(found) if point not in found[:position]]


def training_cases(quick: bool) -> tuple[Case, ...]:
    """A step at every point."""
    peers = training.EAGER[1:2] if quick else (*training.EAGER, training.FASTEST_TO_COMPILE)
    return tuple(training.case(**point, sides=(training.NATIVE, training.ONE_THREAD, *peers, roofline.PEAK)) for point in points(quick))


def sampling_cases(quick: bool) -> tuple[Case, ...]:
    """A draw at every point."""
    peers = (NAIVE,) if quick else (NAIVE, sampling.CACHED)
    sides = (sampling.NATIVE, sampling.ONE_THREAD, sampling.FORWARD, *peers, roofline.PEAK)
    return tuple(sampling.case(**point, sides=sides) for point in points(quick))


def training_figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Images a second and the lead over the best peer, at every point."""
    found = []
    for result in results:
        settings = result.case.settings
        key, name = point_name(settings), f" ({result.case.name})"
        rate = training.step_operations(random_model(settings["model"]).graph) * settings["images"] / result.native.median
        found += [
            Figure(f"{key}_share_of_peak", rate / roofline.peak_rate(result), "native's share of the peak" + name),
            Figure(f"{key}_over_best", result.lead(), "fastest peer / native" + name),
        ]
    return found


def sampling_figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Forward passes and the lead over the best peer, at every point."""
    found = []
    for result in results:
        key, name = point_name(result.case.settings), f" ({result.case.name})"
        if sampling.FORWARD in result:
            passes = 1 / result.ratio(result[sampling.FORWARD])
            found.append(Figure(f"{key}_passes", passes, "forward passes that a draw takes" + name))
        rate = sampling.draw_operations(result.case.settings) / result.native.median
        found += [
            Figure(f"{key}_share_of_peak", rate / roofline.peak_rate(result), "native's share of the peak" + name),
            Figure(f"{key}_intensity", sampling.intensity(result.case.settings), "operations a byte of weights" + name),
            Figure(f"{key}_over_best", result.lead(), "fastest peer / native" + name),
        ]
    return found


def point_name(settings: Settings) -> str:
    """A point in a word: ``side28_width32_images16``."""
    return f"side{settings['model']['image_shape'][1]}_width{settings['model']['channels']}_images{settings['images']}"


TRAINING = replace(training.TABLE, name="growth-training", about=TRAINING_ABOUT, cases=training_cases, figures=training_figures)
SAMPLING = replace(sampling.TABLE, name="growth-sampling", about=SAMPLING_ABOUT, cases=sampling_cases, figures=sampling_figures)
