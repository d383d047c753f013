"""Layers of sigmoid neurons: the formula, its four variants, its gradients, and what it refuses."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genlab.errors import InputError
from genlab.kernels import KERNELS, sigmoid_neuron, sigmoid_neuron_backward
from tests.instruction_sets import ISAS, passes

pytestmark = pytest.mark.sanitized

NEURONS = {name: kernel for name, kernel in KERNELS.items() if name.startswith("sigmoid_neuron")}
BACKENDS = ("reference", "python", "torch", "native")
# Lengths around the widths of vectors (4, 8 and 16 floats).
SIZES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33])
ROWS = st.sampled_from([0, 1, 2, 15, 16, 17, 255, 256, 257, 600])


@pytest.mark.parametrize("variant", ["python", "torch", "native"])
@pytest.mark.parametrize("kernel", NEURONS.values(), ids=NEURONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_variants_agree_with_the_reference(kernel, variant, data):
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    arguments = kernel.example(rng, dtype, rows=data.draw(ROWS), inputs=data.draw(SIZES), neurons=data.draw(SIZES))
    arguments = [argument * np.asarray(data.draw(st.sampled_from([0.01, 1, 10])), dtype) for argument in arguments]
    strided = [np.repeat(argument, 2, axis=-1)[..., ::2] for argument in arguments]
    result = kernel.variants[variant](*strided)
    assert kernel.error(result, *arguments) <= kernel.tolerance[dtype]
    assert {array.dtype.name for array in (result if isinstance(result, tuple) else (result,))} == {dtype}


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_agrees_with_the_reference(isa):
    """Each takes the property test above."""
    assert "2 passed" in passes(isa, __file__, "test_variants_agree_with_the_reference and native")


@pytest.mark.parametrize("name", NEURONS)
def test_one_wrong_term_is_seen(name):
    kernel = KERNELS[name]
    arguments = kernel.example(np.random.default_rng(0), "float32", rows=40, inputs=33, neurons=9)
    right = kernel.reference(*arguments)
    assert kernel.error(right, *arguments) < 1
    x = arguments[-3].copy()
    x[7, 11] = 0
    assert kernel.error(kernel.reference(*arguments[:-3], x, *arguments[-2:]), *arguments) > 1000


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_those_of_finite_differences(backend):
    grad_output, *arguments = KERNELS["sigmoid_neuron_backward"].example(np.random.default_rng(0), "float64", rows=3, inputs=4, neurons=2)
    gradients = sigmoid_neuron_backward(grad_output, *arguments, backend=backend)
    h = 1e-6
    for position, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            sums = []
            for sign in (h, -h):
                changed = [argument.copy() for argument in arguments]
                changed[position][index] += sign
                sums.append((grad_output * sigmoid_neuron(*changed, backend=backend)).sum())
            assert gradient[index] == pytest.approx((sums[0] - sums[1]) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_sum_is_too_large(backend, dtype):
    """The notebook's e^x / (1 + e^x) is NaN from 710 on."""
    sums = np.array([[-1e6], [-800], [-100], [0], [100], [800], [1e6]], dtype)
    weight, bias = np.ones((1, 1), dtype), np.zeros(1, dtype)
    y = sigmoid_neuron(sums, weight, bias, backend=backend)
    np.testing.assert_allclose(y[:, 0], [0, 0, 0, 0.5, 1, 1, 1], atol=1e-30)
    assert all(np.isfinite(gradient).all() for gradient in sigmoid_neuron_backward(y, sums, weight, bias, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_is_not_hidden(backend):
    assert np.isnan(sigmoid_neuron(np.array([[np.nan]]), np.ones((1, 1)), np.zeros(1), backend=backend)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [[1.0]]}, "x must be a NumPy array of float32 or float64; got 'list'"),
        ({"x": np.ones((2, 3), int)}, "x must be a NumPy array of float32 or float64; got an array of int64"),
        ({"weight": np.ones((2, 3), np.float32)}, "weight must have the dtype of x, float64; got float32"),
        ({"x": np.ones(3)}, r"x must have 2 dimensions; got shape \(3,\)"),
        ({"weight": np.ones((0, 3))}, "weight must have at least 1 neuron and 1 input"),
        ({"x": np.ones((4, 2))}, r"x must have the 3 inputs of weight; got shape \(4, 2\)"),
        ({"bias": np.ones(3)}, r"bias must have shape \(2,\), one value for each neuron; got \(3,\)"),
        ({"grad_output": np.ones((4, 3))}, r"grad_output must have the shape of the output, \(4, 2\); got \(4, 3\)"),
        ({"backend": "cuda"}, "backend must be one of auto, native, python, reference, torch; got 'cuda'"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"grad_output": np.ones((4, 2)), "x": np.ones((4, 3)), "weight": np.ones((2, 3)), "bias": np.ones(2)}
    with pytest.raises(InputError, match=message):
        sigmoid_neuron_backward(**{**arguments, **change})
