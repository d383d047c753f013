"""The compiled module: its stub, its choice of instruction set, and what it does with bad calls. It throws; it never crashes."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_model

import genlab
from genlab import _core
from genlab.causal.native_program import specification
from genlab.errors import BackendError, InputError
from genlab.native import resolve_backend

pytestmark = pytest.mark.sanitized

STUB = Path(genlab.__file__).parent / "_core.pyi"


def arguments_of(function: object) -> list[str]:
    """Names from the signature that pybind11 writes as the first line of a docstring."""
    signature = str(function.__doc__).split("\n", 1)[0]
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    return re.findall(r"(?:^|, )(\w+)(?=:)", inside)


def test_the_stub_describes_the_module_and_nothing_else():
    tree = ast.parse(STUB.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    assert set(functions) | set(classes) == {name for name in dir(_core) if not name.startswith("_")}
    for name, node in functions.items():
        assert [argument.arg for argument in node.args.args] == arguments_of(getattr(_core, name)), name
    for name, node in classes.items():
        methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
        public = {method for method in dir(getattr(_core, name)) if not method.startswith("_")}
        assert set(methods) - {"__init__"} == public
        for method, item in methods.items():
            assert [argument.arg for argument in item.args.args] == arguments_of(getattr(getattr(_core, name), method)), method


def test_info_says_what_was_chosen_and_why():
    info = genlab.native_info()
    assert info["available"]
    assert info["isa"] in info["isas"]
    assert info["reason"]
    assert info["threads"] >= 1
    assert info["dtypes"][:2] == ["float32", "float64"]
    assert ("bfloat16" in info["dtypes"]) == (info["isa"] == "avx512bf16")


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("isa", _core.info()["isas"])
def test_every_instruction_set_walks_alike(isa):
    code = """
import numpy as np, torch, genlab
torch.manual_seed(0)
model = genlab.create_model("pixelcnn", image_shape=(1, 9, 7), levels=3, channels=10, blocks=2)
images = np.random.default_rng(0).integers(0, 3, (5, 1, 9, 7), dtype=np.uint8)
uniforms = np.random.default_rng(1).random((5, 9, 7, 1))
for dtype, bound in ((torch.float32, 1e-4), (torch.float64, 1e-11)):
    model = model.to(dtype)
    parameters = list(model.parameters())
    native = torch.autograd.grad(model.loss(images, backend="native"), parameters)
    reference = torch.autograd.grad(model.loss(images, backend="torch"), parameters)
    assert all((a - b).norm() <= bound * b.norm().clamp_min(1e-6) for a, b in zip(native, reference))
    assert (model.draw(uniforms, backend="native") == model.draw(uniforms, backend="torch")).all()
print(genlab.native_info()["isa"])
"""
    done = run_python(code, GENLAB_ISA=isa)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa


# Widths around 16 and 32 pixels and channels, of which a tile of the matrix unit holds so many; an image drawn alone is one pixel a tile.
BFLOAT16 = """
import sys
import numpy as np, torch, genlab
from genlab import _core
found = []
for number, (shape, channels, classes) in enumerate(
    [((1, 3, 7), 8, 0), ((1, 4, 33), 16, 3), ((3, 3, 17), 12, 0), ((1, 5, 16), 40, 0), ((2, 2, 70), 5, 0)]):
    torch.manual_seed(number)
    model = genlab.create_model("gated_pixelcnn", image_shape=shape, levels=3, channels=channels, layers=2, classes=classes)
    images = np.random.default_rng(0).integers(0, 3, (3, *shape), dtype=np.uint8)
    more = {"labels": [0, 1, 2]} if classes else {}
    found += torch.autograd.grad(model.loss(images, backend="native", dtype="bfloat16", **more), list(model.parameters()))
    uniforms = np.random.default_rng(1).random((3, *shape[1:], shape[0]))
    drawn = model.draw(uniforms, backend="native", dtype="bfloat16", **more)
    alone = [model.draw(uniforms[n : n + 1], backend="native", dtype="bfloat16", **({"labels": [n]} if classes else {})) for n in range(3)]
    assert (drawn == np.concatenate(alone)).all()
