"""Training fills a run folder: Adam on −log p, averaged weights, validation, checkpoints that resume bit for bit.

The order of the images, their binarisation and whatever is random inside a model are functions of (seed, epoch, step), so there is
no generator whose state could be lost: the tensors, the step and the config are everything. Several machines are left out.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab import __version__
from genlab.errors import InputError, RunError, TrainingError
from genlab.evaluation import bits_per_dim, check_fits, evaluate
from genlab.images import grid, save_png
from genlab.native import native_info
from genlab.runs import Run, is_run, new_run_path, read_tensors, save_tensors, take_learning_rate, write_config
from genlab.sampling import sample
from genlab.settings import TrainSettings, validate

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.models.causal.model import CausalModel

DEFAULT_EPOCHS = 10
SAMPLES = 64

# What may differ when a run is resumed: how long and how often, never what is computed at a step.
_FREE = {"epochs", "minutes", "steps", "patience", "checkpoint_seconds", "sample_seconds", "log_seconds"}
_BUDGETS = {"epochs", "minutes", "steps"}
_MESSAGE_SECONDS = 5.0


@dataclass(frozen=True)
class Progress:
    """How far training is.

    Attributes:
        epoch: Passes over the training images begun, from 1.
        step: Steps done.
        steps_total: Steps in all epochs, or None if no number of epochs was given.
        loss: Mean since the last report, in nats an image.
        bits_per_dim: The same in bits/dim.
        valid_bits_per_dim: Of the last validation, or None before the first.
        images_per_second: Of training alone, since the last report.
        seconds: Training time over all sessions of the run.
        seconds_left: An estimate, or None while there is none.
        message: The line that `log.txt` received at this moment, or an empty string.
    """

    epoch: int
    step: int
    steps_total: int | None
    loss: float
    bits_per_dim: float
    valid_bits_per_dim: float | None
    images_per_second: float
    seconds: float
    seconds_left: float | None
    message: str = ""

    def __str__(self) -> str:
        steps = f"{self.step}" if self.steps_total is None else f"{self.step}/{self.steps_total}"
        parts = [f"epoch {self.epoch}, step {steps}: {self.bits_per_dim:.4f} bits/dim"]
        if self.valid_bits_per_dim is not None:
            parts.append(f"validation {self.valid_bits_per_dim:.4f}")
        parts.append(f"{self.images_per_second:,.0f} images/s")
        if self.seconds_left is not None:
            parts.append(f"{timedelta(seconds=round(self.seconds_left))} left")
        return ", ".join(parts)


def train(
    model: CausalModel,
    data: Dataset,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    backend: str = "auto",
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
        on_progress: Called with a `Progress` at every record and validation.
        **settings: Other fields of `genlab.settings.TrainSettings`, such as ``minutes=2, learning_rate=1e-3``.

    Returns:
        The run.

    Raises:
        InputError: A setting out of its bounds, data that doesn't fit the model, a folder with something in it, or a resumed run
            whose config differs.
        RunError: The folder is locked by another process, missing, torn, or the disk is full. The last checkpoint is kept.
        TrainingError: The loss or a gradient is no longer finite. The last checkpoint is kept.
        KeyboardInterrupt: After Ctrl-C, once the checkpoint is written; the run can be resumed.
    """
    asked: dict[str, Any] = {"epochs": epochs, "seed": seed, "backend": None if backend == "auto" else backend, **settings}
    asked = {name: value for name, value in asked.items() if value is not None or name in settings}
    check_fits(model, data)
    run = _folder(model, data, out, resume=resume)
    with run.lock():
        config, checked = _resumed_config(run, model, data, asked) if resume else _new_config(run, model, data, asked)
        with _stop_signals() as received:
            # Made first: a checkpoint that cannot be taken over leaves the folder as it is.
            session = _Session(run, model, data, config, checked, received, on_progress)
            write_config(run, config)
            session.run_to_end()
    if "SIGINT" in received:
        raise KeyboardInterrupt(f"training stopped; resume it with out={str(run.path)!r}, resume=True")
    return run


