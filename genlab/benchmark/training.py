"""``genlab bench training``: one optimiser step, of the yardstick network and of wider and narrower ones."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from genlab.benchmark import roofline
from genlab.benchmark.examples import YARDSTICK, describe, parameter_names, random_levels, random_model
from genlab.benchmark.table import (
    Agreement,
    Array,
    Arrays,
    Case,
    CaseResult,
    Check,
    Contender,
    Figure,
    Settings,
    Side,
    Table,
    relative_error,
)
from genlab.native import native_info

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genlab.causal import Graph

ABOUT = """\
One training step: gradients cleared, loss, backward, fused Adam. The yardstick is PixelCNN for binary 28×28, 64 channels wide, 7 blocks,
in float32 and in bfloat16; then the same narrower and wider. Weights and batch are the same on every side;
loss and gradients are held to a torch walk in float64.
- native: model.loss(batch, backend="native").backward(). torch walk: the same with backend="torch".
- torch: an independent network in plain torch with dense or cropped masks in both memory layouts, eager and with its loss under
  torch.compile (compiled before anything is timed). In bfloat16 the loss is computed under torch.autocast.
- JAX: the same step as one jitted function, NHWC, where JAX is installed.
- peak: multiply-adds on registers alone, in the same rounds: what 'share of peak' is a share of.
Deviations are relative to the largest value of the loss, or of each gradient."""

NATIVE = "native"
ONE_THREAD = "native, one thread"
FORMS = tuple(itertools.product(("dense", "cropped"), ("NCHW", "channels_last")))
EAGER = tuple(f"torch {form} {layout}" for form, layout in FORMS)
COMPILED = tuple(f"torch.compile {form} {layout}" for form, layout in FORMS)
FASTEST_TO_COMPILE = "torch.compile dense channels_last"
JAX = ("JAX dense", "JAX cropped")
_IMAGES_AT_ONCE = 16
LOSS_TOLERANCE = {"float32": 1e-5, "bfloat16": 1e-2}
# float32: of 20 million values before a ReLU some lie so near 0 that rounding puts them on the other side; each moves a gradient, a
# sum over 50,000 pixels with signs, by a ten-thousandth. Correct sides reach 8e-4; one wrong tap at a border costs a hundredth.
# bfloat16: 8 bits round each operand by up to 1/512, through some 25 layers. Correct sides reach a tenth of a small gradient; a
# wrong tap is for float32 to find.
GRADIENT_TOLERANCE = {"float32": 3e-3, "bfloat16": 0.2}
# A single image has fewer terms to hide one ReLU in whose input is zero to rounding: 7e-3 was seen, and a 16th of it among 16 images.
_ONE_KINK = 1e-2


def cases(quick: bool) -> tuple[Case, ...]:
    """The yardstick at batch 64; the quick form compiles one peer alone, and leaves out the other widths but one."""
    compiled = (FASTEST_TO_COMPILE,) if quick else COMPILED
    peers = (NATIVE, *EAGER, *compiled)
    peaks = (roofline.PEAK, *roofline.peaks_beside())
    jax = JAX[: 1 if quick else 2] if has_jax() else ()
    yardstick = case(YARDSTICK, images=64, sides=[*peers, "torch walk", ONE_THREAD, *jax, *peaks])
    found = [yardstick]
    if roofline.peaks_beside():
        found.append(case(YARDSTICK, images=64, dtype="bfloat16", sides=[*peers, ONE_THREAD, *peaks]))
    if quick:
        return (*found, case({**YARDSTICK, "channels": 16}, images=64, sides=[NATIVE, *EAGER, roofline.PEAK]))
    others = ({**YARDSTICK, "channels": 16}, {**YARDSTICK, "channels": 64}, {**YARDSTICK, "channels": 128})
    return (*found, *(case(other, images=64, sides=[*peers, roofline.PEAK]) for other in others))


def case(model: Settings, *, images: int, sides: Sequence[str], dtype: str = "float32") -> Case:
    """One network at one batch size."""
    name = f"one step in {dtype}, batch {images}: {describe(model)}"
    return Case(name, {"model": dict(model), "images": images, "dtype": dtype}, tuple(sides))


def has_jax() -> bool:
    """Whether JAX is installed."""
    return find_spec("jax") is not None


def notes() -> list[str]:
    """Which peers are not here."""
    absent = [] if has_jax() else ["JAX is not installed and left out; pip install -e '.[bench]' brings it."]
    return absent + roofline.notes()


# --- sides -----------------------------------------------------------------------------------------------------------------------


def genlab_contender(backend: str, *, model: Settings, images: int, dtype: str) -> Contender:
    """Genlab's own training walks."""
    import torch

    network = random_model(model)
    batch = torch.from_numpy(random_levels(model, images))
    return contender(network, lambda: network.loss(batch, backend=backend, dtype=dtype))


