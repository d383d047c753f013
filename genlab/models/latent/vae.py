"""Variational autoencoder (Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014).

    p(x) = ∫ N(z; 0, I) p(x | z) dz,        q(z | x) = N(z; μ(x), σ²(x) I)
    log p(x) = E_q[log p(x | z)] − KL(q(z | x) ‖ N(0, I)) + KL(q(z | x) ‖ p(z | x))

The last term cannot be computed and is at least 0; the first two are the evidence lower bound that is maximised, z = μ + σ ε (the
reparametrisation). The decoder gives p(x | z) as one distribution for each value, independent given z (`observation.py`).

    loss = −E_q[log p(x | z)] + β Σ_j max(λ, KL_j)

β as in Higgins et al. 2017, λ the free bits of Kingma et al. 2016, of the batch's mean KL of each latent; 1 and 0 give the bound itself.
What is reported is always the bound, whatever was minimised.

NOTE: both terms are sums over an image and means over a batch. A reconstruction that is averaged over pixels, as is often seen, is a β of
some hundreds, and the latents collapse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from genlab.models.latent.settings import Likelihood, NetworkSettings

if TYPE_CHECKING:
    from genlab.models.latent.variational import VAE


class VariationalSettings(NetworkSettings):
    """What every variational autoencoder is told."""

    latents: int = Field(32, ge=1, le=1024, description="Numbers in a code.")
    beta: float = Field(1.0, ge=0, le=1000, description="Weight β of the KL in what is minimised; 1: the bound itself.")
    beta_warmup: int = Field(0, ge=0, le=10_000_000, description="Steps over which β rises from 0; 0: none.")
    free_bits: float = Field(0.0, ge=0, le=100, description="Nats of KL of each latent that cost nothing.")


class Settings(VariationalSettings):
    """What a VAE is made of."""

    likelihood: Likelihood | None = Field(
        None,
        description="Distribution of each value given a code: bernoulli (two levels alone), categorical, or logistic (discretised); "
        "none: bernoulli for two levels, logistic for more.",
    )


def create(name: str, settings: Settings) -> VAE:
    """The model of these settings, with random weights.

    Raises:
        InputError: Levels that the likelihood cannot have.
    """
    from genlab.models.latent.variational import VAE

    return VAE(name, settings)
