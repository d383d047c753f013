"""The packaged models: small, loadable by name, and as good on held-out digits as training said."""

from pathlib import Path

import numpy as np
import pytest

import genlab
from genlab.runs import pretrained_path

PACKAGED = sorted(path.name for path in (Path(genlab.__file__).parent / "pretrained").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_model_is_small_and_draws_images_at_once(name):
    folder = pretrained_path(name)
    assert folder is not None
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
    model = genlab.load_model(name)
    images = genlab.sample(model, n=4, seed=0)
    assert images.shape == (4, *model.image_shape)
    assert images.dtype == np.uint8
    assert len(np.unique(images)) > 1


def test_the_packaged_digits_model_predicts_held_out_digits():
    """An untrained model costs log2(17) = 4.09 bits/dim; each backend gives the same exact figure, far below it."""
    model = genlab.load_model("digits-pixelcnn")
    images = genlab.load_dataset("digits").test.images
    native, reference = genlab.log_prob(model, images), genlab.log_prob(model, images, backend="torch")
    np.testing.assert_allclose(native, reference, atol=1e-3)
    bits_per_dim = -native.mean() / np.log(2) / images[0].size
    assert bits_per_dim < 1.9