def torch_contender(form: str, layout: str, compile_it: bool, *, model: Settings, images: int, dtype: str) -> Contender:
    """The independent network in plain torch, with the weights of genlab's."""
    import torch

    from genlab.benchmark import peers, torch_peers

    torch_peers.at_its_best()
    network = peers.peer_of(random_model(model), form, layout)
    batch = torch.from_numpy(random_levels(model, images)).contiguous(memory_format=torch_peers.LAYOUTS[layout])
    loss: Callable[[Tensor], Tensor] = torch_peers.compiled(network.loss) if compile_it else network.loss

    def loss_in_dtype() -> Tensor:
        precision: AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else nullcontext()
        with precision:
            return loss(batch)

    return contender(network, loss_in_dtype)


def contender(network: nn.Module, loss: Callable[[], Tensor]) -> Contender:
    """A step of a network whose parameters are named as genlab's, for a loss that reads them."""
    import torch

    # A small rate: the network stays what was checked, however many steps are timed.
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-6, fused=True)

    def loss_and_gradients() -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    def outputs() -> Arrays:
        value = loss_and_gradients().float().numpy(force=True)
        gradients = [parameter.grad.numpy(force=True) for parameter in network.parameters() if parameter.grad is not None]
        return {"loss": value, **dict(zip(parameter_names(network), gradients, strict=True))}

    def step() -> None:
        loss_and_gradients()
        optimiser.step()

    return Contender(outputs, step)


def jax_contender(form: str, *, model: Settings, images: int, dtype: str) -> Contender:
    """PixelCNN in JAX."""
    from genlab.benchmark import jax_peers

    network = random_model(model)
    parameters = dict(zip(parameter_names(network), (parameter.numpy(force=True) for parameter in network.parameters()), strict=True))
    levels = random_levels(model, images)
    gradients_of, step = jax_peers.training_step(parameters, levels, blocks=model["blocks"], level_count=model["levels"], form=form)
    batch = levels.transpose(0, 2, 3, 1)

    def outputs() -> Arrays:
        loss, gradients = gradients_of(batch)
        return {"loss": loss, **gradients}

    return Contender(outputs, lambda: step(batch))


