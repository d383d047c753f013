"""``genlab bench precision``: what bfloat16 costs in likelihood."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from genlab.benchmark.table import Agreement, Arrays, Case, CaseResult, Check, Contender, Figure, Settings, Side, Table
from genlab.native import native_info
from genlab.runs import load_model

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.models.contract import Likelihood

ABOUT = """\
What bfloat16 costs in likelihood, beside the time it saves, on real digits.
- trained: the same network from the same first weights, by the same batches, in float32 and in bfloat16; then scored in float32 on digits
  that were held out. The truth is the same training by the torch walk in float32: how far native's own float32 lies from it is what
  nothing but another order of rounding does.
- scored: the packaged model's likelihood of the same digits in both formats. The truth is a torch walk in float64.
Deviations are in nats an image, of the mean over the digits."""

NATIVE = "native"
BFLOAT16 = "native, bfloat16"
# A wrong gradient, or a probability that does not sum to one, costs several.
TOLERANCE = 1.0
Task = Literal["trained", "scored"]


def cases(quick: bool) -> tuple[Case, ...]:
    """One training and one scoring; the quick form trains on small digits, for a moment."""
    if quick:
        return (trained("digits", channels=8, blocks=2, epochs=1), scored("digits", "digits-pixelcnn"))
    return (trained("mnist5k", channels=16, blocks=7, epochs=5), scored("mnist5k", "mnist-pixelcnn"))


def trained(data: str, *, channels: int, blocks: int, epochs: int) -> Case:
    """A network trained for so many epochs."""
    network = {"channels": channels, "blocks": blocks}
    name = f"trained: PixelCNN, {2 * channels} channels wide, {blocks} blocks, {epochs} epoch{'s' if epochs > 1 else ''} of {data}"
    return Case(name, {"task": "trained", "data": data, "network": network, "epochs": epochs}, _sides())


def scored(data: str, model: str) -> Case:
    """A packaged model."""
    return Case(f"scored: {model} on {data}", {"task": "scored", "data": data, "network": {"name": model}, "epochs": 0}, _sides())


def _sides() -> tuple[str, ...]:
    return (NATIVE, BFLOAT16) if "bfloat16" in native_info()["dtypes"] else (NATIVE,)


# --- sides -----------------------------------------------------------------------------------------------------------------------


def contender(dtype: str, *, task: Task, data: str, network: Settings, epochs: int) -> Contender:
    """The native walks in a number format."""
    images = digits(data)

    def run() -> float:
        if task == "trained":
            return nats_after_training(images, network, epochs, backend="native", dtype=dtype)
        return nats_of(load_model(network["name"]), images, backend="native", dtype=dtype)

    return Contender(lambda: {"nats": np.array([run()])}, run)


def digits(name: str) -> Dataset:
    """Real digits, in levels that do not change from draw to draw: those of 28×28 in black and white."""
    from genlab.datasets import load_dataset

    return load_dataset(name, binarize="threshold" if name == "mnist5k" else None)


def nats_after_training(data: Dataset, network: Settings, epochs: int, *, backend: str, dtype: str) -> float:
    """Mean −log p of the held-out digits, scored in float32, after training from seed 0."""
    import torch

    from genlab.models import create_model
    from genlab.training import train

    torch.manual_seed(0)
    model = create_model("pixelcnn", image_shape=data.image_shape, levels=data.levels, **network)
    with tempfile.TemporaryDirectory() as folder:
        train(model, data, epochs=epochs, seed=0, out=Path(folder, "run"), backend=backend, dtype=dtype)
    return nats_of(model, data, backend=backend, dtype="float32")


def nats_of(model: Likelihood, data: Dataset, *, backend: str, dtype: str) -> float:
    """Mean −log p of the held-out digits."""
    return -float(model.log_prob(data.test.images, backend=backend, dtype=dtype).double().mean())


SIDES = {
    NATIVE: Side("genlab", partial(contender, "float32"), role="native"),
    BFLOAT16: Side("genlab", partial(contender, "bfloat16"), role="context"),
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Likelihoods against the torch walk's."""
    data, network = digits(settings["data"]), settings["network"]
    if settings["task"] == "trained":
        truth = nats_after_training(data, network, settings["epochs"], backend="torch", dtype="float32")
    else:
        truth = nats_of(load_model(network["name"]).double(), data, backend="torch", dtype="float32")

    def agreements(outputs: Arrays) -> Sequence[Agreement]:
        return [Agreement("nats an image", abs(float(outputs["nats"][0]) - truth), TOLERANCE)]

    return agreements


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """How far each format lies from the truth, and how much sooner bfloat16 is done."""
    found = []
    for result in results:
        key, name = result.case.settings["task"], f" ({result.case.name})"
        for side, word in ((NATIVE, "float32"), (BFLOAT16, "bfloat16")):
            if side in result:
                deviation = max(agreement.deviation for agreement in result[side].agreements)
                found.append(Figure(f"{key}_{word}_apart", deviation, f"nats an image, native in {word} from the truth{name}"))
        if BFLOAT16 in result:
            found.append(Figure(f"{key}_faster", 1 / result.ratio(result[BFLOAT16]), f"float32 / bfloat16, in time{name}"))
    return found


TABLE = Table("precision", __name__, ABOUT, SIDES, cases, check, figures)
