"""What each ability promises, on top of what every model does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from genlab import proofs
from genlab.causal.drawing import BACKENDS, Drawer
from genlab.errors import BackendError, InputError
from genlab.native import native_info
from genlab.sampling import sample
from genlab.testing.case import Case, apart, array, broken, demand, same

Check = Callable[[Case], str]

# The largest difference over the largest value, of what is computed twice in float32 by another order of sums.
_ROUNDING = 1e-4
_DRAWS = 4
_VALUES_AT_MOST = 64  # of an example whose Jacobian is taken


def log_prob_is_what_is_reported(case: Case) -> str:
    """Log p of each example is a finite float64, that of a batch that of its examples, and an exact report is its negative."""
    model = case.copy().eval()
    nats = array(_log_prob(case, model))
    demand(nats.dtype == np.float64 and nats.shape == (len(case.batch),), "log_prob is float64 (N,)", f"{nats.dtype} {nats.shape}")
    demand(bool(np.isfinite(nats).all()), "log_prob is finite", nats)
    if model.domain.levels is not None:
        demand(bool((nats <= 1e-6).all()), "log p of levels is at most 0", nats.max())
    alone = np.concatenate([array(_log_prob(case.part(slice(i, i + 1)), model)) for i in range(len(case.batch))])
    demand(apart(alone, nats) < _ROUNDING, "log p of an example does not depend on the others of its batch", f"{alone}, then {nats}")
    if model.report.kind == "exact":
        reported = case.figures(model)[model.report.key]
        demand(apart(reported, -nats) < _ROUNDING, "an exact report is −log p", f"{reported} where −log p is {-nats}")
    return f"{-nats.mean():.3f} nats an example"


def logits_are_what_log_prob_sums(case: Case) -> str:
    """Log p(x) = Σ_i log softmax(logits_i)[x_i]: a prediction for each value, given those before it."""
    model, values = case.copy().eval(), case.batch.values
    logits = model.logits(values, **case.known())
    shape = (*values.shape, model.domain.levels)
    demand(tuple(logits.shape) == shape, f"logits have shape {shape}", tuple(logits.shape))
    chosen = logits.double().log_softmax(-1).gather(-1, torch.from_numpy(values.astype(np.int64))[..., None])
    off = apart(chosen.flatten(1).sum(1), _log_prob(case, model))
    demand(off < _ROUNDING, "log p is the sum of the predictions' log-probabilities", f"a difference of {off:.1e}")
    return "sum up to log p"


def backends_draw_alike(case: Case) -> str:
    """Every backend draws the same images from the same seed, keeps what is known, and hands over the rows it drew."""
    model = case.copy().eval()
    if not isinstance(model, Drawer):
        return "not tried: it does not draw from given uniforms"
    given = case.options(_DRAWS)
    backends = [backend for backend in BACKENDS if backend != "native" or native_info()["available"]]
    drawn = {backend: sample(model, _DRAWS, seed=case.seed, backend=backend, **given) for backend in backends}
    for backend in backends[1:]:
        alike = int((drawn[backend] == drawn[backends[0]]).all(axis=(1, 2, 3)).sum())
        promise = f"backends {backends[0]!r} and {backend!r} draw the same images from the same seed"
        demand(alike > _DRAWS // 2, promise, f"{alike} of {_DRAWS}")
    known = np.resize(case.batch.values, (_DRAWS, *model.image_shape))
    mask = np.random.default_rng(case.seed).random(known.shape[1:]) < 0.5
    for backend in backends:
        completed = sample(model, _DRAWS, seed=case.seed, backend=backend, known=known, known_mask=mask, **given)
        demand(same(completed[:, mask], known[:, mask]), f"backend {backend!r} keeps what is known", "other values")
    rows: list[Any] = []
    images = sample(model, _DRAWS, seed=case.seed, on_row=rows.append, **given)
    demand(same(np.stack([row.levels for row in rows], axis=2), images), "the rows handed over are those of the images", "others")
    total = np.exp(np.stack([row.predictive for row in rows])).sum(-1)
    demand(bool(np.allclose(total, 1, atol=1e-4)), "what a row was drawn from sums to 1 for each value", f"{total.min()} to {total.max()}")
    return f"{', '.join(backends)} alike"


def bound_is_below_and_rises(case: Case) -> str:
    """The bound and its parts are finite ``(N,)``; with more draws the importance bound does not fall (Burda et al. 2016)."""
    model, how = case.copy().eval(), case.how()
    parts = model.elbo(case.batch, how)
    for name, part in parts.items():
        demand(array(part).shape == (len(case.batch),), f"part {name!r} of the bound has shape (N,)", array(part).shape)
        demand(bool(np.isfinite(array(part)).all()), f"part {name!r} of the bound is finite", array(part))
    few, many = (array(model.importance_bound(case.batch, draws, how)) for draws in (1, 64))
    for bound in (few, many):
        demand(bound.shape == (len(case.batch),) and bool(np.isfinite(bound).all()), "the importance bound is finite (N,)", bound)
    spread = 3 * float((many - few).std()) / np.sqrt(len(few)) + 1e-6
    demand(
        many.mean() >= few.mean() - spread,
        "the importance bound does not fall with more draws",
        f"{few.mean():.3f}, then {many.mean():.3f}",
    )
    return f"{few.mean():.3f} nats with one draw, {many.mean():.3f} with 64"


def codes_lead_back(case: Case) -> str:
    """A code of the stated shape for each example, and from it an example's shape."""
    model = case.copy().eval()
    with torch.no_grad():
        codes = model.encode(case.batch.values)
        decoded = model.decode(codes)
    shape = (len(case.batch), *model.latent_shape)
    demand(tuple(codes.shape) == shape, f"encode gives codes of shape {shape}", tuple(codes.shape))
    demand(bool(codes.isfinite().all()), "codes are finite", "values that are not")
    demand(
        decoded.shape[0] == len(case.batch) and bool(decoded.isfinite().all()),
        "decode gives something finite for each code",
        tuple(decoded.shape),
    )
    return f"codes {tuple(model.latent_shape)}"