def learning_rate_at(step: int, settings: TrainSettings, steps_total: int | None) -> float:
    """Linear warm-up, then constant or ``½ (1 + cos(π t))`` with t from 0 to 1 over the remaining steps.

    Args:
        step: The step about to be made, from 0.
        settings: Rate and its changes, warm-up and schedule. A change replaces the rate that warm-up and schedule scale.
        steps_total: Steps in all, or None if unknown; cosine then stays constant. A warm-up takes a tenth of them at most.
    """
    rate = next((rate for begin, rate in reversed(settings.learning_rates) if begin <= step), settings.learning_rate)
    warmup = settings.warmup_steps if steps_total is None else min(settings.warmup_steps, steps_total // 10)
    if step < warmup:
        return rate * (step + 1) / warmup
    if settings.schedule == "constant" or steps_total is None:
        return rate
    return rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps_total - warmup)))


def ema_decay_at(step: int, decay: float) -> float:
    """``min(decay, (1 + step) / (10 + step))``, so that the first, random weights are soon forgotten."""
    return min(decay, (1 + step) / (10 + step))


def generator_at(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """The generator of one purpose at one moment: `stream` 0 orders the epoch's images, stream i + 1 serves its step i."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=np.array([0, 0, 0, stream], np.uint64)))


def _folder(model: CausalModel, data: Dataset, out: Path | str | None, *, resume: bool) -> Run:
    """The run folder, made if it is new; whether it holds a run is decided under the lock."""
    if out is None:
        if resume:
            raise InputError("out must name the run folder to resume; got None")
        return Run(new_run_path(model.name, data.name))
    path = Path(out)
    if resume and not is_run(path):
        raise RunError(f"there is nothing to resume: {path} has no config.json")
    if path.exists() and not is_run(path) and (not path.is_dir() or any(file.name != "lock" for file in path.iterdir())):
        raise InputError(f"out must be a new or empty folder; {path} is neither")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path} could not be made: {error.strerror}") from None
    return Run(path)


def _new_config(run: Run, model: CausalModel, data: Dataset, asked: Mapping[str, Any]) -> tuple[dict[str, Any], TrainSettings]:
    if is_run(run.path):
        raise InputError(f"out must be a new or empty folder; {run.path} holds a run already (resume=True goes on with it)")
    settings = validate(TrainSettings, asked)
    if settings.epochs is settings.minutes is settings.steps is None:
        settings = settings.model_copy(update={"epochs": DEFAULT_EPOCHS})
    return _config(model, data, settings), settings


def _resumed_config(run: Run, model: CausalModel, data: Dataset, asked: Mapping[str, Any]) -> tuple[dict[str, Any], TrainSettings]:
    """The folder's config with what may change; refuses any other difference by its name."""
    config = run.config
    recorded = validate(TrainSettings, {**config["training"], "seed": config["seed"]})
    # A new budget replaces the old one whole: ten more epochs must not end at once because the old minutes are used up.
    kept = recorded.model_dump(exclude=_BUDGETS if _BUDGETS & asked.keys() else set())
    settings = validate(TrainSettings, {**kept, **asked})
    wanted = _config(model, data, settings)
    for part in ("data", "model"):
        _refuse_difference(run, part, _flat(config[part]), _flat(wanted[part]))
    # A run of an older genlab lacks the settings that it did not know; it was trained with their defaults.
    _refuse_difference(run, "training", recorded.model_dump(mode="json", exclude={"seed"}), wanted["training"])
    _refuse_difference(run, "training", {"seed": config["seed"]}, {"seed": wanted["seed"]})
    return {**wanted, "versions": config.get("versions")}, settings


def _refuse_difference(run: Run, part: str, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in sorted(recorded.keys() | wanted.keys()):
        if (part != "training" or name not in _FREE) and recorded.get(name) != wanted.get(name):
            raise InputError(f"{part}.{name} must be {recorded.get(name)!r} to resume {run.path}; got {wanted.get(name)!r}")


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """One level of names: a model's settings are compared one by one, a dataset's images by their checksum."""
    flat = {name: value for name, value in config.items() if name not in ("settings", "record")}
    checksum = {"sha256": config["record"]["sha256"]} if "record" in config else {}
    return {**config.get("settings", {}), **flat, **checksum}


def _config(model: CausalModel, data: Dataset, settings: TrainSettings) -> dict[str, Any]:
    return {
        "model": model.config,
        "data": {**data.settings.model_dump(mode="json"), "record": data.record},
        "training": settings.model_dump(mode="json", exclude={"seed"}),
        "seed": settings.seed,
        "versions": _versions(),
    }


def _versions() -> dict[str, Any]:
    """What decides the last bits of a weight besides the config."""
    info = native_info()
    threads = {"torch_threads": torch.get_num_threads(), "native_threads": info["threads"]}
    return {"genlab": __version__, "torch": str(torch.__version__), "numpy": np.__version__, "isa": info["isa"], **threads}


@contextmanager
def _stop_signals() -> Iterator[list[str]]:
    """The names of the stop signals that came in; the first one gives the old handlers back, so that a second one bites."""
    received: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        # Python allows handlers in the main thread alone; elsewhere whoever started the thread decides.
        yield received
        return

    def restore() -> None:
        for number, handler in old.items():
            signal.signal(number, handler)

    def receive(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number).name)
        restore()

    old = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        restore()


class _Weights:
    """The tensors of training by name: the model's own, their average, the best average, and Adam's moments."""

    def __init__(self, model: CausalModel, settings: TrainSettings) -> None:
        self._model = model
        self._settings = settings
        self._names = [name for name, _ in model.named_parameters()]
        self._parameters: list[Tensor] = list(model.parameters())
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        self._optimiser = torch.optim.Adam(self._parameters, fused=True)
        for parameter in self._parameters:
            # Adam makes these at its first step; made here, they can be filled from a checkpoint and saved before any step.
            zeros = {moment: torch.zeros_like(parameter) for moment in ("exp_avg", "exp_avg_sq")}
            self._optimiser.state[parameter] = {"step": torch.zeros((), dtype=torch.float32, device=parameter.device), **zeros}
        self._average = [parameter.detach().clone() for parameter in self._parameters]
        self._best = [average.clone() for average in self._average]

    def step(self, batch: NDArray[np.uint8], step: int, learning_rate: float) -> tuple[float, float]:
        """One step of Adam; returns the loss in nats an image and the gradient's norm before clipping.

        Raises:
            TrainingError: The loss or the gradient is not finite. Nothing has been changed then.
        """
        settings = self._settings
        self._optimiser.zero_grad(set_to_none=False)
        loss = self._model.loss(batch, backend=settings.backend, dtype=settings.dtype)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.get_total_norm(self._gradients, foreach=True)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise TrainingError(f"{self._culprit()} is not finite any more at step {step + 1}; the checkpoint before is kept")
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, settings.clip_norm, norm, foreach=True)
        self._optimiser.param_groups[0]["lr"] = learning_rate
        self._optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._parameters, 1 - ema_decay_at(step, settings.ema_decay))
        return loss.item(), norm.item()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model holds the averaged weights meanwhile."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._put(self._average)
        self._model.eval()
        try:
            yield
        finally:
            self._put(own)
            self._model.train()

    def keep_as_best(self) -> None:
        """The averaged weights are the best so far."""
        torch._foreach_copy_(self._best, self._average)

    def put_best(self) -> None:
        """The model holds the best averaged weights from now on."""
        self._put(self._best)
        self._model.eval()

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a checkpoint by name. They are the live ones: what is copied into them is trained on."""
        moments = [self._optimiser.state[parameter] for parameter in self._parameters]
        groups = {"ema": self._average, "best": self._best}
        groups |= {f"adam/{moment}": [state[moment] for state in moments] for moment in ("exp_avg", "exp_avg_sq")}
        tensors = {f"model/{name}": tensor for name, tensor in self._model.state_dict().items()}
        return tensors | {
            f"{group}/{name}": tensor for group, values in groups.items() for name, tensor in zip(self._names, values, strict=True)
        }

    def load(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Take over the tensors of a checkpoint of that step."""
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(tensors[name])
        for state in self._optimiser.state.values():
            state["step"].fill_(step)

    def check_finite(self, step: int) -> None:
        """Refuse to save weights that a later step could not go on from.

        Raises:
            TrainingError: One of them is not finite; the sentence names it.
        """
        for name, tensor in self.tensors().items():
            if not torch.isfinite(tensor).all():
                raise TrainingError(f"tensor {name!r} is not finite any more at step {step}; the checkpoint before is kept")

    def _put(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, values)

    def _culprit(self) -> str:
        """The first tensor that is not finite, in words; weights come before gradients, which suffer from them."""
        for what, tensors in (("weight", self._parameters), ("gradient of", self._gradients)):
            for name, tensor in zip(self._names, tensors, strict=True):
                if not torch.isfinite(tensor).all():
                    return f"{what} {name!r}"
        return "the loss"