torch.save(found, sys.argv[1])
print(_core.roofline_matrix_products(1)[0] > 0)
"""


@pytest.mark.skipif("bfloat16" not in _core.info()["dtypes"], reason="no bfloat16 here")
def test_bfloat16_with_and_without_the_matrix_unit(tmp_path):
    gradients = {}
    for wish in ("on", "off"):
        done = run_python(BFLOAT16, str(tmp_path / wish), GENLAB_MATRIX_UNIT=wish)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(wish == "on" and _core.roofline_matrix_products(1)[0] > 0)
        gradients[wish] = torch.load(tmp_path / wish)
    for on, off in zip(gradients["on"], gradients["off"], strict=True):
        assert (on - off).norm() <= 0.01 * off.norm().clamp_min(1e-3)


def test_an_instruction_set_that_cannot_be_had_is_an_error_never_a_silent_fallback():
    code = "import genlab; genlab.create_model('pixelcnn', image_shape=(1, 2, 2)).loss([[[[0, 1], [1, 0]]]])"
    done = run_python(code, GENLAB_ISA="avx9")
    assert done.returncode != 0
    assert "GENLAB_ISA must be one of" in done.stderr
    assert "'avx9'" in done.stderr


def test_backends_are_named_exactly():
    assert resolve_backend("auto") == "native"
    assert resolve_backend("torch") == "torch"
    with pytest.raises(InputError, match="backend must be one of auto, native, torch; got 'cuda'"):
        resolve_backend("cuda")


def test_without_the_extension_native_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr("genlab.native._load", lambda: (None, "it is not built"))
    assert resolve_backend("auto") == "torch"
    with pytest.raises(BackendError, match="it is not built"):
        resolve_backend("native")
    assert genlab.native_info() == {
        "available": False,
        "isa": None,
        "threads": 1,
        "compiler": None,
        "dtypes": [],
        "reason": "it is not built",
    }


@pytest.fixture
def program_and_arguments():
    model = genlab.create_model("pixelcnn", image_shape=(1, 3, 4), levels=2, channels=3, blocks=1)
    weights = [layer.weight.detach().numpy() for layer in model.nodes.values()]
    biases = [layer.bias.detach().numpy() for layer in model.nodes.values()]
    return _core.Program(specification(model.graph, "train", "float32")), weights, biases, np.zeros((2, 1, 3, 4), np.uint8)


def test_the_module_checks_everything_again(program_and_arguments):
    program, weights, biases, levels = program_and_arguments
    nats, gradients = program.train(weights, biases, levels)
    assert nats.shape == (2,)
    assert len(gradients) == 2 * len(weights)
    with pytest.raises(ValueError, match="one array for each of"):
        program.train(weights[:-1], biases, levels)
    with pytest.raises(ValueError, match=r"weights\[0\] must have dtype float32; got float64"):
        program.train([w.astype(np.float64) for w in weights], biases, levels)
    with pytest.raises(ValueError, match=r"weights\[0\] must be C-contiguous"):
        program.train([np.asfortranarray(w) for w in weights], biases, levels)
    with pytest.raises(ValueError, match=r"biases\[0\] must have shape \(6,\)"):
        program.train(weights, [b[:-1] for b in biases], levels)
    with pytest.raises(ValueError, match="levels must have shape"):
        program.train(weights, biases, levels[:, :, :2].copy())
    with pytest.raises(ValueError, match="levels must lie below 2; got 9"):
        program.train(weights, biases, levels + np.uint8(9))
    with pytest.raises(ValueError, match="at least one image"):
        program.train(weights, biases, levels[:0])
    with pytest.raises(TypeError, match=r"weights\[0\] must be a NumPy array"):
        program.train([None] * len(weights), biases, levels)
    program = _core.Program(specification(tiny_model(image_shape=(1, 3, 4), channels=3).graph, "sample", "float32"))
    frozen = levels.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="levels must be writable"):
        program.sample(weights, biases, frozen, levels, np.zeros((2, 3, 4, 1)), 1.0)
    with pytest.raises(ValueError, match="uniforms must have shape"):
        program.sample(weights, biases, levels, levels, np.zeros((2, 4, 3, 1)), 1.0)
    with pytest.raises(ValueError, match="given must have one array for each of 0 given maps"):
        program.sample(weights, biases, levels, levels, np.zeros((2, 3, 4, 1)), 1.0, given=[levels])


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("dtype", "int8", "dtype must be one of the dtypes of info"),
        ("distribution", "logistic", "knows the distributions 'categorical', 'logistic_mixture'"),
        ("image", 99, "image and output must name buffers"),
        ("levels", 5, r"must have the channels that the distribution 'categorical' takes for 1 channel\(s\) of 5 levels; got 2"),
        ("image_shape", (1, 2), "image_shape must be"),
    ],
)
def test_a_broken_program_is_refused(key, value, sentence):
    graph = genlab.create_model("pixelcnn", image_shape=(1, 3, 4), levels=2, channels=3, blocks=1).graph
    with pytest.raises(ValueError, match=sentence):
        _core.Program({**specification(graph, "score", "float32"), key: value})


def test_a_broken_instruction_is_refused():
    graph = genlab.create_model("pixelcnn", image_shape=(1, 3, 4), levels=2, channels=3, blocks=1).graph
    for key, value, sentence in [
        ("kind", "fly", "not known"),
        ("out", 99, "buffer that does not exist"),
        ("layer", 99, "layer that does not exist"),
    ]:
        broken = specification(graph, "score", "float32")
        broken["forward"][0][key] = value
        with pytest.raises(ValueError, match=sentence):
            _core.Program(broken)
