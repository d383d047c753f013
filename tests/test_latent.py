"""Autoencoders and variational autoencoders: exact where a code can be integrated over, and a sentence for whatever is wrong."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import systems
import torch

import genlab
from genlab import proofs
from genlab.cli import main
from genlab.domain import Batch
from genlab.errors import InputError, TrainingError
from genlab.measures.bound import integrated_log_prob
from genlab.measures.collapse import code_use
from genlab.measures.probe import _drawn, probe
from genlab.models.contract import Compute
from genlab.models.latent import model as latent_model
from genlab.models.latent import variational
from genlab.models.latent.observation import Observation
from genlab.proofs import all_images
from genlab.runs import load_model
from genlab.testing import check_model
from genlab.training import train

HOW = Compute(key=(0,))


def steep(name: str = "vae", *, seed: int = 0, **settings: Any) -> Any:
    """A small model whose codes matter: its decoder's weights are larger than those that training begins with."""
    model = systems.small(name, seed=seed, **settings).eval()
    with torch.no_grad():
        for parameter, tensor in model.named_parameters():
            tensor.mul_(1.5 if parameter.startswith("encoder") else 2.5)
            if parameter.endswith(".second.weight"):  # of a residual block, which begins as nothing
                torch.nn.init.normal_(tensor, std=0.1, generator=torch.Generator().manual_seed(seed))
    return model


# --- p(x | z) ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vae", {"image_shape": (1, 2, 3)}),
        ("vae", {"image_shape": (2, 1, 2), "levels": 3, "likelihood": "categorical"}),
        ("vae", {"image_shape": (2, 1, 2), "levels": 3, "likelihood": "logistic"}),
        ("vae", {"image_shape": (1, 2, 3), "encoder": "convolutional", "decoder": "convolutional"}),
        ("pixelvae", {"image_shape": (1, 2, 3)}),
    ],
)
def test_given_a_code_the_images_probabilities_sum_to_one(name: str, settings: dict[str, Any]) -> None:
    model = steep(name, latents=2, **settings)
    images = all_images(model.domain.shape, model.domain.levels)
    codes = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32))
    with torch.no_grad():
        table = model.log_likelihood_table(images, codes)
        pairs = torch.stack([model.log_likelihood(images, code.expand(len(images), -1)) for code in codes], 1)
    assert torch.allclose(table.double().exp().sum(0), torch.ones(3, dtype=torch.float64), atol=1e-5)
    assert torch.allclose(table.double(), pairs.double(), atol=1e-4)
    assert float(table.std(1).max()) > 0.01  # the code matters


