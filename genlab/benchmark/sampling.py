"""``genlab bench sampling``: drawing images, against one forward pass and against what others write."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from genlab.benchmark.examples import YARDSTICK, random_levels, random_model, random_uniforms
from genlab.benchmark.table import Agreement, Array, Arrays, Case, CaseResult, Check, Contender, Figure, Settings, Side, Table

ABOUT = """\
Drawing images from the same weights and the same uniform numbers.
- native: model.draw(uniforms, backend="native"). One forward pass: model.log_prob of as many images, backend="native".
- torch cached: backend="torch", the same algorithm in torch: every pixel of every node is computed once.
- torch naive: an independent PixelCNN in plain torch (channels_last, the fastest layout), one full forward pass per pixel.
- pure Python cached: the same algorithm over lists of floats, on one thread.
Every level drawn must be the one whose interval of cumulative probability, by a torch walk in float64 over the side's own image,
holds the uniform number: the deviation is the largest distance of a number from its interval."""

NATIVE = "native"
FORWARD = "native, one forward pass"
CACHED = "torch cached"
NAIVE = ("torch naive, cropped masks", "torch naive, dense masks")
NAIVE_ONCE = "torch naive, cropped masks, one run"
PYTHON = "pure Python cached"

SMALL = {**YARDSTICK, "image_shape": [1, 8, 8]}
TINY = {"image_shape": [1, 8, 8], "levels": 2, "channels": 4, "blocks": 1}

PROBABILITY_TOLERANCE = 1e-5
NATS_TOLERANCE = 1e-3


def cases(quick: bool) -> tuple[Case, ...]:
    """The yardstick, and a network small enough for pure Python.

    Nothing is scaled up from fewer pixels. Naive sampling of 64 images of 28×28 takes a minute: it runs once, and the quick form
    samples naively at 8×8 in its place.
    """
    genlab = (NATIVE, FORWARD, CACHED)
    tiny = case(TINY, images=8, sides=(*genlab, *NAIVE, PYTHON))
    if quick:
        large = [case(YARDSTICK, images=images, sides=genlab) for images in (64, 1)]
        small = [case(SMALL, images=images, sides=(*genlab, *NAIVE)) for images in (64, 1)]
        return (*large, *small, tiny)
    many = case(YARDSTICK, images=64, sides=(*genlab, NAIVE_ONCE))
    one = case(YARDSTICK, images=1, sides=(*genlab, *NAIVE))
    return (many, one, tiny)


def case(model: Settings, *, images: int, sides: Sequence[str]) -> Case:
    """So many images from one network."""
    _, height, width = model["image_shape"]
    plural = "s" if images > 1 else ""
    name = f"{images} image{plural} of {height}×{width}, network {2 * model['channels']} channels wide, {model['blocks']} blocks deep"
    return Case(name, {"model": dict(model), "images": images}, tuple(sides))


# --- sides -----------------------------------------------------------------------------------------------------------------------


def genlab_contender(backend: str, *, model: Settings, images: int) -> Contender:
    """Genlab's own sampling walks."""
    network, uniforms = random_model(model), random_uniforms(model, images)

    def draw() -> Array:
        return network.draw(uniforms, backend=backend)

    return Contender(lambda: {"images": draw()}, draw)


def forward_contender(*, model: Settings, images: int) -> Contender:
    """One native forward pass: the likelihood of as many images."""
    network, levels = random_model(model), random_levels(model, images)

    def score() -> Any:
        return network.log_prob(levels, backend="native")

    return Contender(lambda: {"log_prob": score().numpy()}, score)


def naive_contender(form: str, *, model: Settings, images: int) -> Contender:
    """The independent PixelCNN in plain torch, with the weights of genlab's."""
    import torch

    from genlab.benchmark import torch_peers

    network = torch_peers.peer_of(random_model(model), form, "channels_last")
    uniforms = torch.from_numpy(random_uniforms(model, images)[..., 0])

    def draw() -> torch.Tensor:
        return torch_peers.sample_naive(network, uniforms)

    return Contender(lambda: {"images": draw().to(torch.uint8).numpy()}, draw)


def python_contender(*, model: Settings, images: int) -> Contender:
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
    CACHED: Side("torch", partial(genlab_contender, "torch")),
    **{name: Side("torch", partial(naive_contender, form)) for name, form in zip(NAIVE, ("cropped", "dense"), strict=True)},
    NAIVE_ONCE: Side("torch", partial(naive_contender, "cropped"), once=True),
    PYTHON: Side("Python", python_contender),
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Images against the probabilities they were drawn from, likelihoods against likelihoods, both by a torch walk in float64."""
    model, images = settings["model"], settings["images"]
    network = random_model(model).double()
    uniforms = random_uniforms(model, images)

    def agreements(outputs: Arrays) -> list[Agreement]:
        if "images" in outputs:
            probabilities = network.logits(outputs["images"], backend="torch").softmax(-1).numpy()
            distance = distance_from_interval(probabilities, outputs["images"], uniforms.transpose(0, 3, 1, 2))
            return [Agreement("cumulative probability", distance, PROBABILITY_TOLERANCE)]
        truth = network.log_prob(random_levels(model, images), backend="torch").numpy()
        return [Agreement("log_prob in nats", float(np.abs(outputs["log_prob"] - truth).max()), NATS_TOLERANCE)]

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
        images, model = result.case.settings["images"], result.case.settings["model"]
        _, height, width = model["image_shape"]
        key = f"{images}x{height}x{width}x{2 * model['channels']}"
        found.append(Figure(f"{key}_passes", 1 / result.ratio(result[FORWARD]), f"forward passes that a draw takes, {result.case.name}"))
        for kind, names in kinds.items():
            ratios = [result.ratio(side) for side in result.sides if side.side in names and side.seconds]
            if ratios:
                found.append(Figure(f"{key}_over_{kind.lower().replace(' ', '_')}", min(ratios), f"{kind} / native, {result.case.name}"))
    return found


TABLE = Table("sampling", __name__, ABOUT, SIDES, cases, check, figures)
