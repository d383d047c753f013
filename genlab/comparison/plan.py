"""Who takes part in a comparison: the usual members as far as the data suit them, or those that are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genlab.ablation import Plan, plan_of
from genlab.errors import InputError
from genlab.models import create_for, entry, list_models

if TYPE_CHECKING:
    from genlab.datasets import Dataset

MEMBERS = (
    "pixelcnn",
    "gated_pixelcnn",
    "pixelcnn_pp",
    "vae",
    "pixelvae",
    "realnvp",
    "flow_matching",
    "mlp_gan",
    "dcgan",
    "gan2d",
)
"""Two or three of each family, in the order of the lecture's axis from explicit to implicit densities; the data decide who can."""


def comparison_of(
    data: Dataset,
    *,
    models: Sequence[str] | None = None,
    seeds: int = 3,
    model: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Plan:
    """A plan for data that are loaded.

    Args:
        data: What all are trained on.
        models: Names of the catalogue; None takes those of `MEMBERS` that can be trained on the data.
        seeds: How often each is trained.
        model: Settings of every model that has them.
        training: Settings of the training; a budget of ``minutes``, ``steps`` or ``epochs`` must be among them.

    Raises:
        InputError: An unknown model, one that cannot be trained on such data, too few test examples, or a setting that breaks its rule.
    """
    from genlab.measures.neighbours import NEIGHBOURS

    if len(data.test) <= NEIGHBOURS:
        raise InputError(
            f"data must have more than {NEIGHBOURS} test examples for precision and recall; {data.name!r} has {len(data.test)}"
        )
    for name in models or ():
        entry(name)
    chosen = list(models or (name for name in MEMBERS if name in list_models() and not obstacle(data, name, {})))
    if not chosen:
        raise InputError(f"models must be named: none of the usual ones can be trained on {data.name!r}, {data.domain}; got none")
    asked = data.settings.model_dump(mode="json")
    plan = plan_of(models=chosen, seeds=seeds, data=asked, model=model, training=training)
    for variant in plan.variants:
        if reason := obstacle(data, variant.model, variant.settings):
            raise InputError(f"models must suit the data; {variant.model!r} does not: {reason}")
    return plan


def obstacle(data: Dataset, name: str, settings: Mapping[str, Any]) -> str:
    """Why a model cannot be built for such data; empty if it can. Its weights are not made."""
    import torch

    try:
        with torch.device("meta"):
            create_for(data, name, 0, settings)
    except InputError as error:
        return str(error)
    return ""
