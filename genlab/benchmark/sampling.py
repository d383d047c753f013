"""``genlab bench sampling``: drawing images, against one forward pass and against what others write."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from genlab.benchmark import roofline
from genlab.benchmark.examples import YARDSTICK, describe, random_levels, random_model, random_uniforms
from genlab.benchmark.table import Agreement, Array, Arrays, Case, CaseResult, Check, Contender, Figure, Settings, Side, Table
from genlab.native import native_info

ABOUT = """\
Drawing images from the same weights and the same uniform numbers.
- native: model.draw(uniforms, backend="native"). One forward pass: model.log_prob of as many images, backend="native".
  Row by row: genlab.sample(…, on_row=…), every row with its distributions handed to Python as it is finished. Streamed:
  genlab.stream, the same as an iterator, which draws on a thread of its own while rows are looked at.
- torch cached: backend="torch", the same algorithm in torch: every pixel of every node is computed once.
- torch naive: an independent PixelCNN in plain torch, one full forward pass per pixel, dense or cropped masks, both memory layouts.
  '14 pixels': timed by the first 14 pixels of 784 and multiplied, since every pixel takes the same forward pass; 'whole, one run' is
  the whole draw, once.
- pure Python cached: the same algorithm over lists of floats, on one thread.
Every level drawn must be the one whose interval of cumulative probability, by a torch walk in float64 over the side's own image,
holds the uniform number: the deviation is the largest distance of a number from its interval."""

NATIVE = "native"
ONE_THREAD = "native, one thread"
ROW_BY_ROW = "native, row by row"
STREAMED = "native, streamed"
FORWARD = "native, one forward pass"
CACHED = "torch cached"
FORMS = tuple(itertools.product(("cropped", "dense"), ("NCHW", "channels_last")))
PIXELS = 14
TILE = 32  # images that a thread draws side by side at most, `widest_tile` of csrc/program.cpp
NAIVE = tuple(f"torch naive {form} {layout}, {PIXELS} pixels" for form, layout in FORMS)
NAIVE_ONCE = "torch naive cropped channels_last, whole, one run"
PYTHON = "pure Python cached"

SMALL = {**YARDSTICK, "image_shape": [1, 8, 8]}
TINY = {**SMALL, "channels": 4, "blocks": 1}

# bfloat16: a logit that 25 layers of 8 bits have passed is off by some hundredths, its probability by as much.
PROBABILITY_TOLERANCE = {"float32": 1e-5, "bfloat16": 0.05}
NATS_TOLERANCE = {"float32": 1e-3, "bfloat16": 5.0}


def cases(quick: bool) -> tuple[Case, ...]:
    """The yardstick, and a network small enough for pure Python. The quick form leaves out the longest naive draws."""
    genlab = (NATIVE, FORWARD, ROW_BY_ROW, STREAMED, ONE_THREAD, CACHED)
    naive = NAIVE[1::2] if quick else (*NAIVE, NAIVE_ONCE)
    many = case(YARDSTICK, images=64, sides=(*genlab, *naive, roofline.PEAK))
    one = case(YARDSTICK, images=1, sides=(*genlab, *NAIVE))
    found = [many, one]
    if roofline.peaks_beside():
        found.append(case(YARDSTICK, images=64, dtype="bfloat16", sides=(NATIVE, FORWARD, ONE_THREAD, *roofline.peaks_beside())))
    return (*found, case(TINY, images=8, sides=(*genlab, *NAIVE, PYTHON)))


def case(model: Settings, *, images: int, sides: Sequence[str], dtype: str = "float32") -> Case:
    """So many images from one network."""
    name = f"{images} image{'s' if images > 1 else ''} in {dtype}: {describe(model)}"
    return Case(name, {"model": dict(model), "images": images, "dtype": dtype}, tuple(sides))


# --- sides -----------------------------------------------------------------------------------------------------------------------


def genlab_contender(backend: str, *, model: Settings, images: int, dtype: str) -> Contender:
    """Genlab's own sampling walks."""
    network, uniforms = random_model(model), random_uniforms(model, images)

    def draw() -> Array:
        drawn: Array = network.draw(uniforms, backend=backend, dtype=dtype)
        return drawn

    return Contender(lambda: {"images": draw()}, draw)


