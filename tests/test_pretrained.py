"""The packaged models: small, loadable by name, and as good on held-out digits as training said."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import genlab
from genlab.datasets.test_digits import mnist_test_digits
from genlab.errors import BackendError, InputError, RunError
from genlab.runs import load_painter, open_run, pretrained_path
from genlab.settings import DataSettings

PACKAGED = sorted(path.name for path in (Path(genlab.__file__).parent / "pretrained").iterdir() if path.is_dir())
CAUSAL = [name for name in PACKAGED if "causal" in open_run(name).abilities]


def told(model, n):
    """What a conditional model has to be told before it draws."""
    rng = np.random.default_rng(0)
    options = {"labels": rng.integers(0, model.classes, n)} if getattr(model, "classes", 0) else {}
    if getattr(model, "condition", None):
        options["condition"] = rng.integers(0, model.levels, (n, *model.condition.shape), dtype=np.uint8)
    return options


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_model_is_small_and_draws_images_at_once(name):
    folder = pretrained_path(name)
    assert folder is not None
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_500_000
    model = genlab.load_model(name)
    images = genlab.sample(model, n=4, seed=0, **told(model, 4))
    assert images.shape == (4, *model.domain.shape)
    assert images.dtype == (np.float32 if model.domain.levels is None else np.uint8)
    assert len(np.unique(images)) > 1


def test_the_packaged_digits_model_predicts_held_out_digits():
    """An untrained model costs log2(17) = 4.09 bits/dim; each backend gives the same exact figure, far below it."""
    model = genlab.load_model("digits-pixelcnn")
    images = genlab.load_dataset("digits").test.images
    native, reference = genlab.log_prob(model, images), genlab.log_prob(model, images, backend="torch")
    np.testing.assert_allclose(native, reference, atol=1e-3)
    bits_per_dim = -native.mean() / np.log(2) / images[0].size
    assert bits_per_dim < 1.9


def test_the_packaged_mnist_model_predicts_held_out_digits():
    """Test digits of MNIST, drawn black or white: an untrained model costs 784 ln 2 = 543 nats an image."""
    model = genlab.load_model("mnist-pixelcnn")
    assert sum(parameter.numel() for parameter in model.parameters()) <= 150_000
    images = mnist_test_digits(DataSettings(name="mnist", binarize="dynamic"))
    native, reference = genlab.log_prob(model, images), genlab.log_prob(model, images, backend="torch")
    np.testing.assert_allclose(native, reference, atol=1e-3)
    assert -native.mean() < 90


def test_the_packaged_conditional_models_predict_held_out_images():
    """Uniform levels cost 784 · ln 4 = 1087 nats and 3072 · ln 16 = 8517; what a digit is made from says much of it."""
    upscaled, coloured = genlab.load_model("mnist-upscaled"), genlab.load_model("photos-coloured")
    assert -genlab.log_prob(upscaled, mnist_test_digits(DataSettings(name="mnist", levels=4))).mean() < 120
    assert -genlab.log_prob(coloured, genlab.load_dataset("photos", levels=16).test.images).mean() < 2300
    by_class = genlab.load_model("mnist-by-class")
    sevens, twos = mnist_test_digits(DataSettings(name="mnist", binarize="threshold"))[[0, 1]][:, None]
    assert [np.argmax([genlab.log_prob(by_class, digit, labels=k)[0] for k in range(10)]) for digit in (sevens, twos)] == [7, 2]


def test_the_packaged_vaes_bound_held_out_digits():
    """As their runs said, on digits drawn black or white; more codes an image close some of the gap."""
    images = mnist_test_digits(DataSettings(name="mnist", binarize="dynamic"))
    for name, latents, least in (("mnist-vae", 40, -92), ("mnist-vae-2d", 2, -150)):
        model = genlab.load_model(name)
        assert model.latent_shape == (latents,)
        assert least < genlab.bound(model, images).mean() < genlab.bound(model, images, draws=50).mean() < -75
    shapes = [weight.shape for weight, _ in model.decoder_layers()]
    assert shapes[0][1] == 2
    assert shapes[-1][0] == 784


@pytest.mark.parametrize("name", CAUSAL)
def test_a_painter_draws_what_the_model_draws(name):
    painter, model = load_painter(name), genlab.load_model(name)
    given = genlab.sample(model, 1, seed=5, **told(model, 1))[0]
    mask = np.zeros(model.image_shape[1:], bool)
    mask[: len(mask) // 2] = True
    for options in ({}, {"temperature": 0.5}, {"known": given, "known_mask": mask}):
        options |= told(model, 3)
        np.testing.assert_array_equal(genlab.sample(painter, 3, seed=1, **options), genlab.sample(model, 3, seed=1, **options))
    assert painter.parameter_count() == model.parameter_count()


def test_a_painter_needs_no_torch():
    script = (
        "import sys; from genlab.runs import load_painter; from genlab.sampling import sample; "
        "print(sample(load_painter('digits-pixelcnn'), 2).shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(2, 1, 8, 8) False"


def test_a_painter_refuses_what_it_cannot_do():
    with pytest.raises(InputError, match="on_row must be None for model"):
        genlab.sample(load_painter("digits-pixelcnn"), 1, on_row=print)
    with pytest.raises(RunError, match=r"no packaged model '\.\./x'"):
        load_painter("../x")
    with pytest.raises(InputError, match="list of nodes; 'realnvp' has none"):
        load_painter("mnist-flow")
    for options in ({"backend": "torch"}, {"backend": "naive"}, {"dtype": "bfloat16"}):
        with pytest.raises(BackendError, match="a painter draws with backend 'native' in float32 alone"):
            genlab.sample(load_painter("digits-pixelcnn"), 1, **options)