def posterior_makes_the_bound(case: Case) -> str:
    """Σ_j KL_j by its formula is that of torch.distributions, and one of a bound's parts; log p(x | z) of levels is at most 0."""
    model = case.copy().eval()
    with torch.no_grad():
        posterior = model.posterior(case.batch.values)
        nats = model.log_likelihood(case.batch.values, posterior.mean)
    shape = (len(case.batch), *model.latent_shape)
    demand(tuple(posterior.batch_shape) == shape, f"q(z | x) is a normal distribution of batch shape {shape}", posterior)
    demand(nats.shape == shape[:1] and bool((nats <= 1e-6).all()), "log p(x | z) of levels is (N,) and at most 0", nats)
    prior = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    kl = torch.distributions.kl_divergence(posterior, prior).flatten(1).sum(1)
    off = apart(model.elbo(case.batch, case.how())["kl"], kl)
    demand(off < _ROUNDING, "the bound's KL is that of q(z | x) from N(0, I)", f"a difference of {off:.1e}")
    return f"a KL of {float(kl.mean()):.3f} nats"


def inverse_undoes_forward(case: Case) -> str:
    """The example comes back, f⁻¹(f(x)) = x, and log |det ∂z/∂x| is that of the Jacobian where it can be taken."""
    model = case.copy().eval()
    values = torch.from_numpy(np.asarray(case.batch.values, np.float32))
    with torch.no_grad():
        codes, log_det = model.forward_and_log_det(values)
        off = apart(model.inverse(codes), values)
    demand(tuple(log_det.shape) == (len(values),), "log |det| has shape (N,)", tuple(log_det.shape))
    demand(off < 1e-3, "the inverse of the forward pass gives the example back", f"a difference of {off:.1e}")
    if model.domain.size > _VALUES_AT_MOST:
        return f"gives examples back to {off:.1e}"
    for index in range(min(2, len(values))):
        one = values[index : index + 1]
        jacobian = torch.autograd.functional.jacobian(lambda x: model.forward_and_log_det(x)[0], one)  # type: ignore[no-untyped-call]
        exact = torch.linalg.slogdet(jacobian.detach().reshape(model.domain.size, model.domain.size).double()).logabsdet
        difference = abs(float(exact) - float(log_det[index]))
        demand(
            difference < 1e-3 * (1 + abs(float(exact))), "log |det| is that of the Jacobian", f"{float(log_det[index])} for {float(exact)}"
        )
    return f"gives examples back to {off:.1e}; log |det| is the Jacobian's"


def judgements_are_probabilities(case: Case) -> str:
    """A probability of "real" for each example."""
    judged = array(case.copy().eval().judge(case.batch))
    demand(judged.shape == (len(case.batch),), "judge gives shape (N,)", judged.shape)
    demand(bool(((judged >= 0) & (judged <= 1)).all()), "judge gives probabilities from 0 to 1", judged)
    return f"{judged.min():.3f} to {judged.max():.3f}"


def proof(check: Callable[..., proofs.Proof], case: Case) -> str:
    """A claim of `genlab.proofs`, or why it was not tried."""
    given = case.part(slice(0, 1)).options(1)
    if "labels" in given:
        given["labels"] = int(given["labels"][0])
    try:
        found = check(case.copy().eval(), **given)
    except (InputError, BackendError) as reason:
        return f"not tried: {reason}"
    if found.holds is False:
        broken(f"{check.__name__} holds", found.sentence)
    return f"{found.verdict}: {found.sentence}"


def _log_prob(case: Case, model: Any) -> Any:
    return model.log_prob(case.batch.values, **case.known())


def _proofs(ability: str) -> dict[str, Check]:
    return {check.__name__: partial(proof, check) for check in proofs.PROOFS.get(ability, ())}


BY_ABILITY: Mapping[str, Mapping[str, Check]] = {
    "likelihood": {"log_prob_is_what_is_reported": log_prob_is_what_is_reported, **_proofs("likelihood")},
    "causal": {
        "logits_are_what_log_prob_sums": logits_are_what_log_prob_sums,
        "backends_draw_alike": backends_draw_alike,
        **_proofs("causal"),
    },
    "bound": {"bound_is_below_and_rises": bound_is_below_and_rises, **_proofs("bound")},
    "latent": {"codes_lead_back": codes_lead_back},
    "posterior": {"posterior_makes_the_bound": posterior_makes_the_bound, **_proofs("posterior")},
    "invertible": {"inverse_undoes_forward": inverse_undoes_forward, **_proofs("invertible")},
    "judge": {"judgements_are_probabilities": judgements_are_probabilities},
}
"""The checks that each ability calls for, by name."""