@pytest.mark.parametrize(("kind", "levels"), [("bernoulli", 2), ("categorical", 5), ("logistic", 5)])
def test_draws_and_means_are_those_of_the_probabilities(kind: Any, levels: int) -> None:
    observation = Observation(kind, levels)
    maps = torch.randn(1, observation.parameters, 1, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    every = torch.arange(levels).reshape(levels, 1, 1, 1)
    p = observation.log_prob(maps.expand(levels, -1, -1, -1), every).exp()
    uniforms = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    drawn = observation.draw(maps.expand(100_000, -1, -1, -1), uniforms.reshape(-1, 1, 1, 1)).flatten()
    assert torch.allclose(torch.bincount(drawn, minlength=levels).double() / 100_000, p, atol=2e-5)
    assert float(observation.expected(maps)) == pytest.approx(float((p * torch.linspace(0, 1, levels, dtype=p.dtype)).sum()), abs=1e-6)


def test_a_dense_decoder_is_a_few_matrices() -> None:
    model = steep(latents=2, image_shape=(1, 3, 3))
    code = np.array([[0.3, -1.2]], np.float32)
    first, *others = model.decoder_layers()
    hidden = code @ first[0].T + first[1]
    for weight, bias in others:
        hidden = (hidden / (1 + np.exp(-hidden))) @ weight.T + bias
    assert np.allclose(model.decode(code).detach().numpy().ravel(), 1 / (1 + np.exp(-hidden.ravel())), atol=1e-5)
    with pytest.raises(InputError, match="decoder must be dense"):
        steep(decoder="convolutional").decoder_layers()


# --- the bounds --------------------------------------------------------------------------------------------------------------------


def test_probabilities_of_all_images_sum_to_one_by_integration() -> None:
    for latents in (1, 2):
        model = steep(latents=latents, image_shape=(1, 2, 2))
        nats, off = integrated_log_prob(model, all_images((1, 2, 2), 2), points=121)
        assert np.exp(nats).sum() == pytest.approx(1, abs=1e-5)
        assert off.max() < 1e-5


def test_mean_weights_are_the_probability_itself() -> None:
    model = steep(latents=2, image_shape=(1, 2, 2), seed=1)
    images = all_images((1, 2, 2), 2)
    with torch.no_grad():
        weights = model.log_weights(torch.from_numpy(images), 20_000, torch.Generator().manual_seed(0)).exp()
    exact = np.exp(integrated_log_prob(model, images)[0])
    error = weights.std(0).numpy() / np.sqrt(len(weights))
    assert np.all(np.abs(weights.mean(0).numpy() - exact) < 5 * error + 1e-7)


def test_bounds_rise_to_the_exact_value() -> None:
    proof = proofs.bounds_rise(steep(latents=1, image_shape=(1, 2, 3)), draws=(1, 4, 16, 256))
    assert proof.holds, proof.sentence
    exact, elbo = proof.figures["log p(x), integrated"], proof.figures["ELBO"]
    assert exact - elbo > 0.05  # there is a gap, and it closes
    assert exact - proof.figures["IWAE(256)"] < 0.3 * (exact - elbo)


def test_a_bound_that_forgets_to_divide_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model = steep(latents=1, image_shape=(1, 2, 3))
    honest = type(model).importance_bound
    monkeypatch.setattr(type(model), "importance_bound", lambda self, batch, draws, how: honest(self, batch, draws, how) + np.log(draws))
    assert proofs.bounds_rise(model).holds is False


def test_where_a_code_is_long_the_bounds_rise_all_the_same() -> None:
    proof = proofs.bounds_rise(steep(latents=5))
    assert proof.holds
    assert "out of reach" in proof.sentence


def test_kl_and_gradient_by_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (steep(latents=3), steep("pixelvae", latents=3)):
        for check in (proofs.kl_fits_draws, proofs.gradient_is_slope):
            assert check(model).holds, check(model).sentence
    with monkeypatch.context() as broken:
        broken.setattr(variational, "kl_from_prior", lambda posterior: posterior.mean.square() / 2)
        assert proofs.kl_fits_draws(model).holds is False
    with monkeypatch.context() as broken:
        broken.setattr(variational, "_drawn", lambda posterior, noise: (posterior.mean + posterior.stddev).detach())
        assert proofs.gradient_is_slope(model).holds is False


def test_bound_is_a_number_for_each_image() -> None:
    model, images = steep(latents=2), np.random.default_rng(0).integers(0, 2, (5, 1, 4, 4), dtype=np.uint8)
    one, many = (genlab.bound(model, images, draws=draws) for draws in (1, 2000))
    exact, _ = integrated_log_prob(model, images)
    assert one.dtype == many.dtype == np.float64
    assert one.shape == many.shape == (5,)
    assert np.all(many < exact + 0.1)
    assert one.mean() < many.mean()
    assert abs(many - exact).max() < 0.3
    assert np.array_equal(genlab.bound(model, images, draws=7, seed=3), genlab.bound(model, images, draws=7, seed=3))
    assert not np.array_equal(genlab.bound(model, images, draws=7, seed=3), genlab.bound(model, images, draws=7, seed=4))
    assert genlab.bound(model, images[:0]).shape == (0,)


def test_memory_does_not_grow_with_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = steep(latents=2), []
    monkeypatch.setattr(latent_model, "VALUES_AT_ONCE", 16 * 100)
    model.decoder.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    genlab.bound(model, np.zeros((3, 1, 4, 4), np.uint8), draws=5000)
    assert max(seen) <= 100
    assert sum(seen) == 3 * 5000
    seen.clear()
    genlab.bound(model, np.zeros((30, 1, 4, 4), np.uint8), draws=10)
    assert max(seen) == 100  # ten images together
    assert sum(seen) == 300
    seen.clear()
    of_many_levels = steep(latents=2, levels=50, likelihood="categorical")
    of_many_levels.decoder.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    genlab.sample(of_many_levels, 9)
    assert seen == [2, 2, 2, 2, 1]  # fifty numbers a value


# --- PixelVAE ----------------------------------------------------------------------------------------------------------------------


def test_a_pixelvae_is_the_same_natively_and_in_torch() -> None:
    model = steep("pixelvae", latents=3).train()
    batch = Batch(np.random.default_rng(0).integers(0, 2, (4, 1, 4, 4), dtype=np.uint8))
    found = {}
    for backend in ("native", "torch"):
        total = model.terms("model", batch, Compute(backend, key=(1,))).total
        found[backend] = total.detach(), torch.autograd.grad(total, list(model.parameters()))
    assert float(found["native"][0]) == pytest.approx(float(found["torch"][0]), rel=1e-5)
    for ours, theirs in zip(*(found[backend][1] for backend in ("native", "torch")), strict=True):
        assert float((ours - theirs).abs().max()) <= 1e-3 * float(theirs.abs().max()) + 1e-7
    decoded = [gradient for (name, _), gradient in zip(model.named_parameters(), found["native"][1], strict=True) if "decoder" in name]
    assert decoded
    assert all(float(gradient.abs().max()) > 0 for gradient in decoded)


# --- every variant keeps its promises ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vae", {"encoder": "convolutional", "decoder": "convolutional", "image_shape": (3, 5, 6), "levels": 3, "beta_warmup": 3}),
        ("vae", {"levels": 4, "likelihood": "categorical", "free_bits": 0.5, "beta": 2.0, "latents": 1}),
        ("autoencoder", {"encoder": "convolutional", "denoising": 0.3, "bottleneck": 1}),
    ],
)
def test_variants_keep_their_promises(name: str, settings: dict[str, Any]) -> None:
    check_model(systems.small(name, **settings))


