"""The labs of models with a code: what the browser decodes is what the model decodes, and every number on the pages is the model's own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

import genlab
from genlab import runs
from genlab.browser import FOLDER
from genlab.dashboard.components.decoder import decoder_of
from genlab.dashboard.components.pad import Drawing
from genlab.dashboard.components.walk import name_of
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.stage import latent, sources
from genlab.dashboard.stage.sources import Source
from genlab.errors import InputError
from genlab.measures.bound import integrated_log_prob
from genlab.measures.evidence import bounds_by_draws, log_evidence, log_weights
from tests.browser import PATIENCE_MS, Server
from tests.pages import components, press, rerun
from tests.test_browser_pages import settle

ROOT = Path(__file__).parent.parent
SMALL = {"image_shape": (1, 8, 8), "levels": 2, "hidden": 12, "channels": 3}


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


def small(system="vae", **settings):
    torch.manual_seed(0)
    own = {"latents": 2} if system == "vae" else {"bottleneck": 3}
    model = genlab.create_model(system, **{**SMALL, **own, **settings})
    with torch.no_grad():  # codes that matter, so that a plane has something to show
        for name, parameter in model.named_parameters():
            parameter.mul_(2 if name.endswith("weight") else 1)
    return model.eval()


def a_run(model, name="mine", **data):
    run = runs.Run(runs.runs_folder() / name)
    run.path.mkdir(parents=True)
    told = {"name": "digits", "levels": None, "binarize": "threshold", "size": None, "seed": 0, "record": {}, **data}
    config = {
        "format": 2,
        "model": model.config,
        "report": vars(model.report),
        "abilities": sorted(genlab.models.contract.abilities(model)),
        "domain": {"shape": model.domain.shape, "levels": model.domain.levels},
        "data": told,
        "training": {},
        "seed": 0,
    }
    runs.write_config(run, config)
    runs.save_model(model, run.checkpoint_path)
    return Source(str(run.path.resolve()), run.checkpoint_path.stat().st_mtime_ns, "mine")


def opened(page, **query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = str(value)
    app.switch_page(PAGES[page].file)
    return rerun(app)


def headers(app):
    return [each.value for each in app.header]


# --- the decoder in the browser ----------------------------------------------------------------------------------------------------


DECODERS = {
    "dense bernoulli": ("vae", {}),
    "dense categorical": ("vae", {"levels": 5, "likelihood": "categorical"}),
    "dense logistic": ("vae", {"levels": 17, "likelihood": "logistic"}),
    "convolutional, three channels": ("vae", {"image_shape": (3, 8, 8), "levels": 4, "decoder": "convolutional"}),
    "convolutional, an odd size": ("vae", {"image_shape": (1, 7, 10), "decoder": "convolutional"}),
    "autoencoder": ("autoencoder", {"levels": 17}),
}


@pytest.mark.browser
def test_the_browser_decodes_what_the_model_decodes(browser: Browser) -> None:
    script = "\n".join((FOLDER / name).read_text() for name in ("ink.js", "decoder.js"))
    tab = browser.new_page()
    for words, (system, settings) in DECODERS.items():
        model = small(system, **settings)
        data = decoder_of(model).as_data()
        with torch.no_grad():
            for parameter in model.decoder.parameters():
                parameter.copy_(parameter.half())  # what was sent
        codes = torch.randn(3, *model.latent_shape, generator=torch.Generator().manual_seed(1))
        images = np.random.default_rng(0).integers(0, model.domain.levels, (3, *model.domain.shape), dtype=np.uint8)
        levels = images.transpose(0, 2, 3, 1).reshape(3, -1)
        asked = {"data": data, "codes": codes.tolist(), "levels": levels.tolist()}
        pictures, nats = tab.evaluate(
            "({ data, codes, levels }) => {"
            + script
            + """
                const decoder = createDecoder(data);
                return [codes.map((code) => [...decoder.picture(code)]), codes.map((code, n) => decoder.logLikelihood(levels[n], code))];
            }""",
            asked,
        )
        with torch.no_grad():
            expected = 255 * model.decode(codes).permute(0, 2, 3, 1).reshape(3, -1).numpy()
        assert np.abs(np.array(pictures) - expected).max() < 0.51, words
        if system == "vae":
            with torch.no_grad():
                expected = model.log_likelihood(images, codes).numpy()
            np.testing.assert_allclose(nats, expected, rtol=1e-4, err_msg=words)
    tab.close()


def test_a_decoder_that_does_more_than_its_layers_say_is_not_sent():
    model = small()
    model.decode = lambda codes: 1 - type(model).decode(model, codes)
    with pytest.raises(InputError, match="no more than its layers say"):
        decoder_of(model)
    model.decoder = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.GELU())
    with pytest.raises(InputError, match="dense layers and transposed convolutions"):
        decoder_of(model)


# --- bounds by more and more codes -------------------------------------------------------------------------------------------------


def test_more_codes_come_closer_to_the_integral_whoever_proposes_them():
    model = small()
    image = np.random.default_rng(0).integers(0, 2, (1, 1, 8, 8), dtype=np.uint8)
    (exact,), (error,) = integrated_log_prob(model, image)
    assert error < 1e-3
    found = log_evidence(model, image)
    assert abs(found.nats - exact) < 1e-4
    assert found.error < 1e-4
    with pytest.raises(InputError, match="2 latents"):
        log_evidence(small(latents=3), image)
    for proposal in ("posterior", "prior"):
        weights = log_weights(model, image, 20_000, proposal=proposal)
        bounds = bounds_by_draws(weights, (1, 10, 1000, 5000))
        values = [each.nats.value for each in bounds]
        assert values == sorted(values)
        assert all(each.nats.low < exact for each in bounds)
        last = bounds[-1].nats
        assert abs(last.value - exact) < 0.05
        assert last.low < last.value < last.high
    elbo = bounds_by_draws(log_weights(model, image, 20_000), (1,))[0].nats
    q = model.posterior(image)
    with torch.no_grad():
        codes = q.sample((20_000,))[:, 0]
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
        expected = float(model.log_likelihood_table(image, codes).mean() - kl)
    assert abs(elbo.value - expected) < 4 * elbo.standard_error + 0.05


def test_weights_need_a_posterior():
    with pytest.raises(InputError, match="normal distribution of codes"):
        log_weights(small("autoencoder"), np.zeros((1, 1, 8, 8), np.uint8), 10)


# --- the VAE lab -------------------------------------------------------------------------------------------------------------------


def test_the_vae_lab_walks_draws_bounds_and_integrates():
    model = small()
    source = a_run(model)
    app = opened("vae_lab", model="mine")
    assert not app.error
    assert not app.warning
    names = [each.proto.component_name for each in components(app)]
    assert names == ["genlab_walk", "genlab_pad", "genlab_elbo"]
    told = [each.value for each in app.caption]
    exact = integrated_log_prob(model, latent.crowd(source).images[:1])[0][0]
    assert any(f"log p(x) is −{-exact:.2f}" in words for words in told)
    assert any("latents are active" in each.value or "collapsed" in each.value for each in app.markdown)
    press(app, "Another image")
    assert any("Image 2: ELBO" in each.value for each in app.caption)
    assert [row["latents"] for row in app.dataframe[0].value.to_dict("records")][:2] == [2, 3]


def test_a_drawn_digit_is_encoded_and_stands_on_the_map():
    model = small()
    source = a_run(model)
    digit = np.zeros((1, 8, 8), np.uint8)
    digit[0, 1:7, 3:5] = 1
    app = opened("vae_lab", model="mine", drawing=Drawing(digit, 8).as_text())
    with torch.no_grad():
        q = model.posterior(digit[None])
    where = f"z₁ = {float(q.mean[0, 0]):.2f} ± {float(q.stddev[0, 0]):.2f}"
    assert any(where in each.value for each in app.markdown)
    own = latent.own(source, digit.tobytes())
    np.testing.assert_allclose(own.code, q.mean[0].numpy(), rtol=1e-5)


def test_more_latents_have_no_integral_and_the_page_says_so():
    a_run(small(latents=5))
    app = opened("vae_lab", model="mine")
    assert not app.error
    assert any("nobody can compute log p(x)" in each.value for each in app.caption)
    assert any("10⁵ nodes" in each.value for each in app.markdown)


def test_the_expectation_s_nodes_are_those_of_a_normal_distribution():
    for latents in (2, 5):
        nodes, weights = latent._nodes(latents)
        assert nodes.shape == (len(weights), latents)
        np.testing.assert_allclose(weights.sum(), 1, rtol=1e-5)
        np.testing.assert_allclose(weights @ nodes, 0, atol=1e-5)
    nodes, weights = latent._nodes(2)
    np.testing.assert_allclose(weights @ nodes**2, 1, rtol=1e-5)
    np.testing.assert_allclose(weights @ nodes**4, 3, rtol=1e-5)


@pytest.mark.browser
def test_the_digit_follows_pointer_and_keyboard_without_the_server(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    sent: list[object] = []
    tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    tab.goto(f"{server.url}/vae_lab")
    settle(tab)
    code, crowd = tab.locator(".walk .code"), tab.locator(".walk .crowd")
    expect(code).to_have_text("z₁ = 0.00, z₂ = 0.00")
    sent.clear()
    crowd.hover(position={"x": 40, "y": 60})
    expect(code).to_have_text(re.compile(r"z₁ = −[\d.]+, z₂ = [\d.]+"))
    first = tab.locator(".walk .digit").evaluate(PIXELS)
    crowd.focus()
    for key in ("Shift+ArrowRight",) * 10 + ("Shift+ArrowDown",) * 10:
        crowd.press(key)
    expect(code).to_have_text(re.compile(r"z₁ = [1-9][\d.]*, z₂ = −[\d.]+"))
    assert tab.locator(".walk .digit").evaluate(PIXELS) != first
    crowd.press("b")
    there = code.inner_text()
    tab.locator(".walk .share").press("Home")
    expect(code).not_to_have_text(there)
    tab.locator(".walk .share").press("End")
    expect(code).to_have_text(there)

    model, scene = sources.model_of(PLANE), latent.scene(PLANE, 0)
    with torch.no_grad():
        codes = torch.from_numpy(scene.mean + scene.std * scene.nodes)
        reconstruction = float(torch.from_numpy(scene.weights) @ model.log_likelihood_table(scene.image[None], codes)[0])
    kl = float((scene.mean**2 + scene.std**2 - 1).sum() / 2 - np.log(scene.std).sum())
    verdict, gap = tab.locator(".elbo .verdict"), tab.locator(".elbo .mine-nats")
    said = float(re.findall(r"−ELBO = ([\d.]+) nats", verdict.inner_text())[0])
    assert abs(said - (kl - reconstruction)) < 0.1  # weights were rounded to float16 on their way
    assert abs(float(gap.inner_text().split()[0]) - (latent.evidence(PLANE, 0).nats + said)) < 0.1
    own = gap.inner_text()
    tab.get_by_label("mean of z₁").press("PageUp")
    expect(gap).not_to_have_text(own)
    tab.get_by_role("button", name="the encoder’s own answer").click()
    expect(gap).to_have_text(own)
    assert sent == []
    context.close()


PLANE = Source("mnist-vae-2d", 0, "")
PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join()"


# --- the autoencoder lab -----------------------------------------------------------------------------------------------------------


def test_the_autoencoder_lab_shows_what_comes_back_beside_principal_components():
    model = small("autoencoder", levels=17)
    source = a_run(model, binarize=None)
    app = opened("autoencoder_lab", model="mine")
    assert not app.error
    assert headers(app)[:2] == ["A map with holes", "The decoder has done its job"]
    images = latent.crowd(source).images
    back = latent.returned(source)
    error = np.square(images / 16 - model.reconstruct(images).detach().numpy()).sum((1, 2, 3))
    np.testing.assert_allclose(back.errors, error, rtol=1e-4)
    assert any(f"on average {back.mean_error.value:.1f}" in each.value for each in app.caption)
    errors = [latent.returned_by_pca(source, size)[0].errors.mean() for size in (1, 8, 64)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6  # as many components as pixels lose nothing


def test_a_probe_s_file_is_shown_and_a_broken_one_is_none():
    source = a_run(small("autoencoder", levels=17), binarize=None)
    assert latent.readings(source) is None
    file = Path(source.path) / "probe.json"
    file.write_text('{"readings": [{"features": "code"}]}')
    latent.readings.clear()
    assert latent.readings(source) is None
    one = '{"features": "%s", "size": 3, "labels": 10, "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}, "draws": 20, "held_out": 360}'
    file.write_text(f'{{"readings": [{", ".join(one % each for each in ("code", "pca", "pixels"))}]}}')
    latent.readings.clear()
    app = opened("autoencoder_lab", model="mine")
    assert any("With 10 labels codes reach **50.0%**" in each.value for each in app.markdown)


def test_blots_take_the_share_that_was_asked_for():
    images = np.full((50, 1, 8, 8), 3, np.uint8)
    blotted = latent.blot(images, 0.3, 0)
    assert abs((blotted == 0).mean() - 0.3) < 0.03
    assert set(np.unique(blotted)) == {0, 3}
    assert np.array_equal(latent.blot(images, 0.0, 0), images)


def test_a_latent_is_written_as_people_write_it():
    assert [name_of(latent) for latent in (0, 11, 31)] == ["z₁", "z₁₂", "z₃₂"]
