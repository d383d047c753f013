"""The two executors agree: values, gradients, and samples drawn from the same uniforms."""

import numpy as np
import pytest
import torch
from causal_lists import VERTICAL_TAPS, gated, graphs, random_given, random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

import genlab
from genlab.causal import Categorical, GraphBuilder, native_walk, torch_walk
from genlab.errors import BackendError, InputError
from genlab.models import settings_class

pytestmark = pytest.mark.sanitized

SHAPES = [((1, 28, 28), 2), ((1, 8, 8), 17), ((3, 6, 5), 4), ((1, 1, 1), 3), ((1, 3, 9), 256)]


def model_and_images(shape, levels, *, n=4, channels=9, blocks=2):
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn", image_shape=shape, levels=levels, channels=channels, blocks=blocks)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(5)
    return model, np.random.default_rng(0).integers(0, levels, (n, *shape), dtype=np.uint8)


def relative_difference(first, second):
    return float((first - second).norm() / second.norm().clamp_min(1e-12))


@pytest.mark.parametrize(("shape", "levels"), SHAPES)
def test_log_likelihoods_agree(shape, levels):
    model, images = model_and_images(shape, levels)
    native, reference = model.log_prob(images, backend="native"), model.log_prob(images, backend="torch")
    assert native.dtype == reference.dtype == torch.float64
    assert (native - reference).abs().max() < 1e-3
    logits = model.logits(images, backend="native")
    assert logits.shape == (len(images), *shape, levels)
    torch.testing.assert_close(logits, model.logits(images, backend="torch"), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("shape", "levels"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_agree(shape, levels, dtype):
    model, images = model_and_images(shape, levels)
    model = model.to(dtype)
    parameters = list(model.parameters())
    native = torch.autograd.grad(model.loss(images, backend="native"), parameters)
    reference = torch.autograd.grad(model.loss(images, backend="torch"), parameters)
    bound = 1e-4 if dtype == torch.float32 else 1e-10
    for (name, _), a, b in zip(model.named_parameters(), native, reference, strict=True):
        assert relative_difference(a, b) < bound or float((a - b).abs().max()) < bound * 1e-3, name


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 2**31))
def test_any_causal_list_is_walked_alike(graph, seed):
    parameters = random_parameters(graph, seed=seed, dtype=torch.float64)
    maps = random_given(graph, 3, seed=seed, dtype=torch.float64)
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, graph.distribution.levels, (3, *graph.image_shape)))
    native = native_walk.loss(graph, parameters, images, given=maps, key=seed)
    reference = -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images, maps, key=seed), images).mean()
    torch.testing.assert_close(native, reference, rtol=1e-9, atol=1e-9)
    scored = torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images, maps), images).detach()
    torch.testing.assert_close(native_walk.log_prob(graph, parameters, images, given=maps), scored, rtol=1e-9, atol=1e-9)
    flat = [*(tensor for pair in parameters.values() for tensor in pair), *maps.values()]
    gradients = torch.autograd.grad(native, flat)
    expected = torch.autograd.grad(reference, flat, allow_unused=True, materialize_grads=True)
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)
    uniforms = np.random.default_rng(seed).random((3, *graph.image_shape[1:], graph.image_shape[0]))
    drawn = native_walk.sample(graph, parameters, uniforms, given=maps)
    assert (drawn == torch_walk.sample(graph, parameters, torch.from_numpy(uniforms), given=maps).numpy()).all()


def test_rows_and_gates_are_walked_alike():
    graph = gated()
    parameters = random_parameters(graph, seed=1, dtype=torch.float64)
    uniforms = np.random.default_rng(0).random((7, 5, 4, 1))
    native = native_walk.sample(graph, parameters, uniforms)
    assert (native == torch_walk.sample(graph, parameters, torch.from_numpy(uniforms)).numpy()).all()
    assert (native == torch_walk.sample_naive(graph, parameters, torch.from_numpy(uniforms)).numpy()).all()
    levels = torch.from_numpy(native)
    torch.testing.assert_close(
        native_walk.log_prob(graph, parameters, levels),
        torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, levels), levels).detach(),
    )


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_sum_of_rows_and_pixels_is_added_once_for_each_pixel_whatever_the_channels(channels):
    """The sum must not be kept where the row lies: with several channels a pixel is computed several times, its row only once."""
    b = GraphBuilder((channels, 5, 6), scale=1, shift=-1)
    above = b.conv("above", b.image, 4, kernel_size=3, taps=VERTICAL_TAPS, visit="row")
    left = b.conv("left", b.image, 4, kernel_size=3, mask_type="A")
    graph = b.build(b.conv("output", b.add("sum", left, above), 3 * channels), Categorical(3))
    parameters = random_parameters(graph, seed=0, dtype=torch.float64)
    uniforms = np.random.default_rng(0).random((20, 5, 6, channels))
    native = native_walk.sample(graph, parameters, uniforms)
    assert (native == torch_walk.sample(graph, parameters, torch.from_numpy(uniforms)).numpy()).all()
    assert (native == torch_walk.sample_naive(graph, parameters, torch.from_numpy(uniforms)).numpy()).all()


