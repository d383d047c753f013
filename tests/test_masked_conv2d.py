"""The masked convolution: its formula, its masks, its three variants on every layout and instruction set, and what it refuses."""

from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genlab.errors import GenlabError, InputError
from genlab.kernels import KERNELS, channel_mask, mask_2d, masked_conv2d, masked_conv2d_backward
from genlab.native import core
from tests.instruction_sets import ISAS, passes

pytestmark = pytest.mark.sanitized

CONVOLUTIONS = {name: kernel for name, kernel in KERNELS.items() if name.startswith("masked_conv2d")}
BACKENDS = ("reference", "torch", "native")
# A busy machine is no failure.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


def case(*, dtype="float64", backward=False, seed=0, **sizes):
    """Arguments of one small call, of sizes that differ from each other so that no mix-up goes unseen."""
    defaults = {"images": 2, "in_channels": 3, "out_channels": 4, "image_size": (5, 6), "kernel_size": (3, 5)}
    kernel = KERNELS["masked_conv2d_backward" if backward else "masked_conv2d"]
    return kernel.example(np.random.default_rng(seed), dtype, **{**defaults, **sizes})


# --- the formula -----------------------------------------------------------------------------------------------------------------


def test_reference_is_the_formula():
    x, weight, bias, mask = case(mask="A", images=1, in_channels=2, out_channels=2, image_size=(3, 4))
    y = masked_conv2d(x, weight, bias, mask, backend="reference")
    for o, h, w in itertools.product(range(2), range(3), range(4)):
        expected = bias[o]
        for i, u, v in itertools.product(range(2), range(3), range(5)):
            row, column = h + u - 1, w + v - 2
            if mask[o, i, u, v] and 0 <= row < 3 and 0 <= column < 4:
                expected += weight[o, i, u, v] * x[0, i, row, column]
        assert y[0, o, h, w] == pytest.approx(expected, rel=1e-12)


def test_reference_backward_is_the_adjoint_of_the_forward():
    """The output is linear in each argument, so <grad_output, forward of a change> = <gradient, change>."""
    grad_output, x, weight, bias, mask = case(backward=True)
    change_x, change_weight, change_bias, _ = case(seed=1)
    grad_x, grad_weight, grad_bias = masked_conv2d_backward(grad_output, x, weight, bias, mask, backend="reference")

    def forward(x, weight, bias):
        return masked_conv2d(x, weight, bias, mask, backend="reference")

    assert np.vdot(grad_x, change_x) == pytest.approx(np.vdot(grad_output, forward(change_x, weight, None)), rel=1e-12)
    assert np.vdot(grad_weight, change_weight) == pytest.approx(np.vdot(grad_output, forward(x, change_weight, None)), rel=1e-12)
    constant = forward(np.zeros_like(x), weight, change_bias)
    assert np.vdot(grad_bias, change_bias) == pytest.approx(np.vdot(grad_output, constant), rel=1e-12)
    assert not grad_weight[~mask].any()


# --- the masks -------------------------------------------------------------------------------------------------------------------