class _Session:
    """One process's share of a run: from its start or its checkpoint to its end or the next stop."""

    def __init__(
        self,
        run: Run,
        model: CausalModel,
        data: Dataset,
        config: Mapping[str, Any],
        settings: TrainSettings,
        received: list[str],
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        self._run, self._model, self._data, self._config, self._settings = run, model, data, config, settings
        self._received, self._on_progress = received, on_progress
        self._weights = _Weights(model, settings)
        self._steps_per_epoch = math.ceil(len(data.train) / settings.batch_size)
        self._steps_total = None if settings.epochs is None else settings.epochs * self._steps_per_epoch
        self._versions = _versions()
        self._changed: list[str] = []
        self._told: set[int] = set()
        self._step = self._best_step = 0
        self._best = math.inf
        self._seconds_before = 0.0
        self._resumed = run.checkpoint_path.exists()
        if self._resumed:
            self._load()
        self._first_step = self._step
        self._order: NDArray[np.int64] | None = None
        self._valid_bits_per_dim: float | None = None
        self._valid_step = self._sampled_step = -1
        self._sample_pause = 0.0
        self._window = self._latest = _Window()
        self._begun = time.perf_counter()
        self._done_at = dict.fromkeys(("record", "message", "checkpoint", "sample"), self._seconds_before)

    def run_to_end(self) -> None:
        """Train until there is a reason to end; the run folder then says which."""
        try:
            with torch.random.fork_rng(devices=[]):
                self._begin()
                while not (end := self._reason_to_end()):
                    self._train_step()
                self._end(*end)
        except Exception as error:
            # The disk that refused a checkpoint may refuse this line as well; the error on its way says more.
            with suppress(RunError):
                self._event("failed", str(error) or type(error).__name__)
            raise
        finally:
            self._weights.put_best()

    def _begin(self) -> None:
        self._run.cut_back(self._step)
        self._told = {record["step"] for record in self._run.metrics("event") if record["event"] == "learning_rate"}
        if self._resumed:
            for record in self._run.metrics("valid")[-1:]:
                self._valid_bits_per_dim, self._valid_step = record["bits_per_dim"], record["step"]
            rounding = (
                f"; its weights will agree with an unbroken run to rounding only: {', '.join(self._changed)}" if self._changed else ""
            )
            self._event("resumed", f"resumed at step {self._step}{rounding}")
            return
        constant = self._settings.schedule == "cosine" and self._steps_total is None
        note = "; the learning rate stays constant, since a cosine needs a number of epochs" if constant else ""
        self._event("started", f"started {self._model.name} on {self._data.describe()}{note}")
        self._save_checkpoint()
        self._save_sample()

    def _reason_to_end(self) -> tuple[str, str] | None:
        """The closing event and its message, or None to go on."""
        settings, epochs_since_best = self._settings, (self._step - self._best_step) // self._steps_per_epoch
        if self._received:
            return "stopped", f"stopped by {self._received[0]} at step {self._step}"
        if self._steps_total is not None and self._step >= self._steps_total:
            return "finished", f"finished {settings.epochs} {'epoch' if settings.epochs == 1 else 'epochs'}"
        if settings.steps is not None and self._step >= settings.steps:
            return "finished", f"finished {settings.steps:,} {'step' if settings.steps == 1 else 'steps'}"
        if settings.minutes is not None and self._seconds >= 60 * settings.minutes:
            return "finished", f"finished {settings.minutes:g} minutes"
        if settings.patience is not None and self._best < math.inf and epochs_since_best >= settings.patience:
            return "finished", f"finished early: no better validation for {epochs_since_best} epochs"
        return None

    def _train_step(self) -> None:
        """One step, and whatever is due before and after it."""
        if (rate := take_learning_rate(self._run)) is not None:
            self._change_learning_rate(rate)
        self._tell_learning_rate()
        self._step_weights()
        if self._due("record", self._settings.log_seconds):
            self._record()
        if self._step % self._steps_per_epoch == 0:
            self._validate()
        # After the validation: a checkpoint at the end of an epoch then knows whether it was the best.
        if self._due("checkpoint", self._settings.checkpoint_seconds):
            self._save_checkpoint()
        if self._due("sample", max(self._settings.sample_seconds, self._sample_pause)):
            self._save_sample()

    def _change_learning_rate(self, rate: float) -> None:
        """From the step about to be made on. On disk before it is used, so that a resumed run changes it at the same step."""
        earlier = tuple(change for change in self._settings.learning_rates if change[0] != self._step)
        self._settings = validate(TrainSettings, {**self._settings.model_dump(), "learning_rates": (*earlier, (self._step, rate))})
        self._config = {**self._config, "training": self._settings.model_dump(mode="json", exclude={"seed"})}
        write_config(self._run, self._config)
        self._run.append_log(f"learning rate {rate:g} from step {self._step + 1} on")

    def _tell_learning_rate(self) -> None:
        """Record a change that takes effect at the step about to be made, unless that was done before an interruption."""
        rate = dict(self._settings.learning_rates).get(self._step)
        if rate is None or self._step in self._told:
            return
        self._told.add(self._step)
        self._append("event", {"event": "learning_rate", "message": f"learning rate {rate:g}", "time": time.time()})

    def _step_weights(self) -> None:
        begun = time.perf_counter()
        epoch, index = divmod(self._step, self._steps_per_epoch)
        if index == 0 or self._order is None:
            self._order = generator_at(self._settings.seed, epoch, 0).permutation(len(self._data.train))
        generator = generator_at(self._settings.seed, epoch, index + 1)
        size = self._settings.batch_size
        batch = self._data.train.draw(generator, self._order[index * size : (index + 1) * size])
        # Whatever is random inside the model (dropout, a latent) follows from the step too.
        torch.default_generator.manual_seed(int(generator.integers(2**63)))
        rate = learning_rate_at(self._step, self._settings, self._steps_total)
        loss, norm = self._weights.step(batch, self._step, rate)
        self._step += 1
        self._window.add(loss, norm, rate, len(batch), time.perf_counter() - begun)

    def _record(self) -> None:
        """The steps since the last record as one record, and a word to whoever watches."""
        window, self._window = self._window, _Window()
        self._latest = window
        record = {
            "seconds": round(self._seconds, 3),
            "loss": window.loss,
            "bits_per_dim": bits_per_dim(window.loss, self._model.image_shape),
            "learning_rate": window.learning_rate,
            "gradient_norm": window.gradient_norm,
            "images_per_second": round(window.images_per_second, 1),
        }
        self._append("train", record)
        self._report(with_message=self._due("message", _MESSAGE_SECONDS))

    def _validate(self) -> None:
        """Score the validation images with the averaged weights, and keep those if they are the best so far."""
        with self._weights.averaged():
            settings = self._settings
            result = evaluate(
                self._model, self._data, split="valid", limit=settings.valid_images, seed=settings.seed, backend=settings.backend
            )
        if not math.isfinite(result.nats):
            raise TrainingError(f"the validation's loss is not finite any more at step {self._step}; the checkpoint before is kept")
        best = result.nats < self._best
        if best:
            self._best, self._best_step = result.nats, self._step
            self._weights.keep_as_best()
        self._valid_bits_per_dim, self._valid_step = result.bits_per_dim, self._step
        numbers = {"nats": result.nats, "bits_per_dim": result.bits_per_dim, "best": best}
        self._append("valid", {"seconds": round(self._seconds, 3), **numbers})
        self._report(with_message=False)

    def _save_checkpoint(self) -> None:
        if self._best == math.inf:
            self._weights.keep_as_best()
        self._weights.check_finite(self._step)
        header = {
            "model": self._model.config,
            "step": self._step,
            "epoch": self._epoch,
            "seconds": self._seconds,
            "best": None if self._best == math.inf else self._best,
            "best_step": self._best_step,
            "versions": self._versions,
        }
        save_tensors(self._run.checkpoint_path, self._weights.tensors(), header)

    def _load(self) -> None:
        """The checkpoint's tensors and numbers, checked as a whole before anything is touched."""
        tensors, header = read_tensors(self._run.checkpoint_path, self._weights.tensors())
        try:
            self._step, self._seconds_before, self._best_step = int(header["step"]), float(header["seconds"]), int(header["best_step"])
            self._best = math.inf if header["best"] is None else float(header["best"])
            recorded = dict(header["versions"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self._run.checkpoint_path} has a header that lacks a number to go on with: {error}") from None
        self._weights.load(tensors, self._step)
        self._changed = [f"{name} {recorded.get(name)} → {value}" for name, value in self._versions.items() if recorded.get(name) != value]

    def _save_sample(self) -> None:
        begun = time.perf_counter()
        file = self._run.path / "samples" / f"step-{self._step:08d}.png"
        with self._weights.averaged():
            images = sample(self._model, SAMPLES, seed=0, backend=self._settings.backend)
        file.parent.mkdir(exist_ok=True)
        save_png(file, grid(images, self._model.levels, scale=max(1, 56 // max(images.shape[2:]))))
        self._append("sample", {"file": file.relative_to(self._run.path).as_posix()})
        # Where drawing is slow, such as without the native walk, it may take a tenth of the time and no more.
        self._sample_pause = 9 * (time.perf_counter() - begun)
        self._sampled_step = self._step

    def _end(self, event: str, message: str) -> None:
        """Close the run; one that can go on at its very next step gets no validation out of turn."""
        if self._window.images:
            self._record()
        if event == "finished":
            if self._valid_step != self._step:
                self._validate()
            if self._sampled_step != self._step:
                self._save_sample()
            message += f": best validation {bits_per_dim(self._best, self._model.image_shape):.4f} bits/dim at step {self._best_step}"
        self._save_checkpoint()
        self._event(event, message)

    def _event(self, event: str, message: str) -> None:
        self._append("event", {"event": event, "message": message, "time": time.time()})
        self._run.append_log(message)
        self._tell(replace(self._progress(), message=message))

    def _append(self, kind: str, record: Mapping[str, Any]) -> None:
        self._run.append_metrics({"kind": kind, "step": self._step, "epoch": self._epoch, **record})

    def _report(self, *, with_message: bool) -> None:
        progress = self._progress()
        if with_message:
            progress = replace(progress, message=str(progress))
            self._run.append_log(progress.message)
        self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        if self._on_progress:
            self._on_progress(progress)

    def _progress(self) -> Progress:
        loss = self._latest.loss
        return Progress(
            epoch=self._epoch,
            step=self._step,
            steps_total=self._steps_total,
            loss=loss,
            bits_per_dim=bits_per_dim(loss, self._model.image_shape),
            valid_bits_per_dim=self._valid_bits_per_dim,
            images_per_second=self._latest.images_per_second,
            seconds=self._seconds,
            seconds_left=self._seconds_left,
        )

    @property
    def _epoch(self) -> int:
        """Epochs begun: 1 from the first step to the last of the first epoch."""
        return math.ceil(self._step / self._steps_per_epoch)

    @property
    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._begun

    @property
    def _seconds_left(self) -> float | None:
        estimates = []
        steps = self._step - self._first_step
        if self._steps_total is not None and steps:
            estimates.append((self._steps_total - self._step) * (self._seconds - self._seconds_before) / steps)
        if self._settings.steps is not None and steps:
            estimates.append((self._settings.steps - self._step) * (self._seconds - self._seconds_before) / steps)
        if self._settings.minutes is not None:
            estimates.append(60 * self._settings.minutes - self._seconds)
        return max(0.0, min(estimates)) if estimates else None

    def _due(self, what: str, seconds: float) -> bool:
        """Whether `seconds` have passed since it was last due."""
        now = self._seconds
        due = now - self._done_at[what] >= seconds
        if due:
            self._done_at[what] = now
        return due


@dataclass
class _Window:
    """The steps since the last record: sums, and the last step's gradient norm and learning rate."""

    nats: float = 0.0
    images: int = 0
    seconds: float = 0.0
    gradient_norm: float = math.nan
    learning_rate: float = math.nan

    @property
    def loss(self) -> float:
        """Mean nats an image; NaN before the first step."""
        return self.nats / self.images if self.images else math.nan

    @property
    def images_per_second(self) -> float:
        """Of training alone; NaN before the first step."""
        return self.images / self.seconds if self.seconds else math.nan

    def add(self, loss: float, gradient_norm: float, learning_rate: float, images: int, seconds: float) -> None:
        """Count one step in."""
        self.nats += loss * images
        self.images += images
        self.seconds += seconds
        self.gradient_norm, self.learning_rate = gradient_norm, learning_rate
