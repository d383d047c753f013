"""`genlab.nn.MaskedConv2d`: an ``nn.Conv2d`` in every respect but the taps it reads, on the native kernel and on torch's own."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from genlab import nn as genlab_nn
from genlab.errors import BackendError, InputError
from genlab.kernels import channel_mask, mask_2d
from genlab.nn import MaskedConv2d

pytestmark = pytest.mark.sanitized

FORWARD = torch.ops.genlab.masked_conv2d.default
BACKWARD = torch.ops.genlab.masked_conv2d_backward.default
# torch's own use of what it advises against: in its forward-mode formulas, and in tracing.
OF_TORCH_JIT = "ignore:`torch.jit:DeprecationWarning"
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def layer_of(*arguments, seed=0, **options):
    torch.manual_seed(seed)
    return MaskedConv2d(*arguments, **options)


def images_of(*shape, layout=torch.contiguous_format, dtype=torch.float32, requires_grad=False):
    torch.manual_seed(1)
    return torch.randn(shape, dtype=dtype).clone(memory_format=layout).requires_grad_(requires_grad)


# --- an nn.Conv2d ------------------------------------------------------------------------------------------------------------------


def test_state_dict_loads_from_and_into_conv2d():
    masked, plain = layer_of(3, 4, (3, 5)), nn.Conv2d(3, 4, (3, 5))
    assert list(masked.state_dict()) == ["weight", "bias"]
    masked.load_state_dict(plain.state_dict())
    assert torch.equal(masked.weight, plain.weight)
    nn.Conv2d(3, 4, (3, 5)).load_state_dict(masked.state_dict())
    assert list(layer_of(3, 4, 3, bias=False).state_dict()) == ["weight"]


def test_same_seed_same_initial_weights_as_conv2d():
    masked = layer_of(3, 4, 5, seed=3)
    torch.manual_seed(3)
    plain = nn.Conv2d(3, 4, 5)
    assert torch.equal(masked.weight, plain.weight)
    assert torch.equal(masked.bias, plain.bias)


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_with_every_tap_live_it_is_conv2d(backend):
    masked = layer_of(3, 4, (3, 5), mask=np.ones((3, 5)), backend=backend)
    plain = nn.Conv2d(3, 4, (3, 5), padding=(1, 2))
    plain.load_state_dict(masked.state_dict())
    x = images_of(2, 3, 5, 6)
    torch.testing.assert_close(masked(x), plain(x))
    torch.testing.assert_close(masked(x[0]), plain(x[0]))
    assert masked(x[:0]).shape == (0, 4, 5, 6)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize("mask_type", ["A", "B"])
def test_it_convolves_with_the_masked_weight(backend, mask_type):
    layer = layer_of(6, 9, 3, mask_type, groups_of_channels=3, backend=backend)
    x = images_of(2, 6, 5, 4)
    live = torch.from_numpy(channel_mask(mask_type, 9, 6, 3, groups=3))
    expected = functional.conv2d(x, layer.weight * live, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected)

    layer(x).square().sum().backward()
    assert not layer.weight.grad[~live].any()
    assert layer.weight.grad[live].all()
    with torch.no_grad():
        layer.weight[~live] = torch.nan
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_layers_a_then_b_are_causal_in_rows_columns_and_colours(backend):
    network = nn.Sequential(
        layer_of(3, 6, 3, "A", groups_of_channels=3, backend=backend, dtype=torch.float64),
        nn.Tanh(),
        layer_of(6, 3, 3, "B", groups_of_channels=3, backend=backend, dtype=torch.float64),
    )
    x = images_of(1, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    order = list(itertools.product(range(3), range(4), range(3)))
    for i, (h, w, c) in enumerate(order):
        (gradient,) = torch.autograd.grad(network(x)[0, c, h, w], x, retain_graph=True)
        reads = [j for j, (row, column, colour) in enumerate(order) if gradient[0, colour, row, column] != 0]
        assert all(j < i for j in reads)
    assert i - 1 in reads


def test_both_backends_give_the_same_gradients():
    gradients = []
    for backend in ("native", "torch"):
        layer = layer_of(3, 5, (5, 3), "A", backend=backend, dtype=torch.float64)
        x = images_of(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
        layer(x).sin().sum().backward()
        gradients.append((x.grad, layer.weight.grad, layer.bias.grad))
    torch.testing.assert_close(*gradients)


def test_a_deep_copy_and_a_cast_keep_the_mask():
    layer = layer_of(3, 4, 3, "A")
    double = copy.deepcopy(layer).double()
    assert double.mask.dtype == torch.bool
    x = images_of(2, 3, 5, 6)
    torch.testing.assert_close(double(x.double()).float(), layer(x))


def test_its_text_says_what_it_is():
    assert "mask_type=A, backend=torch" in str(layer_of(1, 1, 3, "A", backend="torch"))
    assert "mask_type=custom" in str(layer_of(1, 1, 3, mask=torch.ones(3, 3)))


# --- memory ------------------------------------------------------------------------------------------------------------------------

SHAPES = [(2, 3, 4, 5, 6), (2, 1, 4, 5, 6), (2, 3, 1, 5, 6), (1, 1, 1, 5, 6), (2, 3, 4, 1, 1), (1, 1, 4, 1, 1), (2, 3, 4, 1, 6)]


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize(("x_layout", "weight_layout"), [*itertools.product(LAYOUTS, LAYOUTS)])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_lie_in_memory_as_those_of_conv2d(shape, x_layout, weight_layout, kernel_size):
    images, in_channels, out_channels, height, width = shape
    every_tap = np.ones((kernel_size, kernel_size))
    layer = layer_of(in_channels, out_channels, kernel_size, mask=every_tap, backend="native").to(memory_format=weight_layout)
    x = images_of(images, in_channels, height, width, layout=x_layout)
    expected = functional.conv2d(x, layer.weight, layer.bias, padding=kernel_size // 2)
    output = layer(x)
    assert output.stride() == expected.stride()
    torch.testing.assert_close(output, expected)


def test_slices_transposes_and_expanded_images():
    layer = layer_of(3, 4, 3, "A", backend="native")
    x = images_of(2, 3, 5, 6)
    views = (x[:, :, ::2], x.transpose(2, 3), x[:1].expand(4, -1, -1, -1), x.flip(3), images_of(2, 6, 5, 6, layout=LAYOUTS[1])[:, ::2])
    for view in views:
        torch.testing.assert_close(layer(view), layer(view.clone(memory_format=torch.contiguous_format)))


def test_channels_last_images_reach_the_kernel_uncopied(monkeypatch):
    layer = layer_of(3, 4, 3, backend="native")
    x = images_of(2, 3, 5, 6, layout=torch.channels_last)
    received = []

    def record(*arrays):
        received.extend(arrays)
        return np.zeros((2, 5, 6, 4), dtype=np.float32)

    monkeypatch.setattr(sys.modules["genlab.kernels.masked_conv2d"], "core", lambda: SimpleNamespace(masked_conv2d_forward=record))
    layer(x)
    for tensor, array in zip((x, layer.weight, layer.bias, layer.mask), received, strict=True):
        assert tensor.data_ptr() == array.ctypes.data


# --- derivatives and the operator --------------------------------------------------------------------------------------------------


def operator_arguments(*, bias=True, mask="A", images=2):
    layer = layer_of(3, 4, (3, 5), mask, groups_of_channels=3, bias=bias, dtype=torch.float64)
    x = images_of(images, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    return x, layer.weight, layer.bias, layer.mask


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_first_and_second_order(bias):
    *inputs, mask = operator_arguments(bias=bias)
    assert torch.autograd.gradcheck(lambda *arguments: FORWARD(*arguments, mask), inputs)
    assert torch.autograd.gradgradcheck(lambda *arguments: FORWARD(*arguments, mask), inputs)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("images", [0, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_the_operators_keep_their_promises_to_torch(layout, images, bias):
    x, weight, offset, mask = operator_arguments(bias=bias, images=images)
    x = x.detach().clone(memory_format=layout).requires_grad_()
    torch.library.opcheck(FORWARD, (x, weight, offset, mask))
    grad_output = torch.randn(images, 4, 4, 5, dtype=x.dtype, requires_grad=True)
    for want_grad_x in (True, False):
        torch.library.opcheck(BACKWARD, (grad_output, x, weight, mask, want_grad_x))


def test_an_image_that_needs_no_gradient_gets_none_and_the_weights_get_theirs():
    layer = layer_of(2, 5, 3)
    images = images_of(2, 2, 4, 5)
    with_x = images_of(2, 2, 4, 5, requires_grad=True)
    layer(with_x).square().sum().backward()
    expected = [parameter.grad.clone() for parameter in layer.parameters()]
    layer.zero_grad()
    layer(images).square().sum().backward()
    assert images.grad is None
    for parameter, gradient in zip(layer.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    first = torch.autograd.grad(layer(images).square().sum(), layer.weight, create_graph=True)[0]
    second = torch.autograd.grad(first.square().sum(), layer.weight)[0]
    twin = layer_of(2, 5, 3, backend="torch")
    first = torch.autograd.grad(twin(images).square().sum(), twin.weight, create_graph=True)[0]
    torch.testing.assert_close(second, torch.autograd.grad(first.square().sum(), twin.weight)[0], rtol=1e-4, atol=1e-3)


def small_network(**options):
    return nn.Sequential(layer_of(3, 6, 5, "A", groups_of_channels=3, **options), nn.ReLU(), layer_of(6, 3, 3, **options))


def assert_compiled_agrees(network, compiled, shape, layout):
    results = []
    for function in (network, compiled):
        x = images_of(*shape, layout=layout, requires_grad=True)
        output = function(x)
        gradients = torch.autograd.grad(output.square().sum(), [x, *network.parameters()])
        results.append((output, *gradients))
        assert output.is_contiguous(memory_format=layout)
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("backend", ["native", "torch"])
def test_compile_traces_it_whole(backend, dynamic):
    torch.compiler.reset()
    network = small_network(backend=backend)
    compiled = torch.compile(network, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for shape, layout in itertools.product([(2, 3, 5, 4), (3, 3, 7, 6)], LAYOUTS):
        assert_compiled_agrees(network, compiled, shape, layout)


# torch's own import of its compiler warns of torch.jit.
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_compile_to_machine_code():
    torch.compiler.reset()
    network = small_network(backend="native")
    compiled = torch.compile(network, fullgraph=True, dynamic=True)
    for shape, layout in itertools.product([(2, 3, 5, 4), (3, 3, 7, 6)], LAYOUTS):
        assert_compiled_agrees(network, compiled, shape, layout)


def test_export_keeps_the_operator():
    program = torch.export.export(layer_of(3, 4, 3, backend="native"), (images_of(2, 3, 5, 6),))
    assert FORWARD in {node.target for node in program.graph.nodes}


def test_transforms_of_torch_func_run_on_the_torch_backend():
    layer = layer_of(3, 4, 3, backend="torch")
    parameters = dict(layer.named_parameters())
    x = images_of(5, 3, 4, 6)

    def loss(parameters, image):
        return torch.func.functional_call(layer, parameters, (image,)).square().sum()

    of_each_image = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    (of_all,) = torch.autograd.grad(layer(x).square().sum(), [layer.weight])
    torch.testing.assert_close(of_each_image["weight"].sum(dim=0), of_all)


# --- where the native kernel does not reach ----------------------------------------------------------------------------------------


@pytest.fixture
def native_calls(monkeypatch):
    """The dtypes of images that went to the native kernel."""
    calls = []
    native_forward = genlab_nn.native_forward

    def record(x, *others):
        calls.append(x.dtype.name)
        return native_forward(x, *others)

    monkeypatch.setattr(genlab_nn, "native_forward", record)
    return calls


def test_auto_is_native_in_both_float_dtypes(native_calls):
    layer_of(3, 4, 3)(images_of(2, 3, 5, 6))
    layer_of(3, 4, 3, dtype=torch.float64)(images_of(2, 3, 5, 6, dtype=torch.float64))
    assert native_calls == ["float32", "float64"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_runs_on_torch(native_calls, dtype):
    layer = layer_of(3, 4, 3, dtype=dtype)
    x = images_of(2, 3, 5, 6, dtype=dtype)
    output = layer(x)
    assert output.dtype == dtype
    torch.testing.assert_close(output, functional.conv2d(x, layer.weight * layer.mask, layer.bias, padding=1))
    assert native_calls == []


def test_autocast_runs_on_torch(native_calls):
    layer = layer_of(3, 4, 3)
    x = images_of(2, 3, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(x)
    output.sum().backward()
    assert output.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == torch.float32
    assert native_calls == []


def test_another_device_runs_on_torch(native_calls):
    layer = layer_of(3, 4, 3, device="meta")
    assert layer(torch.empty(2, 3, 5, 6, device="meta")).shape == (2, 4, 5, 6)
    assert native_calls == []


def test_native_by_name_is_never_replaced():
    x = images_of(2, 3, 5, 6)
    with pytest.raises(BackendError, match=r"float32 and float64 on a CPU, outside of autocast; got x on device meta"):
        layer_of(3, 4, 3, backend="native", device="meta")(x.to("meta"))
    with pytest.raises(BackendError, match=r"got weight on device meta"):
        layer_of(3, 4, 3, backend="native", device="meta")(x)
    with pytest.raises(BackendError, match=r"got x of torch\.bfloat16"):
        layer_of(3, 4, 3, backend="native")(x.bfloat16())
    with pytest.raises(BackendError, match=r"got x of torch\.float64 with a weight of torch\.float32"):
        layer_of(3, 4, 3, backend="native")(x.double())
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(BackendError, match="got autocast"):
        layer_of(3, 4, 3, backend="native")(x)


# --- the mask is no parameter, and never lost ----------------------------------------------------------------------------------------


def born_on_meta(**options):
    return layer_of(3, 4, 3, "A", device="meta", **options)


def born_under_meta(**options):
    with torch.device("meta"):
        return layer_of(3, 4, 3, "A", **options)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("born", [born_on_meta, born_under_meta])
def test_a_layer_made_on_the_meta_device_keeps_its_mask(born, assign, backend):
    whole = layer_of(3, 4, 3, "A")
    layer = nn.Sequential(born(backend=backend))
    if not assign:
        layer.to_empty(device="cpu")
    layer.load_state_dict({f"0.{name}": tensor for name, tensor in whole.state_dict().items()}, assign=assign)
    x = images_of(2, 3, 5, 6)
    assert torch.equal(layer[0].mask, whole.mask)
    torch.testing.assert_close(layer(x), whole(x))


def test_emptying_moving_and_casting_leave_the_mask_alone():
    layer = layer_of(3, 4, 3, mask=mask_2d("A", 3))
    expected = layer.mask.clone()
    # Memory that held ones is what an emptied tensor gets, sooner or later.
    for change in (
        lambda: layer.to_empty(device="cpu"),
        lambda: layer._apply(torch.ones_like),
        lambda: layer.to("meta").to_empty(device="cpu"),
        layer.double,
        layer.half,
        lambda: layer.to(memory_format=torch.channels_last),
        layer.share_memory,
        lambda: copy.deepcopy(layer),
        lambda: pickle.loads(pickle.dumps(layer)),
    ):
        changed = change()
        assert torch.equal(changed.mask, expected)
        assert changed.mask.dtype == torch.bool
        assert changed.mask.is_contiguous()


@pytest.mark.parametrize("backend", ["native", "torch", "auto"])
def test_pickles_and_state_dicts_give_the_layer_back(backend):
    layer = layer_of(3, 4, (3, 5), "A", groups_of_channels=3, backend=backend)
    x = images_of(2, 3, 5, 6)
    for same in (pickle.loads(pickle.dumps(layer)), layer_of(3, 4, (3, 5), "A", groups_of_channels=3, backend=backend, seed=9)):
        same.load_state_dict(layer.state_dict())
        assert same.backend == backend
        assert torch.equal(same(x), layer(x))


def test_another_backend_takes_effect(native_calls):
    layer = layer_of(3, 4, 3, backend="native")
    layer.backend = "torch"
    layer(images_of(2, 3, 5, 6))
    assert native_calls == []
    with pytest.raises(InputError, match="backend must be one of"):
        layer.backend = "cuda"


# --- transforms and traces -----------------------------------------------------------------------------------------------------------


def first(values):
    return values.square().sum()


TRANSFORMS = {
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (x.cos(),))[1],
    "vmap": lambda f, x: torch.func.vmap(f)(torch.stack([x, -x])),
    "grad": lambda f, x: torch.func.grad(lambda x: first(f(x)))(x),
    "hessian": lambda f, x: torch.func.hessian(lambda x: first(f(x)))(x[:1, :, :2, :2]),
    "forward_ad": lambda f, x: tangent_of(f, x),
    "jacobian": lambda f, x: torch.autograd.functional.jacobian(f, x, vectorize=True, strategy="forward-mode"),
}


def tangent_of(function, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(function(forward_ad.make_dual(x, x.cos()))).tangent


@pytest.mark.filterwarnings(OF_TORCH_JIT)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_are_right_under_auto_and_refused_by_native(transform):
    layer, twin, native = (layer_of(3, 4, 3, "A", backend=backend) for backend in ("auto", "torch", "native"))
    x = images_of(2, 3, 4, 5)
    ours, theirs = (TRANSFORMS[transform](one, x) for one in (layer, twin))
    assert ours.detach().abs().sum() > 0
    torch.testing.assert_close(ours, theirs)
    with pytest.raises(BackendError, match=r"outside of the transforms of torch\.func; got one of them|got a forward-mode derivative"):
        TRANSFORMS[transform](native, x)


@pytest.mark.filterwarnings(OF_TORCH_JIT)
def test_tangents_of_weights_are_seen_too():
    layer = layer_of(3, 4, 3)
    x = images_of(2, 3, 4, 5)
    parameters = dict(layer.named_parameters())

    def output(bias):
        return torch.func.functional_call(layer, {**parameters, "bias": bias}, (x,))

    torch.testing.assert_close(tangent_of(output, layer.bias.detach()), layer.bias.detach().cos()[:, None, None].expand(2, 4, 4, 5))


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_many_gradients_at_once_and_checkpoints(backend):
    layer, twin = layer_of(3, 4, 3, backend=backend), layer_of(3, 4, 3, backend="torch")
    x = images_of(1, 3, 3, 4, requires_grad=True)
    ours, theirs = (torch.autograd.functional.jacobian(one, x, vectorize=True) for one in (layer, twin))
    torch.testing.assert_close(ours, theirs)
    first(checkpoint(layer, x, use_reentrant=False)).backward()
    torch.testing.assert_close(x.grad, torch.autograd.grad(first(twin(x)), x)[0])


@pytest.mark.filterwarnings(OF_TORCH_JIT, "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("options", [{}, {"stride": 2}], ids=str)
@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("tracer", ["fx", "jit"])
def test_traces_convolve_images_of_any_size(tracer, backend, options):
    network = nn.Sequential(layer_of(3, 6, 5, "A", groups_of_channels=3, backend=backend, **options), nn.ReLU())
    x, larger = images_of(2, 3, 5, 6), images_of(3, 3, 9, 7)
    traced = torch.fx.symbolic_trace(network) if tracer == "fx" else torch.jit.trace(network, (x,))
    for images in (x, larger):
        torch.testing.assert_close(traced(images), network(images))
    if tracer == "jit":
        torch.jit.save(traced, file := io.BytesIO())
        file.seek(0)
        torch.testing.assert_close(torch.jit.load(file)(larger), network(larger))


# --- stride, padding, dilation -------------------------------------------------------------------------------------------------------

SIZES = [
    {"stride": 2},
    {"stride": (1, 3), "padding": 0},
    {"dilation": 2},
    {"dilation": (2, 1), "padding": "same"},
    {"padding": "valid"},
    {"padding": (0, 4)},
    {"padding": np.int64(2), "stride": [2, 1]},
    {"padding": "same"},
]


@pytest.mark.parametrize("options", SIZES, ids=str)
def test_stride_padding_and_dilation_are_those_of_conv2d(options):
    layer = layer_of(3, 4, (3, 5), "A", groups_of_channels=3, **options)
    plain = nn.Conv2d(3, 4, (3, 5), stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
    plain.load_state_dict(layer.state_dict())
    with torch.no_grad():
        plain.weight.mul_(layer.mask)
    x = images_of(2, 3, 9, 8)
    torch.testing.assert_close(layer(x), plain(x))
    first(layer(x)).backward()
    assert not layer.weight.grad[~layer.mask].any()
    layer.backend = "native"
    if options in ({"padding": "same"},):
        torch.testing.assert_close(layer(x), plain(x))
        return
    with pytest.raises(BackendError, match=r"backend 'native' computes (stride|padding|dilation) \(.*\) for a kernel of \(3, 5\); got"):
        layer(x)


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}, {"stride": 3, "dilation": 2}], ids=str)
def test_an_output_reads_only_what_comes_before_its_own_pixel(options):
    layer = layer_of(1, 1, 3, "A", dtype=torch.float64, **options)
    stride = layer.stride[0]
    x = images_of(1, 1, 7, 8, dtype=torch.float64, requires_grad=True)
    output = layer(x)
    assert output.shape[2:] == (-(-7 // stride), -(-8 // stride))
    for h, w in itertools.product(*map(range, output.shape[2:])):
        (gradient,) = torch.autograd.grad(output[0, 0, h, w], x, retain_graph=True)
        assert not gradient.flatten()[h * stride * 8 + w * stride :].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride must be a whole number of at least 1, or two of them; got 0"),
        ({"stride": 1.5}, "stride must be a whole number"),
        ({"dilation": (1, 2, 3)}, "dilation must be a whole number .* got \\(1, 2, 3\\)"),
        ({"padding": -1}, "padding must be a whole number of at least 0, or two of them; got -1"),
        ({"padding": "full"}, "padding must be one of same, valid; got 'full'"),
        ({"padding": "same", "stride": 2}, "padding must be a number or 'valid' for a stride other than 1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        layer_of(3, 4, 3, **options)


def test_an_image_smaller_than_the_kernel_is_refused():
    layer = layer_of(3, 4, 3, dilation=2, padding="valid")
    with pytest.raises(InputError, match=r"as large as the kernel reaches, \(5, 5\) with padding \(0, 0\); got shape \(2, 3, 4, 6\)"):
        layer(images_of(2, 3, 4, 6))


# --- what is refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3, 4, 2), {}, "kernel_size must be odd"),
        ((0, 4, 3), {}, "in_channels must be a whole number of at least 1; got 0"),
        ((3, 4, 3, "C"), {}, "mask_type must be one of A, B; got 'C'"),
        ((3, 4, 3), {"groups_of_channels": 0}, "groups must be a whole number of at least 1; got 0"),
        ((3, 4, 3), {"mask": mask_2d("A", 5)}, "mask must have the shape of the kernel"),
        ((3, 4, 3), {"mask": torch.full((3, 3), 2)}, "mask must hold 0 and 1 alone; got 2"),
        ((3, 4, 3), {"backend": "reference"}, "backend must be one of auto, native, torch; got 'reference'"),
    ],
)
def test_layers_that_make_no_sense_are_refused(arguments, options, message):
    with pytest.raises(InputError, match=message):
        MaskedConv2d(*arguments, **options)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 4, 5, 6), r"x must have the 3 input channels of weight; got shape \(2, 4, 5, 6\)"),
        ((2, 3, 0, 6), "x must have a height and a width of at least 1"),
        ((5, 6), "x must have 4 dimensions"),
    ],
)
def test_images_of_another_shape_are_refused(backend, shape, message):
    with pytest.raises(InputError, match=message):
        layer_of(3, 4, 3, backend=backend)(torch.zeros(shape))
