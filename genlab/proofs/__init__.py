"""What a model promises by its abilities, checked on it there and then, with the figures that came out.

A check that could not have failed proves nothing; it then says that the claim cannot be decided, and why. `exact` has the checks of exact
likelihoods and of causal models, `bounds` those of lower bounds and of the codes behind them, `invertible` those of bijections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from genlab.models.contract import abilities
from genlab.proofs.bounds import bounds_rise, gradient_is_slope, kl_fits_draws
from genlab.proofs.claim import Proof
from genlab.proofs.exact import all_images, chi_square, native_is_torch, no_leak, on_tiny_images, samples_fit, sums_to_one
from genlab.proofs.invertible import integrates_to_one, inverse_returns, log_det_is_the_jacobians

__all__ = [
    "PROOFS",
    "Proof",
    "all_images",
    "bounds_rise",
    "chi_square",
    "gradient_is_slope",
    "integrates_to_one",
    "inverse_returns",
    "kl_fits_draws",
    "log_det_is_the_jacobians",
    "native_is_torch",
    "no_leak",
    "on_tiny_images",
    "proofs_of",
    "samples_fit",
    "sums_to_one",
]

PROOFS: Mapping[str, tuple[Callable[..., Proof], ...]] = {
    "likelihood": (sums_to_one, samples_fit),
    "causal": (no_leak, native_is_torch),
    "invertible": (inverse_returns, log_det_is_the_jacobians, integrates_to_one),
    "bound": (bounds_rise,),
    "posterior": (kl_fits_draws, gradient_is_slope),
}
"""Which promises each ability makes that can be checked."""


def proofs_of(model: object) -> tuple[Callable[..., Proof], ...]:
    """The checks that a model's abilities call for."""
    has = abilities(model)
    return tuple(check for ability, checks in PROOFS.items() if ability in has for check in checks)
