"""Which numbers of a code are used, and whether the posterior has collapsed to the prior, in words and with the evidence.

    KL_j = E_x KL(q(z_j | x) ‖ N(0, 1))        A_j = Var_x(E_q[z_j])

A latent is active where A_j > 0.01 (Burda et al. 2016, section 5.1): its mean then depends on the image. One that is not says nothing of
it; what its KL is above 0 is paid for noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures.figures import parts_of
from genlab.models.contract import require

ACTIVE_FROM = 0.01
"""Of the variance of a latent's mean over images (Burda et al. 2016)."""


@dataclass(frozen=True, eq=False)
class CodeUse:
    """What each number of a code is used for.

    Attributes:
        kl: Mean KL of each latent in nats, ``(latents,)``.
        activity: Variance over the images of each latent's posterior mean, ``(latents,)``.
        images: How many images that is over.
    """

    kl: NDArray[np.float64]
    activity: NDArray[np.float64]
    images: int

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which latents depend on the image."""
        return self.activity > ACTIVE_FROM

    @property
    def sentence(self) -> str:
        """The finding for a reader, with its evidence."""
        total, used, all_of_them = float(self.kl.sum()), int(self.active.sum()), len(self.kl)
        evidence = f"{total:.2f} nats of KL, variance of posterior means over {self.images:,} images up to {self.activity.max():.2g}"
        if used == 0:
            begin = f"The posterior has collapsed: none of {all_of_them} latents depends on the image"
            return f"{begin}, so the decoder draws without a code ({evidence})."
        carried = float(self.kl[self.active].sum())
        begin = f"{used} of {all_of_them} latents are active and carry {carried:.2f} of {total:.2f} nats of KL"
        if used == all_of_them:
            return f"{begin}: none has collapsed to the prior."
        idle = self.activity[~self.active].max()
        others = "The other one has" if all_of_them - used == 1 else f"The other {all_of_them - used} have"
        return (
            f"{begin}. {others} collapsed to the prior: over {self.images:,} images no mean there has a variance above {idle:.1g} (active: "
            f"above {ACTIVE_FROM}), and the decoder does without."
        )


@torch.no_grad()
def code_use(model: Any, batch: Batch) -> CodeUse:
    """What a model with a normal posterior uses its code for, over a batch of images.

    Raises:
        InputError: The model has no such posterior, or there are fewer than two images.
    """
    require(model, "posterior", "code_use")
    if len(batch) < 2:
        raise InputError(f"batch must hold at least two images, for a variance over them; got {len(batch)}")
    means, scales = [], []
    for part in parts_of(len(batch), model.domain):
        posterior = model.posterior(batch.values[part])
        means.append(posterior.mean.double().flatten(1))
        scales.append(posterior.stddev.double().flatten(1))
    mean, scale = torch.cat(means), torch.cat(scales)
    kl = ((mean.square() + scale.square() - 1) / 2 - scale.log()).mean(0)
    return CodeUse(kl.numpy(force=True), mean.var(0).numpy(force=True), len(batch))