def test_a_list_may_go_on_behind_its_output():
    b = GraphBuilder((1, 3, 3))
    output = b.conv("output", b.image, 2, kernel_size=3, mask_type="A")
    b.add("dead", output, b.conv("other", output, 2))
    graph = b.build(output, Categorical(2))
    parameters = random_parameters(graph, seed=0)
    images = torch.zeros((2, 1, 3, 3), dtype=torch.int64)
    native = native_walk.loss(graph, parameters, images)
    torch.testing.assert_close(native, -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images), images).mean())


def test_given_maps_condition_all_walks():
    b = GraphBuilder((1, 3, 3))
    seen = b.conv("around", b.given("low", 2), 4, kernel_size=3, taps=[(-1, 0), (0, 1), (1, 1)], visit="given")
    features = b.add("features", b.conv("input", b.image, 4, kernel_size=3, mask_type="A"), seen)
    graph = b.build(b.conv("output", features, 2), Categorical(2))
    parameters = random_parameters(graph, seed=0, dtype=torch.float64)
    maps = {"low": torch.randn(40, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)}
    uniforms = np.random.default_rng(0).random((40, 3, 3, 1))
    drawn = torch_walk.sample(graph, parameters, torch.from_numpy(uniforms), given=maps)
    assert (drawn == torch_walk.sample_naive(graph, parameters, torch.from_numpy(uniforms), given=maps)).all()
    assert (native_walk.sample(graph, parameters, uniforms, given=maps) == drawn.numpy()).all()
    other = native_walk.log_prob(graph, parameters, drawn, given={"low": -maps["low"]})
    assert (other != native_walk.log_prob(graph, parameters, drawn, given=maps)).all()


def test_gradients_pass_gradcheck_in_float64():
    graph = gated((1, 3, 3), levels=2, channels=2)
    names = [node.name for node in graph.convolutions]
    flat = [tensor for pair in random_parameters(graph, seed=3, dtype=torch.float64).values() for tensor in pair]
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (2, 1, 3, 3)))

    def loss(*tensors):
        return native_walk.loss(graph, {name: (tensors[2 * i], tensors[2 * i + 1]) for i, name in enumerate(names)}, images)

    assert torch.autograd.gradcheck(loss, flat)


@pytest.mark.parametrize(("shape", "levels"), [((1, 28, 28), 2), ((1, 8, 8), 17), ((3, 4, 5), 4)])
def test_samples_from_the_same_uniforms_are_equal(shape, levels):
    model, _ = model_and_images(shape, levels)
    uniforms = np.random.default_rng(5).random((9, *shape[1:], shape[0]))
    native = model.draw(uniforms, backend="native")
    reference = model.draw(uniforms, backend="torch")
    # A draw may lie so near an edge of the distribution function that rounding decides it; from there on the images differ, and only there.
    for image, other, uniform in zip(native, reference, uniforms, strict=True):
        different = np.argwhere((image != other).transpose(1, 2, 0))
        if not len(different):
            continue
        y, x, c = different[0]
        logits = model.logits(other[None], backend="torch")[0, c, y, x].double()
        edges = torch.softmax(logits, -1).cumsum(-1)
        assert (edges - uniform[y, x, c]).abs().min() < 1e-5
    assert (native != reference).any(axis=(1, 2, 3)).sum() <= 1
    assert (model.draw(uniforms[:2], backend="naive") == reference[:2]).all()


@pytest.mark.parametrize(("shape", "levels"), [((1, 12, 11), 2), ((3, 4, 5), 4)])
def test_a_sample_was_drawn_from_the_very_logits_that_scoring_it_gives(shape, levels):
    """Bit for bit: the sampler's remembered rows hold what a full pass computes, whatever the tile."""
    model, _ = model_and_images(shape, levels)
    uniforms = np.random.default_rng(2).random((6, *shape[1:], shape[0]))
    images = model.draw(uniforms, backend="native")
    logits = model.logits(images, backend="native")
    redrawn = genlab.causal.distributions.draw(logits, torch.from_numpy(uniforms.transpose(0, 3, 1, 2).copy()))
    assert (redrawn.numpy() == images).all()


