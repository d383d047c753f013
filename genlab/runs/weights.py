"""Models out of run folders and weight files, and into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genlab.errors import InputError, RunError, unknown_name
from genlab.runs.listing import open_run, pretrained_path
from genlab.runs.run import Run
from genlab.runs.tensors import read_header, read_tensors, save_tensors

if TYPE_CHECKING:
    from genlab.causal.native_program import Painter
    from genlab.models.causal.model import CausalModel

_WEIGHTS = {"best": "best", "ema": "ema", "raw": "model"}


def save_model(model: CausalModel, path: Path | str) -> None:
    """Write a model's weights and config as one ``.safetensors`` file that :func:`load_model` takes.

    Raises:
        RunError: The disk is full or refuses.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    save_tensors(Path(path), tensors, {"model": model.config})


def load_model(path: Run | Path | str, *, weights: str = "best") -> CausalModel:
    """A trained model out of a run folder, a ``.safetensors`` file, or a packaged one by its name.

    Args:
        path: The run, its folder, a file written by :func:`save_model` or a run's checkpoint, or a pretrained model's name.
        weights: ``"best"`` (averaged weights of the best validation; the latest averaged ones before the first validation),
            ``"ema"`` (the latest averaged weights) or ``"raw"`` (the latest weights themselves). A file that holds only one set
            of weights gives that one.

    Raises:
        InputError: `weights` is not one of the three.
        RunError: The folder or file is missing, torn, of another format, or doesn't fit the model it names.
    """
    import torch

    from genlab.models import create_model

    if weights not in _WEIGHTS:
        raise unknown_name("weights", weights, _WEIGHTS)
    file = _weights_file(path)
    header = read_header(file)
    try:
        # On torch's "meta" device nothing takes memory: whatever network a header claims, the file's tensors must bear it out first.
        with torch.device("meta"):
            model: CausalModel = create_model(header["model"]["name"], **header["model"]["settings"])
    except (InputError, KeyError, TypeError) as error:
        raise RunError(f"{file} names a model that this genlab cannot build: {error}") from None
    group = _WEIGHTS[weights] if "step" in header else "model"
    averaged = {name for name, _ in model.named_parameters()}
    sources = {name: f"{group if name in averaged else 'model'}/{name}" for name in model.state_dict()}
    tensors, _ = read_tensors(file, {sources[name]: tensor for name, tensor in model.state_dict().items()})
    model.load_state_dict({name: tensors[source] for name, source in sources.items()}, assign=True)
    return model.eval()


def load_painter(name: str) -> Painter:
    """A packaged pretrained model that can only draw, loaded without torch: for a page that wants to show something at once.

    Raises:
        RunError: There is no such model, or its file is torn.
        InputError: It names a model that this genlab does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from genlab.causal.native_program import Painter
    from genlab.models import build_graph

    folder = pretrained_path(name)
    if folder is None:
        raise RunError(f"there is no packaged model {name!r}")
    described = Run(folder).config["model"]
    try:
        arrays = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder / 'model.safetensors'} could not be read: {error}") from None
    weights = {tensor.removeprefix("model/"): array for tensor, array in arrays.items()}
    return Painter(described["name"], build_graph(described["name"], **described["settings"]), weights)


def _weights_file(path: Run | Path | str) -> Path:
    """The safetensors file that `path` means."""
    if not isinstance(path, Run) and Path(path).suffix == ".safetensors":
        return Path(path)
    run = open_run(path)
    # Read for its checks alone: weights beside a torn config are not to be trusted.
    _ = run.config
    packaged = run.path / "model.safetensors"
    return packaged if packaged.exists() else run.checkpoint_path
