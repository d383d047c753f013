"""What models with a code for each image show: their decoder, where test images lie, what comes back, and the bound beside log p(x)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components.decoder import Decoder, decoder_of
from genlab.dashboard.components.elbo import Scene
from genlab.dashboard.components.walk import Crowd, Own, Plane
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out_crowd, model_of
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures.evidence import BoundByDraws, Evidence, Proposal, bounds_by_draws, log_evidence, log_weights
from genlab.measures.resampling import NORMAL, Estimate
from genlab.models.contract import Compute
from genlab.runs import open_run, pretrained_path

if TYPE_CHECKING:
    from genlab.measures.collapse import CodeUse
    from genlab.measures.probe import Reading

PRIOR_REACH = 3.5
"""So far from 0 the plane goes where codes have a prior."""
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
SHELF = 24
"""So many test images can be looked at one by one."""
PROPOSALS: dict[str, Proposal] = {"codes from q(z | x)": "posterior", "codes from the prior": "prior"}
_DRAWS, _DEAR_DRAWS = 20_000, 400  # codes that bounds are made of; where to decode one takes long, fewer
_SIDE = 61  # of the magnified posterior
_HERMITE = 9  # nodes for each of two latents
_PAIRS = 32  # of codes and their mirror images, for more latents
_USUAL = 200  # images


SIZES = (1, 2, 4, 8, 16, 32)
"""Numbers in the codes of the autoencoders that come with genlab."""
AUTOENCODERS = {f"mnist-autoencoder-{size}": size for size in SIZES}
DENOISER = "mnist-denoiser"


def shipped_autoencoders() -> dict[int, Source]:
    """The autoencoders that come with genlab, by the numbers in their codes."""
    return {size: _shipped(name) for name, size in AUTOENCODERS.items() if pretrained_path(name)}


def shipped_denoiser() -> Source | None:
    """The one among them that was trained on blotted images."""
    return _shipped(DENOISER) if pretrained_path(DENOISER) else None


def _shipped(name: str) -> Source:
    return Source(name, 0, f"{name}, comes with genlab")


@st.cache_resource(max_entries=8, show_spinner=False)
def decoder(source: Source) -> Decoder | None:
    """Its decoder for the browser; None where it is none that can be sent."""
    try:
        return decoder_of(model_of(source))
    except (InputError, RuntimeError):  # the latter where layers do not follow each other as they stand
        return None


@st.cache_resource(max_entries=8, show_spinner=False)
def crowd(source: Source) -> Crowd:
    """Test images with their codes.

    Raises:
        InputError: The model's data is not at hand.
    """
    import torch

    images, labels, words = held_out_crowd(source)
    with SAMPLING_SLOT, torch.no_grad():
        return Crowd(model_of(source).encode(images).float().numpy(), images, labels, words)


def plane(source: Source) -> Plane:
    """The plane of the two latents that vary most from image to image, the others at their mean; around 0 where codes have a prior."""
    codes = crowd(source).codes
    first, second = sorted(int(axis) for axis in np.argsort(-codes.var(0), kind="stable")[:2])
    if hasattr(model_of(source), "posterior"):
        return Plane((first, second), (0.0,) * codes.shape[1], ((-PRIOR_REACH, PRIOR_REACH),) * 2)
    low, high = codes[:, [first, second]].min(0), codes[:, [first, second]].max(0)
    margin = (high - low) / 10 + 1e-6
    extent = tuple((float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True))
    return Plane((first, second), tuple(codes.mean(0).tolist()), (extent[0], extent[1]))


def far_apart(source: Source) -> tuple[int, int]:
    """Two test images whose codes lie far from each other: the first, and of those that are shown first the one farthest from it."""
    codes = crowd(source).codes[:32]
    return 0, int(np.square(codes - codes[0]).sum(1).argmax())


@st.cache_data(max_entries=32, show_spinner=False)
def own(source: Source, content: bytes) -> Own:
    """The code of a picture that the visitor has drawn."""
    import torch

    model = model_of(source)
    image = np.frombuffer(content, np.uint8).reshape(model.domain.shape).copy()  # torch wants to be able to write
    with torch.no_grad():
        if hasattr(model, "posterior"):
            q = model.posterior(image[None])
            return Own(image, q.mean[0].numpy(), q.stddev[0].numpy())
        code = model.encode(image[None])[0].numpy()
    return Own(image, code, np.zeros_like(code))


# --- what comes back ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Returned:
    """What a model, or another way of the same size, makes of test images.

    Attributes:
        intensities: ``(N, C, H, W)``, from 0 to 1.
        errors: Σ (x − x̂)² of each image, ``(N,)``.
    """

    intensities: NDArray[np.float32]
    errors: NDArray[np.float64]

    @property
    def mean_error(self) -> Estimate:
        """With the 95% interval of the mean over images."""
        mean, half = float(self.errors.mean()), NORMAL * float(self.errors.std(ddof=1)) / math.sqrt(len(self.errors))
        return Estimate(mean, mean - half, mean + half)

    def greys(self, count: int) -> NDArray[np.uint8]:
        """The first ones in 256 levels."""
        shown: NDArray[np.uint8] = np.rint(255 * self.intensities[:count].clip(0, 1)).astype(np.uint8)
        return shown


@st.cache_data(max_entries=16, show_spinner=False)
def returned(source: Source, blotted: float = 0.0, seed: int = 0) -> Returned:
    """Test images through a model's code and back; before that, a share of their pixels is set to 0."""
    import torch

    model, images = model_of(source), crowd(source).images
    with SAMPLING_SLOT, torch.no_grad():
        back = model.decode(model.encode(blot(images, blotted, seed))).float().numpy()
    return _returned(images, back, model.domain.levels)


