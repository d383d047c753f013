"""One session of training into a run folder: steps, records, validations, checkpoints, sample grids, until there is a reason to end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from genlab.errors import RunError, TrainingError
from genlab.images import grid, save_png
from genlab.measures.likelihood import bits_per_dim, evaluate
from genlab.runs import Run, read_tensors, save_tensors, take_learning_rate, write_config
from genlab.sampling import sample
from genlab.settings import TrainSettings, validate
from genlab.training.config import versions
from genlab.training.player import Weights
from genlab.training.records import Progress, Window
from genlab.training.schedule import generator_at, learning_rate_at

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.models.causal.model import CausalModel

SAMPLES = 64
_MESSAGE_SECONDS = 5.0


class Session:
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
        self._weights = Weights(model, settings)
        self._steps_per_epoch = math.ceil(len(data.train) / settings.batch_size)
        self._steps_total = None if settings.epochs is None else settings.epochs * self._steps_per_epoch
        self._versions = versions()
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
        self._window = self._latest = Window()
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
        window, self._window = self._window, Window()
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