def test_samples_follow_from_seed_and_number() -> None:
    for name in ("autoencoder", "vae", "pixelvae"):
        model = steep(name)
        few, many = genlab.sample(model, 3, seed=5), genlab.sample(model, 9, seed=5)
        assert np.array_equal(few, many[:3])
        cold = genlab.sample(model, 9, seed=5, temperature=0.1)
        assert cold.dtype == np.uint8
        assert not np.array_equal(cold, many)


def test_beta_and_free_bits_change_what_is_minimised_and_not_what_is_reported() -> None:
    batch = Batch(np.random.default_rng(0).integers(0, 2, (6, 1, 4, 4), dtype=np.uint8))
    plain = steep().terms("model", batch, HOW)
    elbo, kl = float(plain.parts["elbo"]), float(plain.parts["kl"])
    assert plain.total.item() == pytest.approx(-elbo)
    heavy = steep(beta=3.0).terms("model", batch, HOW)
    assert heavy.total.item() == pytest.approx(-elbo + 2 * kl, rel=1e-5)
    assert float(heavy.parts["elbo"]) == pytest.approx(elbo)
    free = steep(free_bits=10.0, latents=32).terms("model", batch, HOW)
    assert free.total.item() == pytest.approx(320 - float(free.parts["reconstruction"]))
    rising = steep(beta_warmup=4).train()
    totals = [rising.terms("model", batch, HOW).total.item() for _ in range(6)]
    assert np.allclose(np.diff(totals), [kl / 4] * 3 + [0, 0], rtol=1e-3, atol=1e-4)


# --- what a code is used for -------------------------------------------------------------------------------------------------------


def test_collapse_is_noticed_and_said() -> None:
    images = Batch(np.random.default_rng(0).integers(0, 2, (50, 1, 4, 4), dtype=np.uint8))
    model = steep(latents=4)
    with torch.no_grad():
        for tensor in model.encoder.parameters():
            tensor.mul_(2)
    assert "4 of 4 latents are active" in code_use(model, images).sentence
    last = model.encoder[-1]
    with torch.no_grad():
        last.weight[[1, 2, 5, 6]] = 0  # means and log-scales of two of four latents
        last.bias[[1, 2, 5, 6]] = 0
    some = code_use(model, images)
    assert some.active.tolist() == [True, False, False, True]
    assert np.allclose(some.kl[1:3], 0, atol=1e-6)
    assert "2 of 4 latents are active" in some.sentence
    assert "other 2 have collapsed to the prior" in some.sentence
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
    assert "The posterior has collapsed: none of 4 latents" in code_use(model, images).sentence
    with pytest.raises(InputError, match="at least two images"):
        code_use(model, images[:1])


