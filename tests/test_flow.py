"""Reversible models: there and back, volumes, densities that add up, an independent library, and whatever might make them stumble."""

from __future__ import annotations

import copy
import math
import re
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import systems
import torch
import zuko

import genlab
from genlab import proofs
from genlab.domain import Batch
from genlab.errors import InputError, TrainingError
from genlab.models.contract import Compute, abilities
from genlab.models.flow.layers import Mix, Norm, squeeze, unsqueeze
from genlab.models.flow.transforms import TAIL, affine, affine_back, parameters_of, spline, spline_back

PLANE: dict[str, Any] = {"image_shape": (2,), "levels": None}
KINDS = ("affine", "spline")


def flow(*, scale: float = 0.3, **settings: Any) -> Any:
    """A small flow, far from the identity."""
    model = systems.small("realnvp", **{"depth": 2, **settings}).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(scale * torch.randn(tensor.shape, generator=generator))
    return model


def two_moons(n: int = 512, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle, which = np.pi * rng.random(n), rng.integers(0, 2, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.where(which[:, None] == 0, upper, np.array([1.0, 0.5]) - upper) + 0.1 * rng.standard_normal((n, 2))
    return points.astype(np.float32)


# --- layers ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_has_an_inverse_and_says_its_slope(kind: str) -> None:
    """Values at and far beyond the ends of a spline too, and parameters that nobody would wish for."""
    values = torch.tensor([-1e6, -TAIL, -1.0, 0.0, 1e-9, 2.0, TAIL, 1e6], dtype=torch.float64).reshape(1, 1, 1, 8).repeat(30, 1, 1, 1)
    size = torch.linspace(0, 8, 30, dtype=torch.float64)[:, None, None, None, None]
    parameters = size * torch.randn(30, parameters_of(kind, 6), 1, 1, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    there, back = (affine, affine_back) if kind == "affine" else (spline, spline_back)
    values.requires_grad_()
    moved, log_slopes = there(values, parameters)
    (slopes,) = torch.autograd.grad(moved.sum(), values)
    torch.testing.assert_close(log_slopes, slopes.log())
    torch.testing.assert_close(back(moved, parameters), values, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_parameters_are_the_identity(kind: str) -> None:
    values = torch.randn(3, 2, 1, 1)
    moved, log_slopes = (affine if kind == "affine" else spline)(values, torch.zeros(1, parameters_of(kind, 8), 2, 1, 1))
    torch.testing.assert_close(moved, values)
    torch.testing.assert_close(log_slopes, torch.zeros(3, 2, 1, 1), atol=1e-6, rtol=0)


def test_gradients_through_a_spline_are_numbers_wherever_a_value_lies() -> None:
    """nflows issue 87: the branch of `where` that is not taken must not make a NaN."""
    values = torch.tensor([0.0, TAIL, -TAIL, 1e20, -1e20, math.nextafter(TAIL, 0)]).reshape(6, 1, 1, 1).requires_grad_()
    parameters = (20 * torch.randn(6, parameters_of("spline", 8), 1, 1, 1)).requires_grad_()
    moved, log_slopes = spline(values, parameters)
    gradients = torch.autograd.grad(moved.clamp(-9, 9).sum() + log_slopes.sum(), [values, parameters])
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_a_mix_inverts_and_its_volume_is_its_determinant() -> None:
    torch.manual_seed(0)
    mix = Mix(5).double()
    with torch.no_grad():
        for tensor in mix.parameters():
            tensor.add_(0.3 * torch.randn_like(tensor))
    values = torch.randn(3, 5, 2, 4, dtype=torch.float64)
    mixed, log_det = mix(values)
    torch.testing.assert_close(mix.inverse(mixed), values)
    columns = mix(torch.eye(5, dtype=torch.float64)[:, :, None, None])[0][:, :, 0, 0]
    torch.testing.assert_close(log_det, 8 * torch.linalg.slogdet(columns).logabsdet)


def test_a_norm_begins_with_the_first_batch_and_with_no_later_one() -> None:
    norm = Norm(2).train()
    first = 3 + 2 * torch.randn(64, 2, 3, 3)
    out, _ = norm(first)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(2))
    kept = copy.deepcopy(norm.state_dict())
    norm(torch.randn(64, 2, 3, 3))
    assert all(torch.equal(kept[name], tensor) for name, tensor in norm.state_dict().items())
    torch.testing.assert_close(norm.inverse(norm(first)[0]), first)


def test_what_is_the_same_everywhere_keeps_its_scale() -> None:
    norm = Norm(1).train()
    out, log_det = norm(torch.full((4, 1, 2, 2), 7.0))
    assert float(out.detach().abs().max()) == float(log_det.detach()) == 0


def test_squeezing_keeps_every_value_and_halves_are_a_checkerboard() -> None:
    values = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    assert torch.equal(unsqueeze(squeeze(values)), values)
    board = torch.arange(4)[:, None] + torch.arange(6)
    halves = squeeze((board % 2).expand(1, 1, 4, 6)).flatten(2)
    assert halves[0, :2].max() == 0
    assert halves[0, 2:].min() == 1


# --- against an independent library ----------------------------------------------------------------------------------------------

SLOPE = 1e-300  # zuko's least slope: parameters are clipped softly towards its logarithm, which `unclipped` undoes


def unclipped(values: torch.Tensor, share: float = 1.0) -> torch.Tensor:
    return values / (1 - values.abs() / (share * abs(math.log(SLOPE))))


def zuko_s(kind: str, parameters: torch.Tensor) -> Any:
    """The map of parameters ``(N, P, C)`` in zuko."""
    if kind == "affine":
        log_scale = 3 * torch.tanh(parameters[:, 0] / 3)
        return zuko.transforms.MonotonicAffineTransform(parameters[:, 1] * log_scale.exp(), unclipped(log_scale), slope=SLOPE)
    bins, least = (parameters.shape[1] + 1) // 3, 1e-3
    by_value = parameters.movedim(1, -1)
    shares = [least + (1 - least * bins) * by_value[..., i * bins : (i + 1) * bins].softmax(-1) for i in range(2)]
    slopes = torch.nn.functional.softplus(by_value[..., 2 * bins :] + math.log(math.expm1(1 - least))) + least
    widths, heights = (unclipped(share.log(), 0.5) for share in shares)
    return zuko.transforms.MonotonicRQSTransform(widths, heights, unclipped(slopes.log()), bound=TAIL, slope=SLOPE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_is_zuko_s(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    values = 4 * torch.randn(200, 3, generator=generator, dtype=torch.float64)
    parameters = torch.randn(200, parameters_of(kind, 5), 3, generator=generator, dtype=torch.float64)
    moved, log_slopes = (affine if kind == "affine" else spline)(values[..., None, None], parameters[..., None, None])
    theirs, their_log_slopes = zuko_s(kind, parameters).call_and_ladj(values)
    torch.testing.assert_close(moved[..., 0, 0], theirs)
    torch.testing.assert_close(log_slopes[..., 0, 0], their_log_slopes, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plane_s_density_is_zuko_s(kind: str) -> None:
    """The same layers composed in zuko, with this model's networks: the same log p at every point, and the same points from noise."""
    model = flow(**PLANE, coupling=kind, depth=3).double()
    transform = zuko.transforms.ComposedTransform(*(each for step in model.body.scales[0] for each in in_zuko(step)))
    base = zuko.distributions.DiagNormal(torch.zeros(2).double(), torch.ones(2).double())
    theirs = zuko.distributions.NormalizingFlow(transform, base)
    points = torch.randn(100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model.log_prob(points), theirs.log_prob(points))
        torch.testing.assert_close(model.inverse(points), transform.inv(points))


def in_zuko(step: Any) -> list[Any]:
    """A step in the plane as zuko's transforms."""
    norm, mix, coupling = step.norm, step.mix, step.coupling
    log_scale = (norm.log_scale - norm.spread.log()).flatten()
    shift = norm.shift.flatten() - norm.mean.flatten() * log_scale.exp()
    lower, upper = mix._factors()
    diagonal = upper.diagonal()
    triangles = (lower * diagonal).tril() + (upper / diagonal[:, None]).triu(1)

    def given(kept: torch.Tensor) -> Any:
        parameters = coupling.network(kept[:, :, None, None])[..., 0, 0].reshape(len(kept), -1, 1)
        return zuko.transforms.DependentTransform(zuko_s(coupling.kind, parameters), 1)

    return [
        zuko.transforms.MonotonicAffineTransform(shift, unclipped(log_scale), slope=SLOPE),
        zuko.transforms.LULinearTransform(triangles),
        zuko.transforms.PermutationTransform(mix.order),
        zuko.transforms.CouplingTransform(given, torch.tensor([True, False])),
        zuko.transforms.PermutationTransform(torch.tensor([1, 0])),
    ]


# --- whole flows -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2,), (3,), (7,)])
def test_points_come_back_and_volumes_are_the_jacobian_s(kind: str, shape: tuple[int, ...]) -> None:
    """Odd numbers of dimensions too."""
    model = flow(image_shape=shape, levels=None, coupling=kind)
    assert abilities(model) == {"likelihood", "latent", "invertible"}
    for check in (proofs.inverse_returns, proofs.log_det_is_the_jacobians):
        proof = check(model)
        assert proof.holds, proof.sentence


@pytest.mark.parametrize("settings", [{}, {"coupling": "affine"}, {"image_shape": (3, 3, 5), "scales": 0}, {"image_shape": (3, 4, 4)}])
def test_images_come_back_and_volumes_are_the_jacobian_s(settings: dict[str, Any]) -> None:
    model = flow(scale=0.1, **settings)
    assert abilities(model) == {"bound", "latent", "invertible"}
    for check in (proofs.inverse_returns, proofs.log_det_is_the_jacobians):
        proof = check(model)
        assert proof.holds, proof.sentence
    images = systems.images(model, 5)
    assert np.array_equal(model.decode(model.encode(images)).numpy(), images)


def test_the_way_through_the_layers_leads_where_the_whole_does_and_back() -> None:
    for settings in (PLANE, {}):
        model = flow(scale=0.1, **settings)
        values = torch.from_numpy(model.sample(4, 0, {})).float() + (0.5 if model.domain.is_image else 0)
        codes, log_det = model.forward_and_log_det(values)
        there = list(model.path(values))
        back = list(model.path_back(codes))
        torch.testing.assert_close(there[-1][0], codes)
        torch.testing.assert_close(there[-1][1], log_det)
        assert len(there) == len(back)
        for (station, _), again in zip(there, reversed(back), strict=True):
            assert station.shape == values.shape
            torch.testing.assert_close(again, station, rtol=1e-3, atol=1e-3)


def test_a_density_in_the_plane_adds_up_to_one_and_a_wrong_volume_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    model = flow(scale=0.15, **PLANE)
    proof = proofs.integrates_to_one(model)
    assert proof.holds, proof.sentence
    assert proof.figures["share inside"] > 0.95
    assert proofs.integrates_to_one(flow(image_shape=(3,), levels=None)).holds is None
    honest = Norm.forward
    monkeypatch.setattr(Norm, "forward", lambda norm, values: (honest(norm, values)[0], honest(norm, values)[1] + 0.02))
    assert proofs.integrates_to_one(model).holds is False
    assert proofs.log_det_is_the_jacobians(model).holds is False


def test_a_wrong_inverse_is_found() -> None:
    model = flow(**PLANE)
    honest = model.body.inverse
    model.body.inverse = lambda codes: 1.01 * honest(codes)
    assert proofs.inverse_returns(model).holds is False


@pytest.mark.parametrize("dequantisation", ["uniform", "variational"])
def test_a_bound_on_levels_is_below_their_probability(dequantisation: str) -> None:
    """Two pixels of two levels: P(x) by adding up the density over the squares of the four images; ELBO ≤ importance bounds ≤ log P."""
    model = flow(scale=0.2, image_shape=(2, 1, 1), levels=2, scales=0, dequantisation=dequantisation)
    side = 200
    middles = (torch.arange(2 * side) + 0.5) / side
    squares = torch.cartesian_prod(middles, middles)
    with torch.no_grad():
        density = model.log_density(squares[:, :, None, None]).exp().reshape(2, side, 2, side).mean((1, 3))
    images = np.array([[a, b] for a in (0, 1) for b in (0, 1)], np.uint8).reshape(4, 2, 1, 1)
    exact = density.flatten().log().numpy()
    assert float(density.sum()) < 1 + 1e-3  # nothing is lost but what lies beyond the levels
    batch = Batch(np.repeat(images, 100, axis=0))
    means = []
    for draws in (1, 10, 100):
        bound = model.importance_bound(batch, draws, Compute(key=(0,))).numpy().reshape(4, 100)
        assert (bound.mean(1) <= exact + 4 * bound.std(1) / 10 + 1e-3).all()
        means.append(bound.mean())
    assert means[0] < means[1] < means[2]
    # Uniform noise is spread as the density nearly is; a random q is further from it, and comes closer more slowly.
    np.testing.assert_allclose(means[2], exact.mean(), atol=0.03 if dequantisation == "uniform" else 0.2)


def test_the_bound_s_parts_add_up() -> None:
    model = flow(scale=0.1, dequantisation="variational")
    batch = Batch(systems.images(model, 6))
    parts = model.elbo(batch, Compute(key=(5,)))
    torch.testing.assert_close(parts["elbo"], parts["log_density"] + parts["dequantisation"])
    assert float(parts["dequantisation"].abs().min()) > 0
    uniform = flow(scale=0.1).elbo(batch, Compute(key=(5,)))
    assert float(uniform["dequantisation"].abs().max()) == 0


def test_a_figure_says_what_it_is_and_how_levels_became_real_values() -> None:
    data = genlab.load_dataset("digits", size=4)
    model = systems.small("realnvp", image_shape=data.image_shape, levels=data.levels, dequantisation="variational").eval()
    found = genlab.evaluate(model, data, limit=20)
    assert found.is_bound
    assert found.protocol.endswith("; variational dequantisation")
    assert found.nats == pytest.approx(-genlab.bound(model, data.test.images[:20]).mean(), abs=2)  # other noise
    assert genlab.evaluate(model, data, limit=20, importance=20).nats < found.nats
    plane = genlab.load_dataset(points=two_moons())
    found = genlab.evaluate(flow(**PLANE), plane)
    assert (found.is_bound, found.bits_per_dim, found.words) == (False, None, "nats a point")
    assert "points of 2 real values" in found.protocol


# --- training --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_training_makes_no_nan(seed: int) -> None:
    """A learning rate far too high for comfort, and no clipping: losses and weights stay numbers, and something is learnt."""
    points = two_moons(seed=seed)
    torch.manual_seed(seed)
    model = genlab.create_model("realnvp", **PLANE, depth=2, hidden=16, bins=6).train()
    adam = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for step in range(60):
        chosen = np.random.default_rng([seed, step]).integers(len(points), size=64)
        loss = model.terms("model", Batch(points[chosen]), Compute(key=(seed, step))).total
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
    assert np.mean(losses[-20:]) < np.mean(losses[:10])


def test_a_loss_that_is_no_number_names_the_tensor(tmp_path: Any) -> None:
    data = genlab.load_dataset(points=two_moons(64))
    model = flow(**PLANE)
    with torch.no_grad():
        model.body.scales[0][1].coupling.network.last.bias[0] = math.nan
    with pytest.raises(TrainingError, match=re.escape("'model/body.scales.0.1.coupling.network.last.bias'")):
        genlab.train(model, data, steps=2, out=tmp_path / "run")


@pytest.mark.parametrize("settings", [PLANE, {}, {"dequantisation": "variational"}])
def test_one_example_or_none_that_differ_train(settings: dict[str, Any]) -> None:
    model = systems.small("realnvp", **settings).train()
    for count in (1, 3):
        values = np.ones((count, *model.domain.shape), np.float32 if model.domain.levels is None else np.uint8)
        terms = copy.deepcopy(model).terms("model", Batch(values), Compute(key=(1,)))
        terms.total.backward()
        assert bool(terms.total.detach().isfinite())


# --- wrong input -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_shape": (1,), "levels": None}, "two values at least"),
        ({"image_shape": (1, 7, 7)}, "multiples of 4"),
        ({"image_shape": (1, 5, 5), "scales": 0}, "two values at least"),
        ({"image_shape": (2,)}, r"\(C, H, W\), of images"),
        ({"image_shape": (1, 4, 4), "levels": None}, r"\(D,\), of points"),
        ({"levels": 1}, "levels should be greater"),
        ({"levels": 300}, "levels should be less"),
        ({"coupling": "bent"}, "coupling should be"),
        ({"bins": 1}, "bins should be"),
    ],
)
def test_a_setting_that_cannot_be_is_a_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        systems.small("realnvp", **settings)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf, "warm", True, None])
def test_a_temperature_that_is_none_is_a_sentence(temperature: Any) -> None:
    with pytest.raises(InputError, match="temperature must be"):
        flow(**PLANE).sample(2, 0, {"temperature": temperature})


@pytest.mark.parametrize("settings", [PLANE, {}])
def test_an_absurd_temperature_gives_numbers_or_a_sentence(settings: dict[str, Any]) -> None:
    model = flow(**settings)
    for temperature in (1e-30, 1e6, 1e30, 1e300):
        with suppress(InputError):  # a sentence
            assert np.isfinite(model.sample(3, 0, {"temperature": temperature})).all()
    with pytest.raises(InputError, match="temperature must be so low that samples are finite; got 1e"):
        model.sample(3, 0, {"temperature": 1e300})
    cold = flow(**PLANE).sample(3, 0, {"temperature": 1e-30})
    np.testing.assert_allclose(cold[0], cold[1])


def test_values_that_a_flow_cannot_take_are_sentences() -> None:
    plane, images = flow(**PLANE), flow()
    for call, argument, words in (
        (plane.log_prob, np.zeros((3, 3)), r"shape \(N, 2\)"),
        (plane.log_prob, np.array([[0, np.nan]]), "finite"),
        (plane.inverse, "points", "array of numbers"),
        (images.encode, np.full((1, 1, 4, 4), 0.5), "integer levels"),
        (images.encode, np.full((1, 1, 4, 4), 2), "levels from 0 to 1; got 2"),
        (images.forward_and_log_det, np.full((1, 1, 4, 4), 2.5), "from 0 to 2"),
        (images.inverse, np.full((1, 1, 4, 4), np.inf), "finite"),
    ):
        with pytest.raises(InputError, match=words):
            call(argument)
    with pytest.raises(InputError, match="dtype must be 'float32'"):
        images.validate(Batch(systems.images(images, 2)), Compute(dtype="bfloat16"))
    with pytest.raises(InputError, match="backend"):
        plane.log_prob(np.zeros((1, 2)), backend="native")
    with pytest.raises(InputError, match="a lower bound on the likelihood"):
        genlab.log_prob(images, systems.images(images, 2))


def test_asking_for_more_keeps_the_first() -> None:
    model = flow(**PLANE)
    np.testing.assert_allclose(genlab.sample(model, 300, seed=4)[:5], genlab.sample(model, 5, seed=4), rtol=1e-5, atol=1e-5)
