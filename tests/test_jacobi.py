"""Jacobi sampling: the images of the other backends by fewer whole forward passes than there are values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from causal_lists import gated, random_parameters
from tiny import digits, tiny_model

import genlab
from genlab.causal import jacobi, torch_walk
from genlab.errors import InputError
from genlab.models.causal.own import of_graph
from genlab.runs import load_model
from genlab.sampling import count_passes

CASES: dict[str, dict[str, Any]] = {
    "grey": {"image_shape": (1, 6, 5), "levels": 3},
    "colour": {"image_shape": (3, 4, 3), "levels": 5},
    "classes": {"image_shape": (1, 4, 4), "levels": 2, "classes": 3},
}


@pytest.mark.parametrize("backend", ["native", "torch", "naive"])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_the_images_are_those_of_the_other_backends(case: str, temperature: float, backend: str) -> None:
    model = tiny_model(**CASES[case])
    known = np.random.default_rng(1).integers(0, model.levels, (7, *model.image_shape), dtype=np.uint8)
    mask = np.random.default_rng(2).random(known.shape) < 0.3
    options: dict[str, Any] = {"seed": 4, "temperature": temperature}
    if model.classes:
        options["labels"] = np.arange(7) % model.classes
    for completed in ({}, {"known": known, "known_mask": mask}):
        ours, theirs = (genlab.sample(model, 7, backend=name, **options, **completed) for name in ("jacobi", backend))
        assert np.array_equal(ours, theirs)


def test_bfloat16_and_float64_draw_as_the_cached_walk_does() -> None:
    model = tiny_model(image_shape=(1, 6, 5), levels=3)
    for dtype in ("bfloat16", "float32"):
        ours, theirs = (genlab.sample(model, 5, seed=2, backend=backend, dtype=dtype) for backend in ("jacobi", "auto"))
        assert np.array_equal(ours, theirs)
        model = model.double()


def test_a_list_with_rows_and_gates_is_drawn_alike() -> None:
    graph = gated((2, 4, 3), levels=3)
    model = of_graph(graph)
    with torch.no_grad():
        for name, (weight, bias) in random_parameters(graph, seed=5).items():
            model.nodes[name].weight.copy_(weight)
            model.nodes[name].bias.copy_(bias)
    assert np.array_equal(*(genlab.sample(model, 9, seed=1, backend=backend) for backend in ("jacobi", "torch")))


def test_passes_settle_values_in_order_and_never_outnumber_them() -> None:
    model = tiny_model(image_shape=(2, 4, 3), levels=3)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(30)  # values that depend much on each other
    guesses: list[np.ndarray] = []
    rows: list[tuple[int, int]] = []
    images = genlab.sample(
        model,
        6,
        seed=3,
        backend="jacobi",
        on_pass=lambda passes, levels: guesses.append(levels.copy()) or rows_are(passes, guesses),  # type: ignore[func-returns-value]
        on_progress=lambda done, total: rows.append((done, total)),
    )
    assert 3 < len(guesses) <= images[0].size
    assert np.array_equal(guesses[-1], images)
    for passes, guess in enumerate(guesses, start=1):
        in_order = [array.transpose(0, 2, 3, 1).reshape(6, -1)[:, :passes] for array in (guess, images)]
        assert np.array_equal(*in_order), "after so many passes so many values are final"
    assert rows == sorted(rows)
    assert rows[-1] == (4, 4)


def rows_are(passes: int, guesses: list[np.ndarray]) -> None:
    assert passes == len(guesses)


def test_a_trained_model_needs_far_fewer_passes_than_values() -> None:
    model = load_model("mnist-pixelcnn")
    passes = count_passes(model, 1, seed=1, backend="jacobi")
    assert 2 <= passes < 28 * 28 // 4
    upper = np.zeros((28, 28), bool)
    upper[:14] = True
    known = genlab.sample(model, 1, seed=2)
    assert count_passes(model, 1, seed=1, backend="jacobi", known=known, known_mask=upper) < passes


def test_passes_of_every_backend() -> None:
    model = tiny_model(image_shape=(2, 4, 3), levels=3)
    assert {backend: count_passes(model, 2, backend=backend) for backend in ("naive", "torch", "native", "auto")} == {
        "naive": 24,
        "torch": 1,
        "native": 1,
        "auto": 1,
    }
    assert 1 <= count_passes(model, 2, backend="jacobi") <= 24
    assert count_passes(model, 0, backend="jacobi") == 0
    everything = {"known": genlab.sample(model, 1)[0], "known_mask": np.ones((4, 3), bool)}
    assert count_passes(model, 3, backend="jacobi", **everything) == 1
    with pytest.raises(InputError, match="backend must be one of"):
        count_passes(model, 1, backend="cuda")


def test_rounding_that_differs_from_pass_to_pass_does_not_keep_it_going() -> None:
    """A prediction on the border of two levels may fall on either side, in turn: what is final stays."""
    graph = gated((1, 3, 3), levels=2)
    calls = 0

    def restless(levels: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return torch.full((len(levels), 2, 3, 3), 0.0).index_fill_(1, torch.tensor([calls % 2]), 5.0)

    jacobi.sample(graph, restless, torch.full((2, 3, 3, 1), 0.5, dtype=torch.float64))
    assert calls == 9


def test_a_large_batch_is_predicted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(image_shape=(1, 4, 4), levels=2)
    whole = genlab.sample(model, 9, seed=1, backend="jacobi")
    monkeypatch.setattr(jacobi, "_NUMBERS_AT_ONCE", 3 * 32)
    assert np.array_equal(genlab.sample(model, 9, seed=1, backend="jacobi"), whole)


def test_passes_are_told_by_this_backend_alone() -> None:
    with pytest.raises(InputError, match="on_pass must be None unless the backend is 'jacobi', which alone draws by passes; got 'naive'"):
        genlab.sample(tiny_model(), 1, backend="naive", on_pass=print)


def test_an_outside_walk_is_enough() -> None:
    """The walk takes any whole forward pass: here the torch walk's."""
    model = tiny_model(image_shape=(1, 4, 4), levels=2)
    parameters = {name: (layer.weight, layer.bias) for name, layer in model.nodes.items()}
    uniforms = torch.rand((3, 4, 4, 1), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drawn = jacobi.sample(
        model.graph,
        lambda levels, _: torch_walk.parameters_map(model.graph, parameters, levels),  # type: ignore[arg-type]
        uniforms,
    )
    assert np.array_equal(drawn.numpy(), model.draw(uniforms.numpy(), backend="torch"))


def test_digits_are_completed_alike() -> None:
    model, half = tiny_model(), np.zeros((8, 8), bool)
    half[:4] = True
    known = digits().test.images[:3]
    ours, theirs = (genlab.sample(model, 3, known=known, known_mask=half, backend=backend) for backend in ("jacobi", "native"))
    assert np.array_equal(ours, theirs)
