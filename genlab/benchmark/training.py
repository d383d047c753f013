"""``genlab bench training``: one optimiser step of the yardstick network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from genlab.benchmark.examples import YARDSTICK, parameter_names, random_levels, random_model
from genlab.benchmark.table import Agreement, Arrays, Case, CaseResult, Check, Contender, Figure, Settings, Side, Table, relative_error

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genlab.causal import Graph

ABOUT = """\
One training step of the yardstick network (PixelCNN for binary 28×28, 64 channels wide, 7 blocks) in float32: gradients cleared,
loss, backward, fused Adam. Weights and batch are the same on every side; loss and gradients are held to a torch walk in float64.
- native: model.loss(batch, backend="native").backward(). torch walk: the same with backend="torch".
- torch: an independent PixelCNN in plain torch with dense or cropped masks in both memory layouts, eager and with its loss under
  torch.compile (compiled before anything is timed).
- matrix product: n×n by n×n in float32, by OpenBLAS through NumPy and by torch; the fastest stands for the machine's peak.
Deviations are relative to the largest value of the loss, or of each gradient."""

NATIVE = "native"
FORMS = tuple(itertools.product(("dense", "cropped"), ("NCHW", "channels_last")))
FASTEST_TO_COMPILE = "torch.compile dense channels_last"
MATRIX_SIZES = (512, 1024, 2048)
LOSS_TOLERANCE = 1e-5
# Of 20 million values before a ReLU some lie so near 0 that float32 puts them on the other side: each moves a gradient, a sum over
# 50,000 pixels with signs, by a ten-thousandth. Correct sides reach 8e-4; one wrong tap at a border costs a hundredth.
GRADIENT_TOLERANCE = 3e-3


def cases(quick: bool) -> tuple[Case, ...]:
    """The yardstick at batch 64; the quick form compiles one peer alone."""
    sides = [name for name in SIDES if not (quick and name.startswith("torch.compile")) or name == FASTEST_TO_COMPILE]
    return (case(YARDSTICK, images=64, sides=sides),)


def case(model: Settings, *, images: int, sides: Sequence[str]) -> Case:
    """One network at one batch size."""
    return Case(f"one step, batch {images}", {"model": dict(model), "images": images}, tuple(sides))


# --- sides -----------------------------------------------------------------------------------------------------------------------


def genlab_contender(backend: str, *, model: Settings, images: int) -> Contender:
    """Genlab's own training walks."""
    import torch

    network = random_model(model)
    batch = torch.from_numpy(random_levels(model, images))
    return contender(network, lambda: network.loss(batch, backend=backend))


def torch_contender(form: str, layout: str, compile_it: bool, *, model: Settings, images: int) -> Contender:
    """The independent PixelCNN in plain torch, with the weights of genlab's."""
    import torch

    from genlab.benchmark import torch_peers

    network = torch_peers.peer_of(random_model(model), form, layout)
    batch = torch.from_numpy(random_levels(model, images)).contiguous(memory_format=torch_peers.LAYOUTS[layout])
    loss = torch_peers.compiled(network.loss) if compile_it else network.loss
    return contender(network, lambda: loss(batch))


def contender(network: nn.Module, loss: Callable[[], Tensor]) -> Contender:
    """A step of a network whose parameters come in the order of genlab's, for a loss that reads them."""
    import torch

    # A small rate: the network stays what was checked, however many steps are timed.
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-6, fused=True)

    def loss_and_gradients() -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    def outputs() -> Arrays:
        value = loss_and_gradients().numpy(force=True)
        gradients = [parameter.grad.numpy(force=True) for parameter in network.parameters() if parameter.grad is not None]
        return {"loss": value, **dict(zip(parameter_names(network), gradients, strict=True))}

    def step() -> None:
        loss_and_gradients()
        optimiser.step()

    return Contender(outputs, step)


def matrix_contender(library: str, size: int, **_: Any) -> Contender:
    """A product of square matrices, the computation that libraries tune most."""
    a, b, c = np.random.default_rng(0).standard_normal((3, size, size), dtype=np.float32)
    if library == "NumPy":
        return Contender(lambda: {}, lambda: np.matmul(a, b, out=c))
    import torch

    first, second, product = (torch.from_numpy(matrix) for matrix in (a, b, c))
    return Contender(lambda: {}, lambda: torch.mm(first, second, out=product))


SIDES = {
    NATIVE: Side("genlab", partial(genlab_contender, "native"), role="native"),
    "torch walk": Side("torch", partial(genlab_contender, "torch")),
    **{f"torch {form} {layout}": Side("torch", partial(torch_contender, form, layout, False)) for form, layout in FORMS},
    **{f"torch.compile {form} {layout}": Side("torch.compile", partial(torch_contender, form, layout, True)) for form, layout in FORMS},
    **{
        f"matrix product {size} {library}": Side(library, partial(matrix_contender, library, size), role="context")
        for library, size in itertools.product(("NumPy", "torch"), MATRIX_SIZES)
    },
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Loss and gradients against the torch walk in float64."""
    network = random_model(settings["model"]).double()
    loss = network.loss(random_levels(settings["model"], settings["images"]), backend="torch")
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {
        name: parameter.grad.numpy()
        for name, parameter in zip(parameter_names(network), network.parameters(), strict=True)
        if parameter.grad is not None
    }

    def agreements(outputs: Arrays) -> list[Agreement]:
        if not outputs:
            return []
        errors = [relative_error(outputs[name], gradient) for name, gradient in gradients.items()]
        return [
            Agreement("loss", relative_error(outputs["loss"], loss.numpy(force=True)), LOSS_TOLERANCE),
            Agreement("gradients", float(np.max(errors)), GRADIENT_TOLERANCE),
        ]

    return agreements


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """How far native is ahead, and how near to the peak of the machine."""
    found = []
    for result in results:
        native, settings = result.native, result.case.settings
        operations = step_operations(random_model(settings["model"]).graph) * settings["images"]
        peak = max(
            (
                2 * int(side.side.split()[2]) ** 3 / side.median
                for side in result.sides
                if side.side.startswith("matrix product") and side.seconds
            ),
            default=math.nan,
        )
        rate = operations / native.median
        found += [
            Figure("images_per_second", settings["images"] / native.median, "images per second, native"),
            Figure("gigaflops", rate / 1e9, "billions of useful operations per second, native"),
            Figure("peak_gigaflops", peak / 1e9, "billions of operations per second of the fastest matrix product"),
            Figure("share_of_peak", rate / peak, "native's share of that"),
            Figure("over_torch", result.lead("torch"), "best eager form of torch / native"),
            Figure("over_torch_compile", result.lead("torch.compile"), "best compiled form of torch / native"),
        ]
    return found


def step_operations(graph: Graph) -> int:
    """Useful floating-point operations of a training step for one image.

        2 · H · W · (3 M − M_image)

    with M the live multiply-adds of a pixel: once forward, once for the gradient of the weights and once for that of the inputs,
    but not for the image's own (M_image), which nobody asks for. The optimiser is not counted.
    """
    _, height, width = graph.image_shape
    on_image = sum(int(graph.mask(node).sum()) for node in graph.convolutions if node.inputs == (graph.nodes[0].name,))
    return 2 * height * width * (3 * graph.multiply_adds_per_pixel() - on_image)


TABLE = Table("training", __name__, ABOUT, SIDES, cases, check, figures)