def test_threads_and_tiles_change_no_sample():
    model, _ = model_and_images((1, 10, 10), 5, channels=16)
    uniforms = np.random.default_rng(4).random((70, 10, 10, 1))
    together = model.draw(uniforms, backend="native")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert (model.draw(uniforms, backend="native") == together).all()
    finally:
        torch.set_num_threads(threads)
    for n in (1, 5, 33):
        assert (model.draw(uniforms[:n], backend="native") == together[:n]).all()


def test_the_loss_scales_and_accumulates_like_any_other():
    model, images = model_and_images((1, 5, 5), 3)
    parameters = list(model.parameters())
    once = torch.autograd.grad(model.loss(images, backend="native"), parameters)
    (2.5 * model.loss(images, backend="native")).backward()
    model.loss(images, backend="native").backward()
    for parameter, gradient in zip(parameters, once, strict=True):
        torch.testing.assert_close(parameter.grad, 3.5 * gradient)
    model.nodes["input"].weight.requires_grad_(False)
    model.zero_grad()
    model.loss(images, backend="native").backward()
    assert model.nodes["input"].weight.grad is None
    with torch.no_grad():
        assert not model.loss(images, backend="native").requires_grad


def test_masked_weights_are_never_used():
    model, images = model_and_images((1, 6, 6), 2)
    before = {backend: model.log_prob(images, backend=backend) for backend in ("native", "torch")}
    with torch.no_grad():
        for node in model.graph.convolutions:
            mask = torch.from_numpy(model.graph.mask(node))
            model.nodes[node.name].weight[~mask] = float("nan")
    for backend, value in before.items():
        assert (model.log_prob(images, backend=backend) == value).all()
        gradients = torch.autograd.grad(model.loss(images, backend=backend), list(model.parameters()))
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("backend", ["native", "torch", "naive"])
def test_known_pixels_are_kept_and_the_rest_follows_from_them(backend):
    model, images = model_and_images((1, 5, 6), 4, n=3)
    mask = np.zeros(images.shape, bool)
    mask[:, :, :2] = True
    uniforms = np.random.default_rng(0).random((3, 5, 6, 1))
    done = model.draw(uniforms, known=images, known_mask=mask, backend=backend)
    assert (done[mask] == images[mask]).all()
    logits = model.logits(done, backend="torch")
    redrawn = genlab.causal.distributions.draw(logits, torch.from_numpy(uniforms.transpose(0, 3, 1, 2).copy())).numpy()
    assert (done[~mask] == redrawn[~mask]).mean() > 0.95


def test_progress_is_reported_and_may_stop_the_sampling():
    model, _ = model_and_images((1, 6, 5), 2)
    seen = []
    model.draw(np.zeros((3, 6, 5, 1)), backend="native", on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.draw(np.zeros((3, 6, 5, 1)), backend="native", on_progress=stop)
    assert model.draw(np.zeros((3, 6, 5, 1)), backend="native").shape == (3, 1, 6, 5)


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (np.zeros((2, 1, 5, 6), np.uint8), r"batch must have shape \(N, 1, 6, 6\)"),
        (np.zeros((1, 6, 6), np.uint8), "batch must have shape"),
        (np.full((2, 1, 6, 6), 3, np.uint8), "batch must hold levels from 0 to 2; got 3"),
        (np.full((2, 1, 6, 6), -1), "batch must hold levels from 0 to 2; got -1"),
        (np.zeros((2, 1, 6, 6)), "batch must hold integer levels; got an array of float64"),
        (np.full((2, 1, 6, 6), np.nan, np.float32), "batch must hold integer levels"),
        (torch.zeros(2, 1, 6, 6), "batch must hold integer levels; got torch.float32"),
        (np.zeros((0, 1, 6, 6), np.uint8), "batch must hold at least one image"),
        (np.array(["a"]), "batch must hold integer levels"),
    ],
)
def test_bad_batches_are_refused(batch, sentence):
    model, _ = model_and_images((1, 6, 6), 3)
    with pytest.raises(InputError, match=sentence):
        model.loss(batch)


def test_arrays_of_any_strides_are_taken_and_none_is_written_to():
    model, images = model_and_images((1, 6, 6), 3)
    expected = model.log_prob(images)
    read_only = images.copy()
    read_only.flags.writeable = False
    flipped = images[..., ::-1].copy()[..., ::-1]
    wide = images.astype(np.int32)
    fortran = np.asfortranarray(images)
    for array in (
        read_only,
        flipped,
        wide,
        fortran,
        torch.from_numpy(images),
        torch.from_numpy(images).long().transpose(2, 3).transpose(2, 3),
    ):
        assert (model.log_prob(array) == expected).all()
    assert model.log_prob(images[:0]).shape == (0,)
    assert model.draw(np.zeros((0, 6, 6, 1))).shape == (0, 1, 6, 6)


