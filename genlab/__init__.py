"""genlab: a laboratory for generative models that runs at native speed on a laptop's CPU.

Names resolve on first use (PEP 562), so that ``import genlab`` loads neither torch nor streamlit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from genlab import (
        causal,
        challenge,
        datasets,
        export,
        kernels,
        lecture,
        measures,
        models,
        nn,
        proofs,
        receptive_field,
        runs,
        testing,
        toy_gan,
        training,
    )
    from genlab.datasets import load_dataset
    from genlab.measures.bound import bound
    from genlab.measures.likelihood import evaluate, log_prob
    from genlab.models import create_model, list_models
    from genlab.native import native_info
    from genlab.runs import load_model
    from genlab.sampling import sample, stream
    from genlab.simulation import simulate
    from genlab.training import train

_HOME = {
    "load_dataset": "genlab.datasets",
    "create_model": "genlab.models",
    "list_models": "genlab.models",
    "train": "genlab.training",
    "sample": "genlab.sampling",
    "stream": "genlab.sampling",
    "simulate": "genlab.simulation",
    "bound": "genlab.measures.bound",
    "log_prob": "genlab.measures.likelihood",
    "evaluate": "genlab.measures.likelihood",
    "load_model": "genlab.runs",
    "native_info": "genlab.native",
}
_ROOMS = (
    "causal",
    "challenge",
    "datasets",
    "export",
    "kernels",
    "lecture",
    "measures",
    "models",
    "nn",
    "proofs",
    "receptive_field",
    "runs",
    "testing",
    "toy_gan",
    "training",
)

__all__ = [
    "__version__",
    "bound",
    "causal",
    "challenge",
    "create_model",
    "datasets",
    "evaluate",
    "export",
    "kernels",
    "lecture",
    "list_models",
    "load_dataset",
    "load_model",
    "log_prob",
    "measures",
    "models",
    "native_info",
    "nn",
    "proofs",
    "receptive_field",
    "runs",
    "sample",
    "simulate",
    "stream",
    "testing",
    "toy_gan",
    "train",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"genlab.{name}")
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'genlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