def rows_contender(streamed: bool, *, model: Settings, images: int, dtype: str) -> Contender:
    """Every row and its distributions, by callback or by iterator; the seed's uniforms are those of `random_uniforms`."""
    from genlab.sampling import DrawnRow, sample, stream

    network = random_model(model)

    def look(row: DrawnRow) -> tuple[Array, Array]:
        return row.levels, row.probabilities

    def rows() -> list[tuple[Array, Array]]:
        if streamed:
            return [look(row) for row in stream(network, images, seed=0, backend="native", dtype=dtype)]
        seen: list[tuple[Array, Array]] = []
        sample(network, images, seed=0, backend="native", dtype=dtype, on_row=lambda row: seen.append(look(row)))
        return seen

    return Contender(lambda: {"images": np.stack([levels for levels, _ in rows()], axis=2)}, rows)


def forward_contender(*, model: Settings, images: int, dtype: str) -> Contender:
    """One native forward pass: the likelihood of as many images."""
    network, levels = random_model(model), random_levels(model, images)

    def score() -> Any:
        return network.log_prob(levels, backend="native", dtype=dtype)

    return Contender(lambda: {"log_prob": score().numpy()}, score)


def naive_contender(form: str, layout: str, pixels: int | None, *, model: Settings, images: int, dtype: str) -> Contender:
    """The independent network in plain torch, with the weights of genlab's; drawing the first `pixels`, or all."""
    import torch

    from genlab.benchmark import peers, torch_peers

    torch_peers.at_its_best()
    original = random_model(model)
    network = peers.peer_of(original, form, layout)
    uniforms = torch.from_numpy(random_uniforms(model, images))
    all_pixels = uniforms[0, :, :, 0].numel()
    drawn = all_pixels if pixels is None else min(pixels, all_pixels)

    def draw() -> torch.Tensor:
        images: torch.Tensor = peers.sample_naive(original, network, uniforms, layout, drawn)
        return images

    def outputs() -> Arrays:
        return {"images": draw().to(torch.uint8).numpy(), "pixels": np.array(drawn)}

    return Contender(outputs, draw, scale=all_pixels / drawn)


def python_contender(*, model: Settings, images: int, dtype: str) -> Contender:
    """Lists and floats."""
    from genlab.benchmark import python_peers

    network = random_model(model)
    arrays = {name: parameter.numpy(force=True) for name, parameter in network.nodes.named_parameters()}
    parameters = {node.name: (arrays[f"{node.name}.weight"], arrays[f"{node.name}.bias"]) for node in network.graph.convolutions}
    layers = python_peers.layers_of(network.graph, parameters)
    uniforms = random_uniforms(model, images)[..., 0].tolist()

    def draw() -> list[list[list[int]]]:
        return python_peers.sample(network.graph, layers, uniforms)

    return Contender(lambda: {"images": np.array(draw(), np.uint8)[:, None]}, draw)