def test_bad_draws_and_backends_are_refused():
    model, images = model_and_images((1, 6, 6), 3)
    good = np.zeros((2, 6, 6, 1))
    with pytest.raises(InputError, match=r"uniforms must have shape \(N, 6, 6, 1\)"):
        model.draw(np.zeros((2, 1, 6, 6)))
    for bad in (1.0, -0.1, np.nan):
        with pytest.raises(InputError, match=r"uniforms must lie in \[0, 1\)"):
            model.draw(np.full((2, 6, 6, 1), bad))
    for temperature in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="temperature must be a finite number above 0"):
            model.draw(good, temperature=temperature)
    with pytest.raises(InputError, match="together"):
        model.draw(good, known=images[:2])
    with pytest.raises(InputError, match="known_mask must be bool of shape"):
        model.draw(good, known=images[:2], known_mask=np.ones((6, 6), bool))
    with pytest.raises(InputError, match="known must hold levels from 0 to 2; got 7"):
        model.draw(good, known=np.full((2, 1, 6, 6), 7, np.uint8), known_mask=np.ones((2, 1, 6, 6), bool))
    with pytest.raises(InputError, match="backend must be one of auto, native, torch; got 'fast'"):
        model.loss(images, backend="fast")
    with pytest.raises(InputError, match="dtype must be one of bfloat16, float32; got 'float16'"):
        model.loss(images, dtype="float16")
    with pytest.raises(BackendError, match="float64 model does not compute in bfloat16"):
        model.double().loss(images, backend="native", dtype="bfloat16")
    model.float()
    with pytest.raises(BackendError, match=r"torch\.float16"):
        model.half().log_prob(images, backend="native")


def test_unknown_models_and_settings_list_the_known_ones():
    with pytest.raises(InputError, match=f"model must be one of {', '.join(sorted(genlab.list_models()))}; got 'pixelrnn2'"):
        genlab.create_model("pixelrnn2")
    known = ", ".join(sorted(settings_class("pixelcnn").model_fields))
    with pytest.raises(InputError, match=f"setting must be one of {known}; got 'depth'"):
        genlab.create_model("pixelcnn", depth=3)
    with pytest.raises(InputError, match="levels should be greater than or equal to 2; got 1"):
        genlab.create_model("pixelcnn", levels=1)


