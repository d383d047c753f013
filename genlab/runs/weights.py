"""Models out of run folders and weight files, and into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.errors import RunError, unknown_name
from genlab.runs.listing import open_run, pretrained_path
from genlab.runs.run import Run
from genlab.runs.tensors import compare_tensors, read_arrays, read_header, read_plain, read_table, read_tensors, save_tensors

if TYPE_CHECKING:
    from genlab.causal.native_program import Painter

_WEIGHTS = {"best": "best", "ema": "ema", "raw": "model"}
_DTYPES = {"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16"}


def save_model(model: Any, path: Path | str) -> None:
    """Write a model's weights and config as one ``.safetensors`` file that :func:`load_model` takes.

    Raises:
        RunError: The disk is full or refuses.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    save_tensors(Path(path), tensors, {"model": model.config})


def load_model(path: Run | Path | str, *, weights: str = "best", model: Any = None) -> Any:
    """A trained model out of a run folder, a ``.safetensors`` file, or a packaged one by its name.

    Args:
        path: The run, its folder, a file written by :func:`save_model` or a run's checkpoint, or a pretrained model's name.
        weights: ``"best"`` (averaged weights of the best validation; the latest averaged ones before the first validation),
            ``"ema"`` (the latest averaged weights) or ``"raw"`` (the latest weights themselves). A file that holds only one set
            of weights gives that one.
        model: A model to load into, for a file that describes none: a plain state dict as ``safetensors.torch.save_model`` writes it,
            with the names of ``model.state_dict()``. None builds the model that the file describes.

    Returns:
        The model, in evaluation mode: its weights together with the buffers that belong to them.

    Raises:
        InputError: `weights` is not one of the three.
        RunError: The folder or file is missing, torn, damaged, of another format, or doesn't fit the model.
    """
    if weights not in _WEIGHTS:
        raise unknown_name("weights", weights, _WEIGHTS)
    file = _weights_file(path)
    if model is not None and read_table(file).genlab is None:
        tensors = read_plain(file)
        compare_tensors(file, tensors, model.state_dict())
        model.load_state_dict(tensors)
        return model.eval()
    header = read_header(file)
    model = _build(file, header, meta=True) if model is None else model
    sources = _sources(header, model, _WEIGHTS[weights])
    found, _ = read_tensors(file, {sources[name]: tensor for name, tensor in model.state_dict().items()})
    tensors = {name: found[source] for name, source in sources.items()}
    if next(iter(model.state_dict().values())).is_meta:
        model.load_state_dict(tensors, assign=True)
        if any(buffer.is_meta for buffer in model.buffers()):
            # Buffers that no file holds exist only in a model that was really built; the file has borne its size out by now.
            model = _build(file, header, meta=False)
    model.load_state_dict(tensors)
    # Half a number's bits are how weights are kept small, not how they are computed with.
    return (model.float() if _number_format(file).itemsize < 4 else model).eval()


def _build(file: Path, header: dict[str, Any], *, meta: bool) -> Any:
    """The model that a file describes.

    On torch's "meta" device nothing takes memory: whatever network a header claims, the file's tensors must bear it out first.
    """
    import torch

    from genlab.models import create_model

    number = _number_format(file)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta" if meta else "cpu"):
            return create_model(header["model"]["name"], **header["model"]["settings"]).to(number)
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise RunError(f"{file} names a model that this genlab cannot build: {error}") from None


def _number_format(file: Path) -> Any:
    """In which format the file keeps the weights."""
    import torch

    kept = {tensor["dtype"] for name, tensor in read_table(file).tensors.items() if name.startswith("model/")}
    return getattr(torch, next((name for kind, name in _DTYPES.items() if kind in kept), "float32"))


def _sources(header: dict[str, Any], model: Any, group: str) -> dict[str, str]:
    """Where each tensor of the model stands in the file. Format 1 averaged parameters alone."""
    if "step" not in header:
        group = "model"
    averaged = {name for name, _ in model.named_parameters()} if header["format"] == 1 else model.state_dict().keys()
    return {name: f"{group if name in averaged else 'model'}/{name}" for name in model.state_dict()}


def load_painter(name: str) -> Painter:
    """A packaged pretrained model that can only draw, loaded without torch: for a page that wants to show something at once.

    Raises:
        RunError: There is no such model, or its file is torn.
        InputError: It names a model that this genlab does not know.
    """
    from genlab.causal.native_program import Painter
    from genlab.models import build_graph

    folder = pretrained_path(name)
    if folder is None:
        raise RunError(f"there is no packaged model {name!r}")
    described = Run(folder).config["model"]
    arrays = read_arrays(folder / "model.safetensors")
    weights: dict[str, Any] = {tensor.removeprefix("model/"): array for tensor, array in arrays.items()}
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