def blot(images: NDArray[np.uint8], share: float, seed: int) -> NDArray[np.uint8]:
    """Images of which that share of the pixels is 0."""
    kept = np.random.Generator(np.random.Philox(key=seed)).random(images.shape) >= share
    blotted: NDArray[np.uint8] = images * kept
    return blotted


@st.cache_data(max_entries=16, show_spinner=False)
def returned_by_pca(source: Source, size: int) -> tuple[Returned, int]:
    """The same test images through as many principal components, and of how many images these are."""
    model, images = model_of(source), crowd(source).images
    settings = {key: value for key, value in open_run(source.path).config["data"].items() if key != "record"}
    name = settings.pop("name")
    # All of MNIST may be a download away, and a page calls nobody.
    mean, components, count = _principal("mnist5k" if name == "mnist" else name, tuple(settings.items()))
    kept = components[:size]
    flat = images.reshape(len(images), -1).astype(np.float64) / (model.domain.levels - 1) - mean
    back = (flat @ kept.T @ kept + mean).clip(0, 1)
    return _returned(images, back.reshape(images.shape).astype(np.float32), model.domain.levels), count


@st.cache_resource(max_entries=4, show_spinner=False)
def _principal(name: str, settings: tuple[tuple[str, Any], ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Mean and principal components of a dataset's training images, the strongest first, and how many images these are."""
    from genlab.datasets import load_dataset

    data = load_dataset(name, **dict(settings))
    flat = data.train.images.reshape(len(data.train), -1).astype(np.float64) / max(1, (data.levels or 2) - 1)
    mean = flat.mean(0)
    _, axes = np.linalg.eigh(np.cov((flat - mean).T))
    return mean, axes.T[::-1], len(flat)


def _returned(images: NDArray[np.uint8], back: NDArray[np.float32], levels: int) -> Returned:
    errors = np.square(images / np.float64(levels - 1) - back).reshape(len(images), -1).sum(1)
    return Returned(back, errors)


# --- what the code is good for -----------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=8, show_spinner=False)
def readings(source: Source) -> list[Reading] | None:
    """What ``genlab probe RUN --json RUN/probe.json`` found; None where it was not asked, or the file is none of it."""
    from genlab.measures.probe import Reading

    file = open_run(source.path).path / "probe.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["readings"]
        return [Reading(**{**each, "accuracy": Estimate(**each["accuracy"])}) for each in found] or None
    except (OSError, ValueError, KeyError, TypeError):
        return None


# --- the bound ---------------------------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=64, show_spinner=False)
def evidence(source: Source, number: int) -> Evidence | None:
    """Log p(x) of a test image, integrated; None where there are more than two latents, or to decode takes long."""
    model, image = model_of(source), crowd(source).images[number][None]
    if tuple(model.latent_shape) != (2,) or decoder(source) is None:
        return None
    with SAMPLING_SLOT:
        return log_evidence(model, image)


@st.cache_data(max_entries=32, show_spinner=False)
def scene(source: Source, number: int) -> Scene:
    """A test image with everything that prior, encoder and decoder say of it."""
    import torch

    model, found, shown = model_of(source), evidence(source, number), plane(source)
    image = crowd(source).images[number]
    with torch.no_grad():
        q = model.posterior(image[None])
    mean, std = q.mean[0].numpy(), q.stddev[0].numpy()
    reach = max(0.3, 6 * float(std[list(shown.axes)].max()))
    (left, right), (bottom, top) = ((float(mean[axis]) - reach, float(mean[axis]) + reach) for axis in shown.axes)
    posterior = None if found is None else _posterior(model, image, np.linspace(left, right, _SIDE), np.linspace(top, bottom, _SIDE))
    nodes, weights = _nodes(len(mean))
    return Scene(
        image=image,
        mean=mean,
        std=std,
        axes=shown.axes,
        nodes=nodes,
        weights=weights,
        window=((left, right), (bottom, top)),
        posterior=posterior,
        evidence=None if found is None else (found.nats, found.error),
    )


def _posterior(model: Any, image: NDArray[np.uint8], across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float32]:
    """p(z | x) at the nodes of a grid, 1 at the highest: there it is p(x | z) p(z) up to a factor."""
    import torch

    codes = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2).astype(np.float32)
    with torch.no_grad():
        joint = model.log_likelihood_table(image[None], torch.from_numpy(codes))[0].double().numpy() - np.square(codes).sum(1) / 2
    heights: NDArray[np.float32] = np.exp(joint - joint.max()).reshape(len(down), len(across)).astype(np.float32)
    return heights


def _nodes(latents: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Standard normal codes that stand for all, and their weights: Gauss and Hermite's of two latents, drawn ones in pairs of more."""
    if latents == 2:
        points, weights = np.polynomial.hermite_e.hermegauss(_HERMITE)
        nodes = np.stack(np.meshgrid(points, points), -1).reshape(-1, 2)
        both = np.outer(weights, weights).ravel() / weights.sum() ** 2
        return nodes.astype(np.float32), both.astype(np.float32)
    half = np.random.Generator(np.random.Philox(key=0)).standard_normal((_PAIRS, latents)).astype(np.float32)
    return np.concatenate([half, -half]), np.full(2 * _PAIRS, 0.5 / _PAIRS, np.float32)


@st.cache_data(max_entries=32, show_spinner=False)
def bounds(source: Source, number: int) -> dict[str, list[BoundByDraws]]:
    """The bound by K codes on log p of a test image, by codes from q(z | x) and by codes from the prior."""
    model, image = model_of(source), crowd(source).images[number][None]
    draws = _DRAWS if decoder(source) else _DEAR_DRAWS
    counts = [count for count in COUNTS if 2 * count <= draws]
    with SAMPLING_SLOT:
        return {
            words: bounds_by_draws(log_weights(model, image, draws, proposal=proposal), counts) for words, proposal in PROPOSALS.items()
        }


@st.cache_data(max_entries=8, show_spinner=False)
def usual_cost(source: Source) -> float:
    """−ELBO of test images in nats, on average."""
    batch = Batch(crowd(source).images[:_USUAL])
    with SAMPLING_SLOT:
        found = model_of(source).elbo(batch, Compute())
    return -float(found["elbo"].mean())


@st.cache_data(max_entries=8, show_spinner=False)
def uses(source: Source) -> CodeUse:
    """What each latent is used for, over all test images at hand."""
    from genlab.measures.collapse import code_use

    batch = Batch(crowd(source).images)
    with SAMPLING_SLOT:
        return code_use(model_of(source), batch)