SIDES = {
    NATIVE: Side("genlab", partial(genlab_contender, "native"), role="native"),
    FORWARD: Side("genlab", forward_contender, role="context"),
    ROW_BY_ROW: Side("genlab", partial(rows_contender, False), role="context"),
    STREAMED: Side("genlab", partial(rows_contender, True), role="context"),
    ONE_THREAD: Side("genlab, one thread", partial(genlab_contender, "native"), role="context", threads=1),
    CACHED: Side("torch", partial(genlab_contender, "torch")),
    **{name: Side("torch", partial(naive_contender, *form, PIXELS)) for name, form in zip(NAIVE, FORMS, strict=True)},
    NAIVE_ONCE: Side("torch", partial(naive_contender, "cropped", "channels_last", None), once=True),
    PYTHON: Side("Python", python_contender),
    **roofline.PEAKS,
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Images against the probabilities they were drawn from, likelihoods against likelihoods, both by a torch walk in float64."""
    model, images, dtype = settings["model"], settings["images"], settings["dtype"]
    network = random_model(model).double()
    uniforms = random_uniforms(model, images)

    def agreements(outputs: Arrays) -> Sequence[Agreement]:
        if "result" in outputs:
            return roofline.check(settings)(outputs)
        if "images" in outputs:
            probabilities = network.logits(outputs["images"], backend="torch").softmax(-1).numpy()
            # (N, C, pixels, …): of a draw that stopped early the first pixels are there.
            arrays = (probabilities, outputs["images"], uniforms.transpose(0, 3, 1, 2))
            drawn = slice(int(outputs["pixels"]) if "pixels" in outputs else None)
            distance = distance_from_interval(*(array.reshape(*array.shape[:2], -1, *array.shape[4:])[:, :, drawn] for array in arrays))
            return [Agreement("cumulative probability", distance, PROBABILITY_TOLERANCE[dtype])]
        truth = network.log_prob(random_levels(model, images), backend="torch").numpy()
        return [Agreement("log_prob in nats", float(np.abs(outputs["log_prob"] - truth).max()), NATS_TOLERANCE[dtype])]

    return agreements


def distance_from_interval(probabilities: Array, levels: Array, uniforms: Array) -> float:
    """How far the worst uniform number lies outside [P(level < k), P(level ≤ k)], with k the level drawn.

    Args:
        probabilities: (…, levels).
        levels: Levels drawn, (…).
        uniforms: Numbers in [0, 1), (…).
    """
    cumulative = probabilities.cumsum(-1)
    chosen = levels[..., None].astype(np.int64)
    above = np.take_along_axis(cumulative, chosen, -1)[..., 0]
    below = above - np.take_along_axis(probabilities, chosen, -1)[..., 0]
    return float(np.maximum(below - uniforms, uniforms - above).max(initial=0.0))


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """The price of a draw in forward passes, and native against each kind of peer."""
    kinds = {"cached torch": [CACHED], "naive torch": [*NAIVE, NAIVE_ONCE], "pure Python": [PYTHON]}
    found = []
    for result in results:
        settings = result.case.settings
        key, name = f"{short_name(settings)}_", f" ({result.case.name})"
        found.append(Figure(key + "milliseconds", result.native.median * 1e3, "ms, native" + name))
        bfloat16 = settings["dtype"] == "bfloat16"
        share = None
        if (roofline.PEAK_BFLOAT16 if bfloat16 else roofline.PEAK) in result:
            share = draw_operations(settings) / result.native.median / roofline.peak_rate(result, bfloat16)
            found.append(Figure(key + "share_of_peak", share, "native's share of the peak" + name))
        if FORWARD in result:
            found.append(Figure(key + "passes", 1 / result.ratio(result[FORWARD]), "forward passes that a draw takes" + name))
        if ROW_BY_ROW in result:
            found.append(Figure(key + "row_by_row", result.ratio(result[ROW_BY_ROW]), "row by row / all at once" + name))
        if STREAMED in result:
            found.append(Figure(key + "streamed", result.ratio(result[STREAMED]), "streamed / all at once" + name))
        if ONE_THREAD in result:
            found.append(Figure(key + "two_threads", result.ratio(result[ONE_THREAD]), "one thread / all threads" + name))
        for kind, names in kinds.items():
            ratios = [result.ratio(side) for side in result.sides if side.side in names and side.seconds]
            if ratios:
                over = f"{key}over_{kind.lower().replace(' ', '_')}"
                found.append(Figure(over, min(ratios), f"{kind} / native{name}"))
                if share:  # how far ahead any draw could be that does the useful arithmetic at the peak of this machine
                    found.append(Figure(over + "_at_peak", min(ratios) / share, f"{kind} / a draw at the peak{name}"))
        if NAIVE_ONCE in result:
            ratio = result[NAIVE[FORMS.index(("cropped", "channels_last"))]].median / result[NAIVE_ONCE].median
            found.append(Figure(key + "naive_scaled_over_whole", ratio, f"naive draw, by {PIXELS} pixels / whole{name}"))
    return found


def draw_operations(settings: Settings) -> int:
    """Useful operations of a draw: 2 · N · H · W · M, with M the live multiply-adds of a pixel."""
    _, height, width = settings["model"]["image_shape"]
    return 2 * int(settings["images"]) * int(height * width) * int(random_model(settings["model"]).graph.multiply_adds_per_pixel())


def intensity(settings: Settings) -> float:
    """Operations for each byte of float32 weights that a thread reads: two for each image that it draws side by side, over 4 bytes."""
    threads = min(int(native_info()["threads"]), int(settings["images"]))
    return float(min(settings["images"] / threads, TILE) / 2)


def short_name(settings: Settings) -> str:
    """A case in a word: ``pixelcnn32_28_64_float32``, with the side of the images and how many."""
    model = settings["model"]
    return f"{model['family']}{model['channels']}_{model['image_shape'][1]}_{settings['images']}_{settings['dtype']}"


TABLE = Table("sampling", __name__, ABOUT, SIDES, cases, check, figures, notes=roofline.notes)