def test_mask_a_leaves_the_centre_out_and_mask_b_takes_it_in():
    np.testing.assert_array_equal(mask_2d("A", 3), [[1, 1, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(mask_2d("B", 3), [[1, 1, 1], [1, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(mask_2d("A", (1, 5)), [[1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(mask_2d("B", (5, 1)), [[1], [1], [1], [0], [0]])
    assert not mask_2d("A", 1).any()


def test_colours_read_those_before_them_at_the_centre():
    centre_a = channel_mask("A", 3, 3, 3, groups=3)[:, :, 1, 1]
    centre_b = channel_mask("B", 3, 3, 3, groups=3)[:, :, 1, 1]
    np.testing.assert_array_equal(centre_a, [[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    np.testing.assert_array_equal(centre_b, [[1, 0, 0], [1, 1, 0], [1, 1, 1]])


def test_channels_are_split_into_contiguous_groups_as_evenly_as_possible():
    reads = channel_mask("B", 3, 7, 1, groups=3)[:, :, 0, 0]
    np.testing.assert_array_equal(reads.sum(axis=1), [3, 5, 7])
    np.testing.assert_array_equal(reads, np.sort(reads, axis=1)[:, ::-1])


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_output_depends_on_a_later_value(backend, groups):
    """With mask A, changing value i of the image changes no output at or before i, in the order rows, columns, colours."""
    x, weight, bias, _ = case(images=1, in_channels=groups, out_channels=groups, image_size=(3, 4))
    mask = channel_mask("A", groups, groups, (3, 5), groups)

    def outputs(image):
        return masked_conv2d(image, weight, bias, mask, backend=backend).transpose(0, 2, 3, 1).ravel()

    before = outputs(x)
    for i, (h, w, c) in enumerate(itertools.product(range(3), range(4), range(groups))):
        changed = x.copy()
        changed[0, c, h, w] += 1
        # Not `!=`: torch's BLAS rounds differently from one memory address to the next.
        differs = np.flatnonzero(np.abs(outputs(changed) - before) > 1e-12)
        assert differs.size == 0 or differs[0] > i
    assert before[0] == bias[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("C", 1, 1, 3), "mask_type must be one of A, B; got 'C'"),
        (("A", 0, 1, 3), "out_channels must be a whole number of at least 1; got 0"),
        (("A", 1, 2.0, 3), "in_channels must be a whole number of at least 1; got 2.0"),
        (("A", 1, 1, 3, 0), "groups must be a whole number of at least 1; got 0"),
        (("A", 1, 1, 4), "kernel_size must be odd"),
        (("A", 1, 1, (3, 2)), r"kernel_size must be odd.*got \(3, 2\)"),
        (("A", 1, 1, (3, 3, 3)), "kernel_size must be odd"),
        (("A", 1, 1, -3), "kernel_size must be odd"),
        (("A", 1, 1, "33"), "kernel_size must be odd"),
        (("A", 1, 1, 3.0), "kernel_size must be odd"),
    ],
)
def test_masks_refuse(arguments, message):
    with pytest.raises(InputError, match=message):
        channel_mask(*arguments)


# --- the variants agree ----------------------------------------------------------------------------------------------------------

# Lengths around the widths of vectors (4, 8 and 16 floats) and of register tiles.
channels = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33])
odd_sizes = st.sampled_from([1, 3, 5, 7])


@st.composite
def masks(draw, shape):
    kind = draw(st.sampled_from(["A", "B", "taps", "any", "dead"]))
    if kind in ("A", "B"):
        return kind
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = shape[2:] if kind == "taps" else shape
    return rng.random(shape) < (0 if kind == "dead" else draw(st.sampled_from([0.1, 0.5, 1.0])))


@st.composite
def arguments_of(draw, kernel):
    out_channels, in_channels = draw(channels), draw(channels)
    kernel_size = draw(st.tuples(odd_sizes, odd_sizes))
    return kernel.example(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        draw(st.sampled_from(["float32", "float64"])),
        images=draw(st.integers(0, 3)),
        in_channels=in_channels,
        out_channels=out_channels,
        image_size=draw(st.tuples(st.integers(1, 9), st.integers(1, 9))),
        kernel_size=kernel_size,
        mask=draw(masks((out_channels, in_channels, *kernel_size))),
        bias=draw(st.booleans()),
    )


@st.composite
def relaid(draw, array):
    """The same values in another memory order, with gaps and negative strides, read-only or not; what lies between is NaN."""
    if array is None:
        return None
    order = draw(st.permutations(range(array.ndim)))
    steps = draw(st.tuples(*[st.sampled_from([1, 1, -1, 2, -2])] * array.ndim))
    memory = np.full([array.shape[axis] * abs(steps[axis]) for axis in order], np.nan).astype(array.dtype)
    view = memory.transpose(np.argsort(order))[tuple(slice(None, None, step) for step in steps)]
    view[...] = array
    view.flags.writeable = draw(st.booleans())
    return view


@pytest.mark.parametrize("variant", ["torch", "native"])
@pytest.mark.parametrize("kernel", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@settings(max_examples=200, **PATIENT)
@given(data=st.data())
def test_variants_agree_with_the_reference(kernel, variant, data):
    *arrays, weight, bias, mask = data.draw(arguments_of(kernel))
    weight = np.where(mask, weight, np.nan).astype(weight.dtype)
    arguments = [data.draw(relaid(array)) for array in (*arrays, weight, bias, mask)]
    before = [None if argument is None else argument.copy() for argument in arguments]

    result = kernel.variants[variant](*arguments)

    assert kernel.error(result, *arguments) <= kernel.tolerance[weight.dtype.name]
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_agrees_with_the_reference(isa):
    """Each takes the property test above."""
    assert "2 passed" in passes(isa, __file__, "test_variants_agree_with_the_reference and native")


@pytest.mark.parametrize("variant", ["torch", "native"])
@pytest.mark.parametrize("kernel", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_images_narrower_than_the_kernel(kernel, variant):
    """Most taps lie outside of such an image, and in its memory taps of several rows lie between each other."""
    rng = np.random.default_rng(0)
    for image_size, kernel_size in itertools.product([(1, 1), (1, 3), (3, 1), (2, 2), (3, 3)], [(3, 3), (1, 7), (7, 1), (5, 7), (7, 7)]):
        for live in (0.3, 0.7, 1.0):
            sizes = {"images": 1, "in_channels": 1, "out_channels": 2, "image_size": image_size, "kernel_size": kernel_size}
            arguments = kernel.example(rng, "float32", **sizes, mask=rng.random(kernel_size) < live)
            assert kernel.error(kernel.variants[variant](*arguments), *arguments) <= kernel.tolerance["float32"]


@settings(max_examples=30, **PATIENT)
@given(arguments=arguments_of(KERNELS["masked_conv2d"]))
def test_a_native_output_is_bit_for_bit_that_of_its_image_alone(arguments):
    x, *others = arguments
    native = KERNELS["masked_conv2d"].native
    together = native(x, *others)
    for index in range(len(x)):
        np.testing.assert_array_equal(together[index : index + 1], native(x[index : index + 1], *others))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_public_functions_on_each_backend(backend, dtype):
    forward, backward = case(dtype=dtype), case(dtype=dtype, backward=True)
    y = masked_conv2d(*forward, backend=backend)
    gradients = masked_conv2d_backward(*backward, backend=backend)
    assert KERNELS["masked_conv2d"].error(y, *forward) <= KERNELS["masked_conv2d"].tolerance[dtype]
    assert KERNELS["masked_conv2d_backward"].error(gradients, *backward) <= KERNELS["masked_conv2d_backward"].tolerance[dtype]
    assert {array.dtype.name for array in (y, *gradients)} == {dtype}
    assert [array.shape for array in gradients] == [array.shape for array in forward[:3]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_bias_there_is_no_gradient_of_one(backend):
    grad_output, x, weight, _, mask = case(backward=True)
    with_zeros = masked_conv2d(x, weight, np.zeros(4), mask, backend=backend)
    np.testing.assert_array_equal(masked_conv2d(x, weight, None, mask, backend=backend), with_zeros)
    assert masked_conv2d_backward(grad_output, x, weight, None, mask, backend=backend)[2] is None


@pytest.mark.parametrize(
    "mask", ["A", mask_2d("A", (3, 5)), mask_2d("A", (3, 5)).astype(float), channel_mask("A", 4, 3, (3, 5)).astype(int)]
)
def test_masks_by_name_by_tap_and_by_weight_are_one(mask):
    x, weight, bias, full = case(mask="A")
    np.testing.assert_array_equal(masked_conv2d(x, weight, bias, mask), masked_conv2d(x, weight, bias, full))


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_are_views_of_channels_last_memory(backend):
    y = masked_conv2d(*case(), backend=backend)
    grad_x, _, _ = masked_conv2d_backward(*case(backward=True), backend=backend)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    assert grad_x.transpose(0, 2, 3, 1).flags.c_contiguous


def test_channels_last_images_reach_the_native_kernel_uncopied(monkeypatch):
    grad_output, x, weight, bias, mask = case(backward=True)
    received = []

    def record(*arrays_and_flag):
        received.extend(arrays_and_flag[:4])
        return tuple(np.zeros((1, 1, 1, 1)) for _ in range(3))

    module = sys.modules["genlab.kernels.masked_conv2d"]
    monkeypatch.setattr(module, "core", lambda: SimpleNamespace(masked_conv2d_backward=record))
    KERNELS["masked_conv2d_backward"].native(grad_output, x, weight, bias, mask)
    for given_array, received_array in zip((grad_output, x, weight, mask), received, strict=True):
        assert np.shares_memory(given_array, received_array)


def test_the_measure_of_error_sees_one_wrong_term_among_a_thousand():
    kernel = KERNELS["masked_conv2d"]
    arguments = case(dtype="float32", in_channels=33, kernel_size=(7, 7))
    result = kernel.reference(*arguments)
    assert kernel.error(result, *arguments) < 0.1
    x, weight, bias, mask = arguments
    mask = mask.copy()
    mask[2, 11, 1, 3] = False
    assert kernel.error(kernel.reference(x, weight, bias, mask), *arguments) > 100
    assert np.isnan(kernel.error(result * np.nan, *arguments))


# --- memory that is easy to get wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_overlapping_and_misaligned_arrays(backend):
    x, weight, bias, mask = case()
    signal = np.random.default_rng(1).standard_normal(40)
    one_image_thrice = np.broadcast_to(x[:1], (3, *x.shape[1:]))
    sliding = np.lib.stride_tricks.as_strided(signal, (2, 3, 5, 6), (8, 16, 24, 32))
    misaligned = np.frombuffer(b"\0" + x.tobytes(), dtype=x.dtype, offset=1).reshape(x.shape)
    misaligned_weight = np.frombuffer(b"\0" + weight.tobytes(), dtype=x.dtype, offset=1).reshape(weight.shape)
    for images in (one_image_thrice, sliding, misaligned):
        expected = masked_conv2d(images.copy(), weight, bias, mask, backend=backend)
        np.testing.assert_array_equal(masked_conv2d(images, misaligned_weight, bias, mask, backend=backend), expected)
    same = masked_conv2d_backward(np.broadcast_to(1.0, (2, 4, 5, 6)), misaligned, misaligned_weight, bias, mask, backend=backend)
    for result, expected in zip(same, masked_conv2d_backward(np.ones((2, 4, 5, 6)), x, weight, bias, mask), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_empty_batch_gives_an_empty_output_and_zero_gradients(backend):
    grad_output, x, weight, bias, mask = case(images=0, backward=True)
    assert masked_conv2d(x, weight, bias, mask, backend=backend).shape == (0, 4, 5, 6)
    grad_x, grad_weight, grad_bias = masked_conv2d_backward(grad_output, x, weight, bias, mask, backend=backend)
    assert grad_x.shape == x.shape
    assert not grad_weight.any()
    assert not grad_bias.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_spreads_to_the_outputs_that_read_it_and_no_further(backend):
    x, weight, bias, mask = case(image_size=(7, 7), kernel_size=(3, 3))
    x[0, 1, 3, 3] = np.nan
    is_nan = np.isnan(masked_conv2d(x, weight, bias, mask, backend=backend))
    window = np.zeros((7, 7), dtype=bool)
    window[2:5, 2:5] = True
    reads = np.zeros((7, 7), dtype=bool)
    reads[[3, 3, 4, 4, 4], [3, 4, 2, 3, 4]] = True  # mask B turned about its centre
    assert is_nan[0][:, reads].all()
    # torch multiplies what a dead tap sees by 0, and NaN · 0 is NaN; the others do not read it.
    assert not is_nan[0][:, ~(window if backend == "torch" else reads)].any()
    assert not is_nan[1].any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_weights_at_dead_taps_have_no_effect(backend, poison):
    grad_output, x, weight, bias, mask = case(backward=True, mask=np.random.default_rng(0).random((4, 3, 3, 5)) < 0.5)
    poisoned = np.where(mask, weight, poison)
    np.testing.assert_array_equal(
        masked_conv2d(x, poisoned, bias, mask, backend=backend), masked_conv2d(x, weight, bias, mask, backend=backend)
    )
    for result, expected in zip(
        masked_conv2d_backward(grad_output, x, poisoned, bias, mask, backend=backend),
        masked_conv2d_backward(grad_output, x, weight, bias, mask, backend=backend),
        strict=True,
    ):
        np.testing.assert_array_equal(result, expected)


# --- what is refused -------------------------------------------------------------------------------------------------------------

X, WEIGHT, BIAS, MASK = case()

BAD_ARGUMENTS = [
    ({"x": X[0]}, r"x must have 4 dimensions \(N, C_in, H, W\); got shape \(3, 5, 6\)"),
    ({"weight": WEIGHT[0, 0]}, r"weight must have 4 dimensions .*; got shape \(3, 5\)"),
    ({"x": X[:, :2]}, r"x must have the 3 input channels of weight; got shape \(2, 2, 5, 6\)"),
    ({"x": X[:, :, :0]}, r"x must have a height and a width of at least 1; got shape \(2, 3, 0, 6\)"),
    ({"x": X[:, :, :, :0]}, r"x must have a height and a width of at least 1; got shape \(2, 3, 5, 0\)"),
    ({"weight": WEIGHT[:0], "bias": BIAS[:0]}, r"weight must have at least 1 output and 1 input channel; got shape \(0, 3, 3, 5\)"),
    ({"weight": WEIGHT[:, :0], "x": X[:, :0]}, r"weight must have at least 1 output and 1 input channel; got shape \(4, 0, 3, 5\)"),
    ({"weight": WEIGHT[:, :, :2]}, r"weight's \(kh, kw\) must be odd.*; got \(2, 5\)"),
    ({"weight": WEIGHT[..., :4]}, r"weight's \(kh, kw\) must be odd.*; got \(3, 4\)"),
    ({"weight": WEIGHT[:, :, :0]}, r"weight's \(kh, kw\) must be odd.*; got \(0, 5\)"),
    ({"bias": BIAS[:3]}, r"bias must have shape \(4,\), one value per output channel; got \(3,\)"),
    ({"bias": BIAS[:, None]}, r"bias must have shape \(4,\).*; got \(4, 1\)"),
    ({"bias": 0.0}, "bias must be a NumPy array of float32 or float64; got 'float'"),
    ({"x": X.tolist()}, "x must be a NumPy array of float32 or float64; got 'list'"),
    ({"x": torch.zeros(2, 3, 5, 6)}, "x must be a NumPy array of float32 or float64; got 'Tensor'"),
    ({"x": None}, "x must be a NumPy array of float32 or float64; got 'NoneType'"),
    *(
        ({"x": X.astype(dtype)}, f"x must be a NumPy array of float32 or float64; got an array of {np.dtype(dtype)}")
        for dtype in ("int64", "uint8", "bool", "float16", "longdouble", "complex128", "object", ">f8")
    ),
    ({"weight": WEIGHT.astype("float32")}, "weight must have the dtype of x, float64; got float32"),
    ({"bias": BIAS.astype("float32")}, "bias must have the dtype of x, float64; got float32"),
    ({"mask": "C"}, "mask must be one of A, B; got 'C'"),
    ({"mask": MASK.tolist()}, "mask must be 'A', 'B' or a NumPy array of 0 and 1; got 'list'"),
    ({"mask": MASK.astype(object)}, "mask must be 'A', 'B' or a NumPy array of 0 and 1; got an array of object"),
    ({"mask": MASK[0]}, r"mask must have the shape of the kernel \(3, 5\) or of the weight \(4, 3, 3, 5\); got \(3, 3, 5\)"),
    ({"mask": MASK * 2}, "mask must hold 0 and 1 alone; got 2"),
    ({"mask": MASK * -1.0}, r"mask must hold 0 and 1 alone; got -1\.0"),
    ({"mask": np.full((3, 5), np.nan)}, "mask must hold 0 and 1 alone; got nan"),
    ({"backend": "cuda"}, "backend must be one of auto, native, reference, torch; got 'cuda'"),
]


@pytest.mark.parametrize(("changed", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_refused_with_a_sentence(changed, message):
    arguments = {"x": X, "weight": WEIGHT, "bias": BIAS, "mask": MASK, **changed}
    with pytest.raises(InputError, match=message):
        masked_conv2d(**arguments)
    with pytest.raises(InputError, match=message):
        masked_conv2d_backward(case(backward=True)[0], **arguments)


@pytest.mark.parametrize(
    ("grad_output", "message"),
    [
        (np.zeros((2, 4, 5, 5)), r"grad_output must have the shape of the output, \(2, 4, 5, 6\); got \(2, 4, 5, 5\)"),
        (np.zeros((4, 5, 6)), r"grad_output must have the shape of the output, \(2, 4, 5, 6\); got \(4, 5, 6\)"),
        (np.zeros((2, 4, 5, 6), dtype="float32"), "grad_output must have the dtype of x, float64; got float32"),
        (None, "grad_output must be a NumPy array of float32 or float64; got 'NoneType'"),
    ],
)
def test_bad_gradients_are_refused_with_a_sentence(grad_output, message):
    with pytest.raises(InputError, match=message):
        masked_conv2d_backward(grad_output, X, WEIGHT, BIAS, MASK)


NATIVE = {"x": X.transpose(0, 2, 3, 1), "weight": WEIGHT, "bias": BIAS, "mask": MASK.astype(np.uint8)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": X}, "x must have shape"),
        ({"x": X.transpose(0, 2, 3, 1)[0]}, "x must have shape"),
        ({"x": X.transpose(0, 2, 3, 1)[:, ::2]}, "x must be C-contiguous"),
        ({"x": X.transpose(0, 2, 3, 1)[:, :0].copy()}, "x must have at least one pixel"),
        ({"x": NATIVE["x"].astype("int64")}, "x must have dtype float32 or float64; got int64"),
        ({"weight": WEIGHT[0]}, "weight must have shape"),
        ({"weight": WEIGHT.astype("float32")}, "weight must have dtype float64; got float32"),
        ({"weight": WEIGHT[:, :, :2].copy(), "mask": NATIVE["mask"][:, :, :2].copy()}, "weight must have odd height and width"),
        ({"weight": WEIGHT[:0], "mask": NATIVE["mask"][:0]}, "weight must have sizes from 1"),
        ({"bias": BIAS[:3]}, "bias must have shape"),
        ({"mask": MASK}, "mask must have dtype uint8; got bool"),
        ({"mask": NATIVE["mask"][0, 0]}, "mask must have shape"),
    ],
)
def test_the_extension_checks_again_and_throws(changed, message):
    with pytest.raises(ValueError, match=message):
        core().masked_conv2d_forward(**{**NATIVE, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"grad": np.zeros((2, 4, 6, 4))}, "grad must have shape"),
        ({"grad": np.zeros((2, 5, 6, 4), dtype="float32")}, "grad must have dtype float64; got float32"),
        ({"x": NATIVE["x"][:1]}, "grad must have shape"),
        ({"weight": WEIGHT[0]}, "weight must have shape"),
        ({"mask": MASK}, "mask must have dtype uint8; got bool"),
    ],
)
def test_the_extension_checks_the_backward_pass_too(changed, message):
    gradient = {"grad": np.zeros((2, 5, 6, 4)), "x": NATIVE["x"], "weight": WEIGHT, "mask": NATIVE["mask"]}
    with pytest.raises(ValueError, match=message):
        core().masked_conv2d_backward(**{**gradient, **changed})


def test_bad_arguments_are_genlab_errors_and_value_errors():
    with pytest.raises(GenlabError) as caught:
        masked_conv2d(X, WEIGHT, BIAS, "C")
    assert isinstance(caught.value, ValueError)
