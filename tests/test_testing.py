"""`genlab.testing` passes what is sound and catches each violation that is planted, by a sentence that says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import outside_family
import pytest
import torch
from causal_lists import gated
from tiny import tiny_model
from torch import Tensor, nn

from genlab.causal import torch_walk
from genlab.domain import Batch, Domain
from genlab.errors import InputError
from genlab.models.contract import MINIMISER, Compute, Player, Report, Terms, abilities
from genlab.testing import ConformanceError, check_graph, check_model


def pixelcnn() -> Any:
    return tiny_model(image_shape=(1, 2, 3), channels=2)


def forger(name: str = "forger", *, size: int = 2) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return outside_family.Forger(name, outside_family.Settings(image_shape=(1, size, size)))


def changed(base: Callable[[], Any], **members: Any) -> Any:
    """A model with some members replaced; ``lambda model, original, …`` gets what it replaces."""
    model = base()
    kind = type(model)

    def replaced(name: str, new: Any) -> Any:
        if not callable(new):
            return new
        old = getattr(kind, name)
        return lambda self, *arguments, **options: new(self, lambda *a, **o: old(self, *a, **o), *arguments, **options)

    model.__class__ = type(kind.__name__, (kind,), {name: replaced(name, new) for name, new in members.items()})
    return model


class Affine(nn.Module):
    """Points z = (x − shift) · exp(−scale), z normal: a likelihood, an inverse, and nothing of images."""

    name = "affine"
    domain = Domain((2,))
    report = Report("nats", "exact", "nats a point")
    players = MINIMISER
    config: Mapping[str, Any] = {"name": "affine", "settings": {}}

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([0.5, -1.0]))
        self.scale = nn.Parameter(torch.tensor([0.3, -0.2]))

    def forward_and_log_det(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return (values - self.shift) * (-self.scale).exp(), -self.scale.sum().expand(len(values))

    def inverse(self, codes: Tensor) -> Tensor:
        return codes * self.scale.exp() + self.shift

    def _log_prob(self, values: Any) -> Tensor:
        codes, log_det = self.forward_and_log_det(torch.as_tensor(values))
        return -0.5 * codes.square().sum(1) - np.log(2 * np.pi) + log_det

    @torch.no_grad()
    def log_prob(self, images: Any, backend: str = "auto", dtype: str = "float32") -> Tensor:
        return self._log_prob(images).double()

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        return Terms(-self._log_prob(batch.values).mean())

    def validate(self, batch: Batch, how: Compute) -> dict[str, np.ndarray]:
        return {"nats": -self.log_prob(batch.values).numpy()}

    @torch.no_grad()
    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> np.ndarray:
        if options:
            raise InputError(f"an affine model has no options; got {', '.join(options)}")
        return self.inverse(torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))).numpy()


@pytest.mark.parametrize("graph", [gated((1, 2, 3)), gated((2, 2, 2), levels=2)], ids=["grey", "colours"])
def test_a_sound_list_passes_every_check(graph: Any) -> None:
    found = check_graph(graph)
    for check in ("native_is_torch", "no_leak", "sums_to_one", "samples_fit"):
        assert found[check].startswith("holds: ")
    assert float(found["gradients_are_slopes"].split()[-1]) < 1e-6
    assert found["backends_draw_alike"] == "native, torch, naive, jacobi alike"
    assert [name for name, words in found.items() if "not tried" in words] == ["resumes_bit_for_bit"]


def test_a_class_conditional_model_passes() -> None:
    found = check_model(tiny_model(image_shape=(1, 2, 3), channels=2, classes=3))
    assert found["backends_draw_alike"] == "native, torch, naive, jacobi alike"
    assert found["logits_are_what_log_prob_sums"] == "sum up to log p"
    for check in ("native_is_torch", "no_leak", "sums_to_one", "samples_fit"):
        assert found[check].startswith("holds: Given class ")


def test_sound_models_of_other_families_pass_and_are_left_alone() -> None:
    affine, two_players = Affine(), forger(size=3)
    before = {name: tensor.clone() for name, tensor in two_players.state_dict().items()}
    generator = torch.get_rng_state()
    assert "the Jacobian's" in check_model(affine)["inverse_undoes_forward"]
    assert check_model(two_players)["resumes_bit_for_bit"].endswith("tensors of a checkpoint")
    assert all(torch.equal(tensor, before[name]) for name, tensor in two_players.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert two_players.training
    assert abilities(affine) == {"likelihood", "invertible"}


def of(images: Any) -> Tensor:
    return torch.as_tensor(images.values if isinstance(images, Batch) else images).long()


def peeking(model: Any, original: Any, images: Any, **options: Any) -> Tensor:
    """Logits that favour the value they are to predict."""
    return original(images, **options) + nn.functional.one_hot(of(images), 2)


def of_peeking(model: Any, original: Any, images: Any, **options: Any) -> Tensor:
    chosen = model.logits(images).double().log_softmax(-1).gather(-1, of(images)[..., None])
    return chosen.flatten(1).sum(1)


def with_total(change: Callable[[Tensor], Tensor]) -> Callable[..., Terms]:
    return lambda model, original, *arguments: Terms(change(original(*arguments).total))


def noted(model: Any, original: Any, *arguments: Any) -> Terms:
    model.calls = getattr(model, "calls", 0) + 1
    return Terms(original(*arguments).total * model.calls)


def half(name: str) -> Player:
    return Player(name, ("nodes.input.",))


VIOLATIONS: dict[str, tuple[Callable[[], Any], str]] = {
    "predictions that see their own value": (lambda: changed(pixelcnn, logits=peeking, log_prob=of_peeking), "no_leak holds"),
    "logits of another model": (lambda: changed(pixelcnn, logits=peeking), "log p is the sum of the predictions' log-probabilities"),
    "players who share": (
        lambda: changed(pixelcnn, players=(Player("a"), half("b"))),
        "'nodes.input.weight' belongs to one player; found 2",
    ),
    "players who leave out": (lambda: changed(pixelcnn, players=(half("a"),)), "belongs to one player; found 0: nobody"),
    "a player without parameters": (lambda: changed(pixelcnn, players=(Player("a"), Player("b", ("x",)))), "player 'b' has parameters"),
    "players of one name": (lambda: changed(pixelcnn, players=(half("a"), half("a"))), "players have names of their own"),
    "a loss that ignores its key": (
        lambda: changed(pixelcnn, terms=with_total(lambda total: total + np.random.default_rng().normal())),
        "the same key gives 'model' the same loss",
    ),
    "a loss that remembers": (lambda: changed(pixelcnn, terms=noted), "the same key gives 'model' the same loss"),
    "a gradient of another loss": (
        lambda: changed(pixelcnn, terms=with_total(lambda total: 2 * total.detach() - total)),
        "the gradient of 'model' is the slope of its loss",
    ),
    "a gradient a little off": (
        lambda: changed(pixelcnn, terms=with_total(lambda total: 1.01 * total - 0.01 * total.detach())),
        "the gradient of 'model' is the slope of its loss",
    ),
    "a loss without gradient": (lambda: changed(pixelcnn, terms=with_total(lambda total: total * 0)), "depends on its own parameters"),
    "a loss that is no number": (
        lambda: changed(pixelcnn, terms=with_total(lambda total: total * torch.nan)),
        "the total of 'model' is finite",
    ),
    "a loss of each image": (lambda: changed(pixelcnn, terms=with_total(lambda total: total[None])), "is a scalar tensor"),
    "no report": (lambda: changed(pixelcnn, report=Report("elbo", "bound", "nats")), "validate gives the report's figure 'elbo'"),
    "figures in float32": (
        lambda: changed(pixelcnn, validate=lambda model, original, *a: {"nats": original(*a)["nats"].astype(np.float32)}),
        "figure 'nats' is float64",
    ),
    "a mean for all": (
        lambda: changed(pixelcnn, validate=lambda model, original, *a: {"nats": original(*a)["nats"].mean()}),
        r"figure 'nats' has shape \(6,\)",
    ),
    "a report that is not −log p": (
        lambda: changed(pixelcnn, validate=lambda model, original, *a: {"nats": original(*a)["nats"] / 6}),
        "an exact report is −log p",
    ),
    "probabilities that do not sum to one": (
        lambda: changed(Affine, log_prob=lambda model, original, images, **o: original(images)[:1].expand(len(images))),
        "does not depend on the others of its batch|an exact report is −log p",
    ),
    "a native walk of its own": (
        lambda: changed(
            pixelcnn, log_prob=lambda model, original, images, backend="auto", **o: original(images, backend) + 0.01 * (backend == "torch")
        ),
        "native_is_torch holds",
    ),
    "a seed that is ignored": (
        lambda: changed(pixelcnn, sample=lambda model, original, n, seed, o: original(n, 0, o)),
        "another seed draws",
    ),
    "a seed that decides nothing": (
        lambda: changed(pixelcnn, sample=lambda model, original, n, seed, o: original(n, np.random.default_rng().integers(2**32), o)),
        "the same seed draws the same samples",
    ),
    "options passed over": (
        lambda: changed(Affine, sample=lambda model, original, n, seed, o: original(n, seed, {})),
        "that it is passed over",
    ),
    "points in float64": (
        lambda: changed(Affine, sample=lambda model, original, n, seed, o: original(n, seed, o).astype(np.float64)),
        "samples are float32",
    ),
    "a wrong volume": (
        lambda: changed(
            Affine,
            forward_and_log_det=lambda model, original, x: (original(x)[0], -2 * original(x)[1]),
            validate=lambda m, o, *a: {"nats": -m.log_prob(a[0].values).numpy()},
        ),
        r"log \|det\| is that of the Jacobian",
    ),
    "an inverse of something else": (lambda: changed(Affine, inverse=lambda model, original, z: original(z) + 1), "gives the example back"),
    "a judge above one": (
        lambda: changed(
            lambda: forger("other"),
            judge=lambda m, original, b: 2 + original(b),
        ),
        "judge gives probabilities from 0 to 1",
    ),
    "a config that is no JSON": (
        lambda: changed(Affine, config={"name": "affine", "settings": {"shape": (1, 2)}}),
        "the same once written as JSON",
    ),
    "no module": (lambda: type("Nothing", (), {"domain": Domain((2,)), "name": "x"})(), "a model has all that .* lists; found no"),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_is_caught(violation: str) -> None:
    plant, sentence = VIOLATIONS[violation]
    with pytest.raises(ConformanceError, match=sentence):
        check_model(plant())


def test_a_walk_that_differs_is_caught_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = torch_walk.logits
    monkeypatch.setattr(torch_walk, "logits", lambda *arguments, **options: 1.1 * honest(*arguments, **options))
    with pytest.raises(ConformanceError):
        check_graph(gated((1, 2, 2)))


def test_a_batch_of_another_shape_is_told() -> None:
    with pytest.raises(ConformanceError, match=r"examples have the domain's shape \(2,\); found a batch of \(3, 5\)"):
        check_model(Affine(), Batch(np.zeros((3, 5), np.float32)))
    assert issubclass(ConformanceError, AssertionError)