def test_a_probe_reads_codes_components_and_pixels() -> None:
    data = genlab.load_dataset("digits")
    model = genlab.create_model("autoencoder", image_shape=(1, 8, 8), levels=17, bottleneck=6, hidden=32)
    found = probe(model, data, labels=(10, 100), draws=3)
    assert [(each.features, each.size, each.labels) for each in found] == [
        (name, size, count) for name, size in (("code", 6), ("pca", 6), ("pixels", 64)) for count in (10, 100)
    ]
    by = {(each.features, each.labels): each.accuracy for each in found}
    assert by["pixels", 100].value > 0.8 > by["pixels", 10].value > 0.3
    assert all(each.low <= each.value <= each.high for each in by.values())
    assert probe(model, data, labels=(10,), draws=3)[1].accuracy == by["pca", 10]


def test_labels_are_drawn_evenly_over_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 4])
    chosen = _drawn(labels, 9, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [3, 3, 3]
    assert len(set(chosen)) == 9
    assert np.bincount(labels[_drawn(labels, 20, np.random.default_rng(0))]).tolist() == [8, 8, 4]


# --- what is wrong is said ---------------------------------------------------------------------------------------------------------

VAE: dict[str, Any] = {"image_shape": (1, 4, 4)}


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("vae", {"latents": 0}, "latents should be greater than or equal to 1; got 0"),
        ("pixelvae", {"latents": 0}, "latents should be greater than or equal to 1; got 0"),
        ("autoencoder", {"bottleneck": 0}, "bottleneck should be greater than or equal to 1; got 0"),
        ("autoencoder", {"bottleneck": 65}, "bottleneck should be less than or equal to 64; got 65"),
        ("vae", {"levels": 3, "likelihood": "bernoulli"}, "levels must be 2 for likelihood 'bernoulli'; got 3"),
        ("vae", {"likelihood": "gaussian"}, "likelihood should be"),
        ("autoencoder", {"denoising": 1.0}, "denoising should be less than 1"),
        ("vae", {"beta": -1}, "beta should be greater than or equal to 0"),
    ],
)
def test_settings_that_break_a_rule(name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        genlab.create_model(name, **{**VAE, **settings})


def test_arguments_that_break_a_rule() -> None:
    model, images = steep(latents=2), np.zeros((2, 1, 4, 4), np.uint8)
    cases: list[tuple[Any, str]] = [
        (lambda: genlab.bound(model, images, draws=0), "draws must be a whole number from 1 to 1,000,000; got 0"),
        (lambda: genlab.bound(model, images, draws=2.5), "draws must be a whole number"),  # type: ignore[arg-type]
        (lambda: genlab.bound(model, images, seed=-1), "seed must be a whole number"),
        (lambda: genlab.bound(model, images[0]), r"images must have shape \(N, 1, 4, 4\)"),
        (lambda: genlab.bound(model, images.astype(float)), "must hold integer levels; got torch.float64"),
        (lambda: genlab.bound(model, images + 2), "must hold levels from 0 to 1; got 2"),
        (lambda: genlab.bound(model, images, backend="native"), "backend must be one of auto, torch; got 'native'"),
        (lambda: genlab.bound(steep("autoencoder"), images), "bound needs a lower bound on the likelihood.*it has a code for each example"),
        (lambda: genlab.log_prob(model, images), "log_prob needs an exact likelihood.*it has a lower bound on the likelihood"),
        (lambda: model.encode("digits"), "images must be an array of integer levels; got 'str'"),
        (lambda: model.decode(np.zeros((1, 3))), r"codes must have shape \(N, 2\), the model's latent_shape; got \(1, 3\)"),
        (lambda: model.decode([[np.nan, 0]]), "codes must be finite"),
        (lambda: model.sample(1, 0, {"temperature": 0}), "temperature must be a finite number above 0; got 0"),
        (lambda: model.sample(1, 0, {"temperature": float("inf")}), "temperature must be a finite number above 0; got inf"),
        (
            lambda: genlab.sample(model, 1, known=images[:1], known_mask=images[0, 0] > 0),
            "option of model 'vae' must be one of temperature",
        ),
        (lambda: integrated_log_prob(steep(latents=3), images), "code of at most 2 numbers to be integrated by a grid; 'vae' has 3"),
        (lambda: integrated_log_prob(model, images, points=10), "points must be an odd number"),
        (lambda: proofs.bounds_rise(model, draws=(4, 1)), "ascending order"),
    ]
    for call, words in cases:
        with pytest.raises(InputError, match=words):
            call()


@pytest.mark.parametrize("name", ["autoencoder", "vae", "pixelvae"])
def test_an_absurd_temperature_is_finite_or_a_sentence(name: str) -> None:
    for temperature in (1e-30, 1e6):
        assert genlab.sample(steep(name), 2, temperature=temperature).shape == (2, 1, 4, 4)
    with pytest.raises(InputError, match="temperature must be so low that what is decoded is finite; got 1e\\+300"):
        genlab.sample(steep(name), 2, temperature=1e300)


def test_a_probe_that_cannot_be_made() -> None:
    images = np.random.default_rng(0).integers(0, 2, (40, 1, 4, 4), dtype=np.uint8)
    model = steep("autoencoder")
    for labels, words in ((None, "data must have labels"), (np.zeros(40, int), "at least two classes for a reader to tell apart")):
        with pytest.raises(InputError, match=words):
            probe(model, genlab.load_dataset(images=images, labels=labels))
    data = genlab.load_dataset(images=images, labels=np.arange(40) % 2)
    for asked, words in (({"labels": (1,)}, "labels must be from 2"), ({"labels": (10,), "draws": 1}, "draws must be at least 2")):
        with pytest.raises(InputError, match=words):
            probe(model, data, **asked)
    with pytest.raises(InputError, match="probe needs a code for each example"):
        probe(systems.small("pixelcnn"), data)


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_constant_images_and_batches_of_one(name: str, tmp_path: Any) -> None:
    data = genlab.load_dataset(images=np.zeros((12, 4, 4), np.uint8), source_levels=2)
    model = systems.small(name)
    run = train(model, data, steps=5, batch_size=1, out=tmp_path / "run")
    assert run.state() == "finished"
    assert genlab.sample(model, 2).shape == (2, 1, 4, 4)
    if name == "vae":
        assert "latents" in code_use(model, Batch(data.train.images)).sentence  # a sentence, and no division by nothing


def test_a_loss_that_is_not_finite_names_the_tensor_and_keeps_the_last_good_state(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = genlab.load_dataset(images=np.random.default_rng(0).integers(0, 2, (20, 4, 4), dtype=np.uint8))
    model = systems.small("vae")
    honest, calls = type(model).terms, []

    def poisoned(self: Any, player: str, batch: Batch, how: Compute) -> Any:
        calls.append(how)
        if len(calls) == 4:
            with torch.no_grad():
                self.decoder[0].weight[0, 0] = torch.nan
        return honest(self, player, batch, how)

    monkeypatch.setattr(type(model), "terms", poisoned)
    with pytest.raises(TrainingError, match=r"weight 'decoder.0.weight' is not finite any more at step 4; the checkpoint before is kept"):
        train(model, data, steps=9, out=tmp_path / "run", checkpoint_seconds=0)
    assert all(bool(tensor.isfinite().all()) for tensor in load_model(tmp_path / "run", weights="raw").state_dict().values())


# --- in a terminal -----------------------------------------------------------------------------------------------------------------


def test_a_bound_and_a_probe_in_a_terminal(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "test.json"
    assert main(["train", "vae", "--data", "digits", "--set", "steps=8", "latents=3", "hidden=16", "--out", str(run)]) == 0
    assert main(["evaluate", str(run), "--limit", "20", "--json", str(file)]) == 0
    told = capsys.readouterr().out
    assert "nats an image at most (the model's own bound)" in told
    assert "made of: reconstruction" in told
    assert "of 3 latents" in told
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["is_bound"]
    assert document["nats"] == pytest.approx(document["parts"]["kl"] - document["parts"]["reconstruction"])
    assert len(document["code"]["kl"]) == 3
    assert main(["evaluate", str(run), "--limit", "20", "--importance", "50", "--json", str(file)]) == 0
    assert "by 50 importance-weighted codes" in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8"))["nats"] < document["nats"]
    assert main(["probe", str(run), "--labels", "10", "--draws", "2", "--limit", "50", "--json", str(file)]) == 0
    assert "intervals over 2 draws of the labels" in capsys.readouterr().out
    assert [each["features"] for each in json.loads(file.read_text(encoding="utf-8"))["readings"]] == ["code", "pca", "pixels"]
    assert main(["train", "autoencoder", "--data", "digits", "--set", "steps=3", "hidden=16", "--out", str(tmp_path / "plain")]) == 0
    assert main(["evaluate", str(tmp_path / "plain"), "--limit", "20", "--json", str(file)]) == 0
    assert "squared error an image, 20 examples" in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8"))["figures"]["squared_error"]["mean"] > 0
    assert main(["evaluate", "digits-pixelcnn", "--limit", "2", "--importance", "5"]) == 2
    assert "importance=5 needs a lower bound" in capsys.readouterr().err