SIDES = {
    NATIVE: Side("genlab", partial(genlab_contender, "native"), role="native"),
    ONE_THREAD: Side("genlab, one thread", partial(genlab_contender, "native"), role="context", threads=1),
    "torch walk": Side("torch", partial(genlab_contender, "torch")),
    **{f"torch {form} {layout}": Side("torch", partial(torch_contender, form, layout, False)) for form, layout in FORMS},
    **{f"torch.compile {form} {layout}": Side("torch.compile", partial(torch_contender, form, layout, True)) for form, layout in FORMS},
    **{name: Side("JAX", partial(jax_contender, name.split()[1])) for name in JAX},
    **roofline.PEAKS,
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Loss and gradients against the torch walk in float64."""
    loss, gradients = _truth(json.dumps(settings["model"]), settings["images"])
    dtype = settings["dtype"]

    def agreements(outputs: Arrays) -> Sequence[Agreement]:
        if "loss" not in outputs:
            return roofline.check(settings)(outputs)
        errors = [relative_error(outputs[name], gradient) for name, gradient in gradients.items()]
        return [
            Agreement("loss", relative_error(outputs["loss"], loss), LOSS_TOLERANCE[dtype]),
            Agreement("gradients", float(np.max(errors)), max(GRADIENT_TOLERANCE[dtype], _ONE_KINK / settings["images"])),
        ]

    return agreements


@functools.cache
def _truth(model: str, images: int) -> tuple[Array, Mapping[str, Array]]:
    """Loss and gradients in float64, the same for every dtype; the model's settings as JSON."""
    settings = json.loads(model)
    network = random_model(settings).double()
    levels, total = random_levels(settings, images), np.zeros(())
    # A few images at a time: all at once would take gigabytes.
    for first in range(0, images, _IMAGES_AT_ONCE):
        part = levels[first : first + _IMAGES_AT_ONCE]
        loss = network.loss(part, backend="torch") * (len(part) / images)
        loss.backward()
        total = total + loss.numpy(force=True)
    gradients = [parameter.grad.numpy() for parameter in network.parameters() if parameter.grad is not None]
    return total, dict(zip(parameter_names(network), gradients, strict=True))


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """How far native is ahead, and how near to the peak of the machine."""
    found = []
    for result in results:
        settings = result.case.settings
        key, name = f"{short_name(settings)}_", f" ({result.case.name.split(': ')[1]}, {settings['dtype']})"
        rate = step_operations(random_model(settings["model"]).graph) * settings["images"] / result.native.median
        peak = roofline.peak_rate(result, settings["dtype"] == "bfloat16")
        found += [
            Figure(key + "images_per_second", settings["images"] / result.native.median, "images per second, native" + name),
            Figure(key + "gigaflops", rate / 1e9, "billions of useful operations per second, native" + name),
            Figure(key + "peak_gigaflops", peak / 1e9, "billions of operations per second, peak" + name),
            Figure(key + "share_of_peak", rate / peak, "native's share of the peak" + name),
            Figure(key + "intensity", step_intensity(settings), "operations a byte of memory" + name),
            Figure(key + "over_torch", result.lead("torch"), "best eager form of torch / native" + name),
            Figure(key + "over_torch_compile", result.lead("torch.compile"), "best compiled form of torch / native" + name),
            Figure(key + "over_best", result.lead(), "fastest peer of all / native" + name),
        ]
        # How far ahead any step could be that does the useful arithmetic at the peak of this machine.
        found += [
            Figure(f"{key}over_{word}_at_peak", result.lead(process) * peak / rate, f"{words} / a step at the peak{name}")
            for word, process, words in (
                ("torch", "torch", "best eager form of torch"),
                ("torch_compile", "torch.compile", "best compiled form of torch"),
                ("best", None, "fastest peer of all"),
            )
        ]
        if ONE_THREAD in result:
            found.append(Figure(key + "two_threads", result.ratio(result[ONE_THREAD]), f"one thread / {threads()} threads, native" + name))
        if JAX[0] in result:
            found.append(Figure(key + "over_jax", result.lead("JAX"), "best form of JAX / native" + name))
    return found


def threads() -> int:
    """Threads of the native side."""
    return int(native_info()["threads"])


def short_name(settings: Settings) -> str:
    """A case in a word: ``pixelcnn32_float32``."""
    return f"{settings['model']['family']}{settings['model']['channels']}_{settings['dtype']}"


def step_operations(graph: Graph) -> int:
    """Useful floating-point operations of a training step for one image.

        2 · H · W · (3 M − M_image)

    with M the live multiply-adds of a pixel: once forward, once for the gradient of the weights and once for that of the inputs,
    but not for the image's own (M_image), which nobody asks for. The optimiser is not counted.
    """
    _, height, width = graph.image_shape
    on_image = sum(int(graph.mask(node).sum()) for node in graph.convolutions if node.inputs == (graph.nodes[0].name,))
    return 2 * height * width * (3 * graph.multiply_adds_per_pixel() - on_image)


def step_intensity(settings: Settings) -> float:
    """Operations for each byte that a depth-first step must move beyond the caches.

    The images once, and for each parameter in float32: itself read and written, its gradient written, read and added up, its two
    moments read and written.
    """
    model = random_model(settings["model"])
    moved = settings["images"] * int(np.prod(model.image_shape)) + 4 * 8 * model.parameter_count()
    return float(step_operations(model.graph) * settings["images"] / moved)


TABLE = Table("training", __name__, ABOUT, SIDES, cases, check, figures, notes=notes)