def test_a_penalty_on_the_gradient_is_differentiated_or_refused_never_ignored():
    model, images = model_and_images((1, 5, 4), 3)
    model = model.double()
    parameters = list(model.parameters())

    def penalty_gradients(backend):
        loss = model.loss(images, backend=backend)
        gradients = torch.autograd.grad(loss, parameters, create_graph=True)
        return torch.autograd.grad(2 * loss + sum(gradient.square().sum() for gradient in gradients), parameters)

    for a, b in zip(penalty_gradients("auto"), penalty_gradients("torch"), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(BackendError, match="create_graph=True asks for more"):
        penalty_gradients("native")


class Loss(torch.nn.Module):
    def __init__(self, model, backend):
        super().__init__()
        self.model, self.backend = model, backend

    def forward(self, images):
        return self.model.loss(images, backend=self.backend)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_transforms_of_torch_func_are_right_or_refused():
    model, images = model_and_images((1, 5, 4), 3)
    model, levels = model.double(), torch.from_numpy(images)
    expected = torch.autograd.grad(model.loss(images, backend="torch"), list(model.parameters()))
    values = {f"model.{name}": value.detach() for name, value in model.named_parameters()}
    ones = {name: torch.ones_like(value) for name, value in values.items()}

    def loss(backend):
        return lambda values: torch.func.functional_call(Loss(model, backend), values, (levels,))

    for a, b in zip(torch.func.grad(loss("auto"))(values).values(), expected, strict=True):
        torch.testing.assert_close(a, b)
    _, slope = torch.func.jvp(loss("auto"), (values,), (ones,))
    torch.testing.assert_close(slope, sum(gradient.sum() for gradient in expected))
    each = torch.func.vmap(lambda image: model.loss(image[None]))(levels)
    torch.testing.assert_close(each, -model.log_prob(images, backend="torch"))
    for transform in (torch.func.grad(loss("native")), lambda values: torch.func.jvp(loss("native"), (values,), (ones,))):
        with pytest.raises(BackendError, match=r"torch\.func"):
            transform(values)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_a_weight_that_is_no_number_is_named(backend, kind):
    model, images = model_and_images((1, 4, 4), 2)
    with torch.no_grad():
        getattr(model.nodes["block1_conv"], kind).flatten()[0] = float("nan")
    sentence = f"tensor 'nodes.block1_conv.{kind}' of model 'pixelcnn' must be finite; it holds nan"
    with pytest.raises(InputError, match=sentence):
        model.draw(np.zeros((1, 4, 4, 1)), backend=backend)
    with pytest.raises(InputError, match=sentence):
        model.log_prob(images, backend=backend)


def test_weights_of_half_the_bits_score_in_whole_sums_and_mixed_ones_are_refused():
    model, images = model_and_images((1, 28, 28), 2)
    expected = model.log_prob(images)
    for dtype in (torch.bfloat16, torch.float16):
        half = model.to(dtype)
        assert float((half.log_prob(images) - expected).abs().max()) < 0.05 * float(expected.abs().max())
        assert half.loss(images).dtype == torch.float32
        assert abs(half.loss(images).item() + float(half.log_prob(images).mean())) < 1e-2
        assert half.draw(np.zeros((1, 28, 28, 1))).shape == (1, 1, 28, 28)
    model.float().nodes["input"].double()
    for call in (model.loss, model.log_prob, model.logits):
        with pytest.raises(InputError, match=r"must be of one dtype; got torch\.float64 and torch\.float32"):
            call(images)


BFLOAT16_BACKENDS = ["torch", *(["native"] if "bfloat16" in genlab.native_info()["dtypes"] else [])]


@pytest.mark.parametrize("backend", BFLOAT16_BACKENDS)
@pytest.mark.parametrize(("shape", "levels"), [((1, 8, 8), 17), ((1, 7, 9), 2), ((3, 5, 4), 4), ((1, 1, 1), 3)])
def test_bfloat16_is_float32_to_the_rounding_of_its_operands(backend, shape, levels):
    """Operands keep 8 bits (relative error 2^-9 each); over a network of this depth gradients differ by a few per cent, no more."""
    model, images = model_and_images(shape, levels)
    parameters = list(model.parameters())
    exact, rounded = model.loss(images), model.loss(images, backend=backend, dtype="bfloat16")
    assert rounded.dtype == torch.float32
    assert abs(float(exact.detach() - rounded.detach())) < 0.01 * float(exact.detach()) + 1e-3
    first = torch.cat([g.flatten() for g in torch.autograd.grad(exact, parameters)])
    second = torch.cat([g.flatten() for g in torch.autograd.grad(rounded, parameters)])
    assert relative_difference(second, first) < 0.08
    assert (second != first).any()


@pytest.mark.parametrize("backend", BFLOAT16_BACKENDS)
def test_a_bfloat16_sample_was_drawn_from_the_logits_that_scoring_it_in_bfloat16_gives(backend):
    model, _ = model_and_images((1, 9, 7), 4)
    uniforms = np.random.default_rng(2).random((6, 9, 7, 1))
    images = model.draw(uniforms, backend=backend, dtype="bfloat16")
    logits = model.logits(images, backend=backend, dtype="bfloat16")
    redrawn = genlab.causal.distributions.draw(logits, torch.from_numpy(uniforms.transpose(0, 3, 1, 2).copy())).numpy()
    assert (redrawn == images).all() if backend == "native" else (redrawn == images).mean() > 0.97


@settings(max_examples=30, deadline=None)
@given(graph=graphs(mixtures=False), seed=st.integers(0, 2**31))
def test_any_causal_list_is_walked_in_bfloat16(graph, seed):
    """Against the same walk in float32: every layout (odd widths, taps at odd distances, one channel) finds its pairs."""
    parameters = random_parameters(graph, seed=seed)
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, graph.distribution.levels, (2, *graph.image_shape)))
    maps = random_given(graph, 2, seed=seed)
    flat = [*(tensor for pair in parameters.values() for tensor in pair), *maps.values()]
    if "bfloat16" not in genlab.native_info()["dtypes"]:
        with pytest.raises(ValueError, match="dtype must be one of"):
            native_walk.loss(graph, parameters, images, given=maps, bfloat16=True)
        return
    exact, rounded = (native_walk.loss(graph, parameters, images, given=maps, bfloat16=bfloat16) for bfloat16 in (False, True))
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)
    first = torch.cat([g.flatten() for g in torch.autograd.grad(exact, flat)])
    second = torch.cat([g.flatten() for g in torch.autograd.grad(rounded, flat)])
    assert relative_difference(second, first) < 0.2
