"""The proofs hold on sound models, and fail on models that were broken on purpose."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import genlab
from genlab import proofs
from genlab.causal import Categorical, GraphBuilder
from genlab.errors import InputError
from genlab.models.causal.model import CausalModel
from genlab.models.causal.own import of_graph
from genlab.proofs import exact


def pixelcnn(shape=(1, 6, 5), levels=3):
    torch.manual_seed(1)
    model = genlab.create_model("pixelcnn", image_shape=shape, levels=levels, channels=6, blocks=1)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(6)
    return model


CHECKS = [proofs.no_leak, proofs.sums_to_one, proofs.samples_fit, proofs.native_is_torch]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("shape", "levels"), [((1, 6, 5), 3), ((3, 4, 3), 2)])
def test_a_sound_model_passes(check, shape, levels):
    proof = check(pixelcnn(shape, levels))
    assert proof.holds, proof.sentence
    assert proof.figures
    assert proof.seconds > 0


@pytest.mark.parametrize(("name", "images"), [("digits-pixelcnn", 17**4), ("mnist-pixelcnn", 2**12)])
def test_the_packaged_models_pass(name, images):
    model = genlab.load_model(name)
    for check in CHECKS:
        proof = check(model)
        assert proof.holds, proof.sentence
    assert proofs.sums_to_one(model).figures["images"] == images


def test_a_model_that_is_certain_is_heated_until_it_could_fail():
    model = pixelcnn(levels=2)
    with torch.no_grad():
        model.nodes["output"].weight.zero_()
        model.nodes["output"].bias[:] = torch.tensor([30.0, 0.0])
    proof = proofs.samples_fit(model)
    assert proof.holds, proof.sentence
    assert proof.figures["temperature"] > 1
    assert proof.figures["cells"] >= 8
    assert "at temperature" in proof.sentence


@pytest.mark.parametrize(
    ("shape", "levels"), [((1, 1, 1), 3), ((2, 1, 1), 3), ((1, 1, 7), 2), ((1, 7, 1), 2), ((1, 1, 2), 256), ((2, 2, 2), 17)]
)
def test_images_of_few_values_or_many_levels(shape, levels):
    model = pixelcnn(shape, levels)
    found = {check.__name__: check(model) for check in CHECKS}
    undecided = {"no_leak"} if shape == (1, 1, 1) else set()
    assert {name for name, proof in found.items() if proof.holds is None} == undecided
    assert all(proof.holds for name, proof in found.items() if name not in undecided), found
    if undecided:
        assert found["no_leak"].verdict == "cannot be decided"
        assert "an image of one value has no later one" in found["no_leak"].sentence


def test_a_check_that_could_not_fail_decides_nothing():
    model = pixelcnn(levels=2)
    with torch.no_grad():
        model.nodes["output"].weight.zero_()
    assert proofs.no_leak(model).holds is None
    assert "depend on no value" in proofs.no_leak(model).sentence
    few = proofs.samples_fit(model, draws=5)
    assert few.holds is None
    assert "so few draws fill no two cells of 5 each" in few.sentence
    with torch.no_grad():
        model.nodes["output"].bias[:] = torch.tensor([1e6, 0.0])
    for check in (proofs.sums_to_one, proofs.samples_fit):
        proof = check(model)
        assert proof.holds is None
        assert "all but certain of one image" in proof.sentence or "Of one image the model is all but certain" in proof.sentence
        assert proof.figures


def test_where_one_image_is_certain_the_sum_is_taken_of_others_too(monkeypatch):
    model = pixelcnn(levels=2)
    with torch.no_grad():
        model.nodes["output"].weight.zero_()
        model.nodes["output"].bias[:] = torch.tensor([30.0, 0.0])
    proof = proofs.sums_to_one(model)
    assert proof.holds
    assert proof.figures["Σ p(x), heated"] == pytest.approx(1, abs=1e-5)
    honest = CausalModel.logits

    def sees_its_own_value(model, images, **options):
        logits = honest(model, images, **options)
        return logits + 40 * torch.nn.functional.one_hot(torch.as_tensor(images).long(), 2)

    # With one image certain, the sum at temperature 1 is 1 whatever the others have.
    monkeypatch.setattr(CausalModel, "logits", sees_its_own_value)
    assert not proofs.sums_to_one(model).holds


def test_a_misfit_among_rare_images_is_found(monkeypatch):
    """With 65,536 images none is expected five times of 20,000 draws."""
    model = pixelcnn((1, 1, 2), 256)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(0.1)
    assert proofs.samples_fit(model).figures["cells"] > 100
    honest = exact.sample
    monkeypatch.setattr(exact, "sample", lambda model, n, seed, temperature: honest(model, n, seed=seed, temperature=2 * temperature))
    with torch.no_grad():
        model.nodes["output"].weight.mul_(10)
    assert proofs.samples_fit(model).holds is False


@pytest.mark.parametrize(
    ("check", "argument"), [(proofs.no_leak, "values_at_most"), (proofs.samples_fit, "draws"), (proofs.native_is_torch, "images")]
)
def test_a_check_of_nothing_is_refused(check, argument):
    with pytest.raises(InputError, match=f"{argument} must be at least 1; got 0"):
        check(pixelcnn(), **{argument: 0})


def test_proofs_belong_to_abilities():
    assert set(proofs.proofs_of(pixelcnn())) == set(CHECKS)
    assert proofs.proofs_of(torch.nn.ReLU()) == ()
    for check in CHECKS:
        with pytest.raises(InputError, match=f"{check.__name__} needs .*, which model 'ReLU' does not have"):
            check(torch.nn.ReLU())


def test_a_proof_leaves_torchs_generator_alone():
    model = pixelcnn()
    before = torch.get_rng_state()
    proofs.sums_to_one(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_leak_is_found(monkeypatch):
    model = pixelcnn()
    honest = model.logits

    def sees_the_next_value(images, **options):
        logits = honest(images, **options)
        following = np.roll(images[:, 0], -1, axis=-1)
        return logits + torch.from_numpy(following.astype(np.float32))[:, None, :, :, None] * torch.arange(3.0)

    monkeypatch.setattr(model, "logits", sees_the_next_value)
    proof = proofs.no_leak(model)
    assert not proof.holds
    assert proof.figures["largest change among them"] > 0


def test_probabilities_that_do_not_sum_to_one_are_found(monkeypatch):
    honest = CausalModel.log_prob
    monkeypatch.setattr(CausalModel, "log_prob", lambda model, levels: honest(model, levels) + 0.01)
    assert not proofs.sums_to_one(pixelcnn(levels=2)).holds


def test_samples_of_another_temperature_do_not_fit(monkeypatch):
    honest = exact.sample
    monkeypatch.setattr(exact, "sample", lambda model, n, seed, temperature: honest(model, n, seed=seed, temperature=1.3 * temperature))
    proof = proofs.samples_fit(pixelcnn(levels=2))
    assert not proof.holds
    assert proof.figures["p-value"] < 1e-6


def test_another_walk_is_told_apart(monkeypatch):
    model = pixelcnn()
    honest = model.log_prob
    monkeypatch.setattr(model, "log_prob", lambda images, backend: honest(images, backend=backend) + 0.01 * (backend == "native"))
    assert not proofs.native_is_torch(model).holds


def test_walks_may_differ_by_what_single_precision_does_to_a_deep_untrained_list(monkeypatch):
    monkeypatch.setattr(exact, "_GRADIENT_TOLERANCE", 1e-7)  # on some machines it is not passed by itself
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn_pp", image_shape=(1, 8, 8)).eval()
    proof = proofs.native_is_torch(model)
    assert proof.holds
    assert "torch itself is off by" in proof.sentence
    honest = exact._gradients
    scale = {"native": 2.0, "torch": 1.0}
    monkeypatch.setattr(exact, "_gradients", lambda *given: [scale[given[-1]] * each for each in honest(*given)])
    assert not proofs.native_is_torch(model).holds


def test_tiny_images_are_as_large_as_can_be_listed():
    assert proofs.on_tiny_images(pixelcnn((1, 28, 28), 2)).image_shape == (1, 3, 4)
    assert proofs.on_tiny_images(pixelcnn((1, 28, 28), 17)).image_shape == (1, 2, 2)
    assert proofs.on_tiny_images(pixelcnn((1, 28, 28), 256)).image_shape == (1, 1, 2)
    with pytest.raises(InputError, match="it has 256 levels and 3 channel"):
        proofs.sums_to_one(pixelcnn((3, 4, 4), 256))


def test_all_images_are_listed_in_order():
    listed = proofs.all_images((1, 2, 2), 3)
    assert [tuple(image.ravel()) for image in listed] == list(itertools.product(range(3), repeat=4))
    assert np.array_equal(exact._codes(listed, 3), np.arange(81))


def test_chi_square_is_scipys():
    rng = np.random.default_rng(0)
    expected = rng.uniform(5, 50, 30)
    observed = rng.poisson(expected).astype(float)
    expected *= observed.sum() / expected.sum()
    ours, theirs = proofs.chi_square(observed, expected), chisquare(observed, expected)
    assert ours == pytest.approx((theirs.statistic, theirs.pvalue))


def test_rare_images_share_a_cell():
    counts, expected = np.array([10, 1, 2, 0]), np.array([9.0, 2.0, 1.5, 0.5])
    observed, wanted = exact._cells(counts, expected)
    assert observed.sum() == counts.sum()
    assert wanted.sum() == pytest.approx(expected.sum())
    assert (wanted >= 5).all()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_class_conditional_model_passes_given_each_class(check):
    torch.manual_seed(1)
    model = genlab.create_model("pixelcnn", image_shape=(1, 4, 4), levels=2, channels=4, blocks=1, classes=3)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(6)
    for asked, said in ((None, 0), (2, 2)):
        proof = check(model, labels=asked)
        assert proof.holds, proof.sentence
        assert proof.sentence.startswith(f"Given class {said}: ")
    with pytest.raises(InputError, match="labels must be classes from 0 to 2; got 3"):
        check(model, labels=3)
    with pytest.raises(InputError, match="is not class-conditional"):
        check(pixelcnn(), labels=0)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_model_that_is_given_maps_passes(check):
    torch.manual_seed(1)
    builder = GraphBuilder((1, 2, 3))
    hint = builder.conv("seen", builder.given("hint", 2), 3, kernel_size=3, taps=[(0, 0), (1, 1)], visit="given")
    before = builder.conv("before", builder.image, 3, kernel_size=3, mask_type="A")
    model = of_graph(builder.build(builder.conv("output", builder.add("both", before, hint), 2), Categorical(2)))
    with torch.no_grad():
        model.nodes["output"].weight.mul_(6)
    maps = np.random.default_rng(0).random((1, 2, 2, 3), np.float32)
    proof = check(model, condition={"hint": maps})
    assert proof.holds, proof.sentence
    assert proof.sentence.startswith("Given hint: ")
    with pytest.raises(InputError, match=r"condition must hold maps of shape \(1, C, H, W\), one for all images; 'hint' has \(2, 2, 3\)"):
        check(model, condition={"hint": maps[0]})
