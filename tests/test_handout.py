"""Hand-outs: one HTML file a model, opened from the disk in a browser without a web; it agrees with what was computed here."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser

from genlab.cli import main
from genlab.errors import InputError
from genlab.handout import KINDS, LIMIT_MB, hand_out
from genlab.handout.numbers import FORMATS
from genlab.models.contract import abilities
from genlab.runs import save_model
from tests.browser import PATIENCE_MS
from tests.systems import causal, small

MNIST = ("mnist-pixelcnn", "mnist-vae", "mnist-dcgan", "mnist-flow")  # the largest of each kind
PLAIN = {"image_shape": (1, 8, 8)}
MODELS = {
    "relu, add": lambda: causal("pixelcnn", "binary", "seen"),
    "gates, rows, classes": lambda: causal("gated_pixelcnn", "classes", "seen"),
    "strides, cELU, colours, a mixture": lambda: causal("pixelcnn_pp", "colour", "seen"),
    "an LSTM by rows": lambda: causal("row_lstm", "binary", "seen"),
    "LSTMs along diagonals, colours": lambda: causal("diagonal_bilstm", "colour", "seen"),
    "given a small image": lambda: causal("pixelcnn", "small", "seen"),
    "a map of codes, dense": lambda: small("vae", **PLAIN, latents=2, decoder="dense", levels=5),
    "codes with a covariance": lambda: flowing(small("autoencoder", image_shape=(3, 7, 10), bottleneck=5, decoder="convolutional")),
    "batch norms, classes, dense": lambda: stirred(small("mlp_gan", **PLAIN, latent=3, classes=2)),
    "batch norms, transposed": lambda: stirred(small("dcgan", **PLAIN, latent=2)),
    "points of the plane": lambda: small("gan2d", latent=2),
    "a flow of images, splines, scales": lambda: flowing(small("realnvp", **PLAIN, levels=17, depth=3, scales=2)),
    "a flow of points, affine": lambda: flowing(small("realnvp", image_shape=(2,), levels=None, coupling="affine", depth=3)),
    "points of many numbers": lambda: stirred(small("gan2d", latent=4, batch_norm=True)),
}

# What the largest of the draws looks like, and how many of its pixels are painted: the theatre's wall, a wall of codes, or points.
WALL = """(document.querySelector("#theatre-here")?.shadowRoot.querySelector(".others") ?? document.querySelector("#wall, #points"))"""
LOOK = f"() => {WALL}.toDataURL()"
INK = f"() => {{ const c = {WALL}; return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter(Boolean).length; }}"


def folder_of(model: Any, path: Path, **changed: Any) -> Path:
    """A run folder as a packaged model has it: a config and the weights."""
    path.mkdir()
    config = {
        "format": 2,
        "model": model.config,
        "report": asdict(model.report),
        "abilities": sorted(abilities(model)),
        "domain": {"shape": model.domain.shape, "levels": model.domain.levels},
        "data": {"name": "digits"},
        "training": {},
        "seed": 0,
    }
    (path / "config.json").write_text(json.dumps({**config, **changed}))
    save_model(model, path / "model.safetensors")
    return path


def stirred(model: Any) -> Any:
    """The model as if it had been trained: its batch norms have seen something."""
    generator = torch.Generator().manual_seed(3)
    for norm in (module for module in model.modules() if hasattr(module, "running_var")):
        for tensor in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model


def flowing(model: Any) -> Any:
    """A model in which nothing is the identity: all that starts as zero is not."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


# --- in the browser ----------------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_each_opens_from_the_disk_agrees_and_draws(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 390, "height": 800})
    context.route(re.compile("^(?!file:|data:)"), lambda route: route.abort())
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for number, (words, make) in enumerate(MODELS.items()):
        file = tmp_path / f"{number}.html"
        file.write_bytes(hand_out(folder_of(make(), tmp_path / str(number))))
        asked.clear()
        page.goto(file.as_uri())
        page.locator("#check[data-state]").wait_for()
        assert page.locator("#check").get_attribute("data-state") == "agrees", (words, page.locator("#check").inner_text())
        page.locator("body[data-shown]").wait_for()
        assert page.evaluate(INK) > 0, words
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, words
        assert [url for url in asked if url not in (file.as_uri(), "data:,")] == []
        assert errors == [], words
        before = page.evaluate(LOOK)
        page.locator("#again").click()
        page.wait_for_function(f"before => ({LOOK})() !== before", arg=before)
    context.close()


