"""What is exported as ONNX gives in onnxruntime what the model gives in torch, for batches of any size."""

import numpy as np
import pytest
import torch

import genlab
from genlab import cli
from genlab.errors import InputError
from genlab.export.onnx import networks, write_onnx

onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {"image_shape": (1, 8, 8), "levels": 3}
MODELS = {
    "vae": {**SMALL, "hidden": 8, "latents": 2, "encoder": "convolutional", "decoder": "convolutional", "channels": 2},
    "pixelcnn": {**SMALL, "channels": 4, "blocks": 1, "classes": 2},
    "pixelcnn_pp": {**SMALL, "channels": 4, "blocks": 1, "mixtures": 2, "dropout": 0.5},
    "dcgan": {**SMALL, "channels": 2, "latent": 3, "classes": 2},
    "gan2d": {"packing": 2, "hidden": 4},
    "realnvp": {"image_shape": (2,), "levels": None, "depth": 2, "hidden": 4},
}


@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_gives_what_torch_gives(name, tmp_path):
    torch.manual_seed(0)
    model = genlab.create_model(name, **MODELS[name]).eval()  # as it is exported: without dropout, moments at rest
    for network, plain in networks(model).items():
        file = tmp_path / f"{network}.onnx"
        assert write_onnx(model, file, network) == network
        session = onnxruntime.InferenceSession(file)
        assert [known.name for known in session.get_inputs()] == list(plain.inputs)
        for count in (2, 6):
            inputs = [_values(example, count) for example in plain.inputs.values()]
            (found,) = session.run([plain.output], {key: value.numpy() for key, value in zip(plain.inputs, inputs, strict=True)})
            with torch.no_grad():
                expected = plain.function(*inputs).numpy()
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def _values(example, count):
    """Levels below 2, or numbers around 0.5, in the shape of an example."""
    shape = (count, *example.shape[1:])
    return torch.randint(2, shape) if example.dtype == torch.int64 else torch.rand(shape)


def test_the_command_writes_the_network_that_draws_unless_told_another(tmp_path, capsys):
    file = tmp_path / "net.onnx"
    assert cli.main(["export", "mnist-vae-2d", "--onnx", "--out", str(file)]) == 0
    assert "(decoder)" in capsys.readouterr().out
    assert [known.name for known in onnxruntime.InferenceSession(file).get_inputs()] == ["codes"]
    for wrong, words in (
        (["--onnx"], "--onnx needs --out"),
        (["--onnx", "--out", str(tmp_path / "a.txt")], "must end in .onnx"),
        (["--onnx", "--network", "judge", "--out", str(file)], "--network must be one of decoder, encoder"),
        (["--network", "encoder"], "--network must be given with --onnx"),
    ):
        assert cli.main(["export", "mnist-vae-2d", *wrong]) == 2
        assert words in capsys.readouterr().err


def test_a_model_without_networks_is_told_so():
    with pytest.raises(InputError, match="names no networks"):
        networks(genlab.create_model("lapgan", image_shape=(1, 8, 8), levels=3))
