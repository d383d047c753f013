"""Training fills a run folder: Adam on −log p, averaged weights, validation, checkpoints that resume bit for bit.

The order of the images, their binarisation and whatever is random inside a model are functions of (seed, epoch, step), so there is
no generator whose state could be lost: the tensors, the step and the config are everything. Several processes share the batch of each
step; docs/scaling.md says what that costs and gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genlab.errors import BackendError
from genlab.models.contract import Model, check_fits, check_labels
from genlab.runs import Run, write_config
from genlab.settings import TrainSettings, validate
from genlab.training.config import check_is_catalogued, new_config, resumed_config, run_folder, versions
from genlab.training.following import follow
from genlab.training.gathering import Place, check_device, check_processes, gathered
from genlab.training.records import Progress
from genlab.training.session import Session
from genlab.training.shares import check_shares
from genlab.training.state import check_players
from genlab.training.stopping import stop_signals

if TYPE_CHECKING:
    from genlab.datasets import Dataset


def train(
    model: Model,
    data: Dataset,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    backend: str = "auto",
    processes: int | None = None,
    device: str | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    **settings: Any,
) -> Run:
    """Minimises −(1/N) Σ_n log p(x_n) with Adam, and records everything in a run folder.

    At the end, however it comes, the model holds the averaged weights of the best validation (before the first validation, the
    latest averaged ones). Ctrl-C and SIGTERM end the run cleanly after the step under way; a second one interrupts at once.

    Args:
        model: The model; its weights are trained in place. A resumed run replaces them by the checkpoint's.
        data: The images, of the model's shape and levels.
        epochs: Passes over the training images; 10 if none of `epochs`, ``minutes`` and ``steps`` is given.
        seed: Decides the order of the images and every draw; None means 0, or what a resumed run began with.
        out: The run folder, new or empty; None makes ``<model>-<data>-<time>`` below ``$GENLAB_RUNS_DIR`` or ``./runs``.
        resume: Go on with the run in `out`. What isn't given is taken from its config; what is given must agree with it, except how
            long (`epochs`, ``minutes`` or ``steps``, which then replace all three) and how often (``patience``, ``..._seconds``).
        backend: ``"native"``, ``"torch"`` or ``"auto"``.
        processes: So many processes share each step's batch: this one and children that it starts. The losses are those of one process,
            but for rounding, and any number can go on with the run. A program that torchrun has started several of, on one machine or
            more, shares the batch with them, without being asked; process 0 alone writes.
        device: ``"cpu"``, or ``"cuda"``, ``"cuda:1"`` for the torch backend; the model stays there. None leaves it where it is.
        on_progress: Called with a `Progress` at every record and validation.
        **settings: Other fields of `genlab.settings.TrainSettings`, such as ``minutes=2, learning_rate=1e-3``.

    Returns:
        The run.

    Raises:
        InputError: A setting out of its bounds, a model that isn't in the catalogue, data that doesn't fit the model, a folder with
            something in it, or a resumed run whose config differs. More processes than examples in a batch, a loss that cannot be
            shared, a process that has other data or another version, a port in use, a device that isn't there.
        RunError: The folder is locked by another process, missing, torn, or the disk is full. The last checkpoint is kept.
        TrainingError: The loss or a gradient is no longer finite, or a process is lost or never came. The last checkpoint is kept.
        KeyboardInterrupt: After Ctrl-C, once the checkpoint is written; the run can be resumed.
    """
    asked: dict[str, Any] = {"epochs": epochs, "seed": seed, "backend": None if backend == "auto" else backend, **settings}
    asked = {name: value for name, value in asked.items() if value is not None or name in settings}
    check_fits(model, data.domain, data.name)
    check_labels(model, data.train.labels, data.name)
    check_players(model)
    check_is_catalogued(model)
    place = Place.of_environment()
    if place and place.rank:
        return Run(_follow(place, model, data, asked, device))
    run = run_folder(model, data, out, resume=resume)
    with run.lock():
        config, checked, new_rate = resumed_config(run, model, data, asked) if resume else (*new_config(run, model, data, asked), None)
        if (check := getattr(model, "check_batches", None)) is not None:
            check(checked.batch_size, len(data.train))
        size = check_processes(processes, min(checked.batch_size, len(data.train)), place)
        where = _put(model, device, backend, local=0, neighbours=place.neighbours if place else size)
        check_shares(model, data, checked, size)
        with (
            stop_signals() as received,
            gathered(size, place, device=where, seconds=checked.join_seconds, received=received) as ranks,
        ):
            ranks.tell({"config": config, "versions": versions(), "path": str(run.path)})
            # Made first: a checkpoint that cannot be taken over leaves the folder as it is.
            session = Session(run, model, data, config, checked, received, on_progress, new_rate, ranks)
            write_config(run, config)
            session.run_to_end()
    if "SIGINT" in received:
        raise KeyboardInterrupt(f"training stopped; resume it with out={str(run.path)!r}, resume=True")
    return run


def _follow(place: Place, model: Model, data: Dataset, asked: Mapping[str, Any], device: str | None) -> Path:
    """Share the batches of a training that another process leads."""
    where = _put(model, device, asked.get("backend", "auto"), local=place.local, neighbours=place.neighbours)
    seconds = validate(TrainSettings, asked).join_seconds
    with stop_signals() as received, gathered(place.size, place, device=where, seconds=seconds, received=received) as ranks:
        return follow(ranks, model, data, asked)


def _put(model: Any, device: str | None, backend: str, *, local: int, neighbours: int) -> torch.device:
    """The model on its device; which one that is."""
    if device is None:
        where: torch.device = next(model.parameters()).device
        return where
    where = check_device(device, local=local, processes=neighbours)
    if where.type != "cpu" and backend == "native":
        raise BackendError(f"backend 'native' computes on the CPU alone; device {device!r} needs 'torch', which 'auto' is there")
    model.to(where)
    return where