@pytest.mark.browser
def test_the_page_says_so_where_it_does_not_agree(browser: Browser, tmp_path: Path) -> None:
    text = hand_out(folder_of(MODELS["relu, add"](), tmp_path / "run")).decode()
    (tmp_path / "wrong.html").write_text(text.replace("sums.set(node.bias)", "sums.fill(0)"))
    page = browser.new_page()
    page.goto((tmp_path / "wrong.html").as_uri())
    page.locator("#check[data-state]").wait_for()
    assert "Does not agree" in page.locator("#check").inner_text()
    assert page.locator("#check").get_attribute("data-state") == "disagrees"
    page.close()


@pytest.mark.browser
def test_a_seed_means_the_same_in_the_browser(browser: Browser) -> None:
    script = (Path(__file__).parents[1] / "genlab" / "handout" / "philox.js").read_text()
    page = browser.new_page()
    drawn = page.evaluate(f"() => {{ {script}; return [...uniformsOf(7, 5, 9)]; }}")
    assert drawn == np.random.Generator(np.random.Philox(key=7)).random(14)[5:].tolist()
    page.close()


# --- the file ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MNIST)
def test_shipped_models_of_mnist_are_small(name: str) -> None:
    assert len(hand_out(name)) < 1_000_000


@pytest.mark.parametrize("number_format", FORMATS)
def test_what_the_browser_reads_is_what_was_computed_with(number_format: Any) -> None:
    tensor = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    step = {"float32": 0, "float16": 2e-3, "int8": np.abs(tensor).max() / 250}[number_format.name]
    rounded = number_format.rounded(tensor)
    assert np.abs(rounded - tensor).max() <= step
    assert np.array_equal(number_format.rounded(rounded), rounded)
    assert len(number_format.packed([tensor])) == 15 * number_format.size + (12 if number_format.name == "int8" else 0)


def test_a_large_model_is_rounded_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    run = folder_of(small("pixelcnn", channels=64, blocks=3), tmp_path / "run")
    sizes = [len(hand_out(run, limit_mb=limit)) for limit in (4, 0.5, 0.3)]
    assert sizes[0] > sizes[1] > sizes[2]
    for limit, size in zip((1, 0.5, 0.3), sizes, strict=True):
        assert size <= limit * 1e6
    with pytest.raises(InputError, match=r"limit must be at least 0\.\d MB for the hand-out of model 'pixelcnn'; got 0.1"):
        hand_out(run, limit_mb=0.1)
    with pytest.raises(InputError, match="limit must be a finite number of megabytes above 0; got nan"):
        hand_out(run, limit_mb=float("nan"))


def test_no_text_of_a_run_becomes_markup(tmp_path: Path) -> None:
    hostile = '</script><script>alert("1")</script><img src=x onerror=alert(1)>{{weights}}'
    record = {"name": hostile, "sha256": hostile, "rule": hostile}
    run = folder_of(MODELS["relu, add"](), tmp_path / "run", data={"name": "digits", "record": record})
    (run / "label.txt").write_text(hostile[:60])
    plain = hand_out(folder_of(MODELS["relu, add"](), tmp_path / "plain")).decode()
    text = hand_out(run).decode()
    assert "alert" in text
    for tag in ("<script", "<img", "</script"):
        assert text.count(tag) == plain.count(tag)


# --- the command line --------------------------------------------------------------------------------------------------------------


def test_the_verb_writes_the_page_or_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(folder_of(MODELS["relu, add"](), tmp_path / "run"))
    out = tmp_path / "page.html"
    assert main(["export", run, "--html", "--out", str(out)]) == 0
    assert out.read_bytes() == hand_out(run)
    out.write_text("before")
    refused = [
        (["--html"], "--html needs --out"),
        (["--html", "--out", str(tmp_path / "page.txt")], "--out must end in .html"),
        (["--html", "--out", str(tmp_path / "none" / "page.html")], "--out must name a file in a folder that exists"),
        (["--html", "--out", str(out), "--limit", "0.01"], "limit must be at least"),
        (["--limit", "3"], "--limit must be given with --html"),
    ]
    for arguments, sentence in refused:
        assert main(["export", run, *arguments]) == 2
        assert sentence in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "run"]
    assert out.read_text() == "before"


def test_a_model_without_a_hand_out_is_told_who_has_one(tmp_path: Path) -> None:
    for number, model in enumerate((small("multiscale_pixelcnn", scales=1), small("wave_pixelcnn"), small("pixelvae"))):
        with pytest.raises(InputError, match="model must be of a kind that has a hand-out") as refusal:
            hand_out(folder_of(model, tmp_path / str(number)))
        assert all(kind.words in str(refusal.value) for kind in KINDS)
    assert LIMIT_MB == 4
    broken = small("vae")
    broken.decoder[0].bias.data[0] = torch.nan
    with pytest.raises(InputError, match=r"must be .*'vae'"):
        hand_out(folder_of(broken, tmp_path / "broken"))
