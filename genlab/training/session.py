"""One session of training into a run folder: steps, records, validations, checkpoints, samples, until there is a reason to end.

A session knows a model by what it promises (`genlab.models.contract.Model`): players who take turns, a report, batches. Minimising is a
game of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from genlab.errors import RunError, TrainingError
from genlab.measures.figures import split_figures
from genlab.models.contract import Model
from genlab.runs import Run, clear_leftovers, read_header, read_tensors, save_tensors, take_learning_rate, write_config
from genlab.settings import TrainSettings, validate
from genlab.training.config import versions
from genlab.training.endings import advice, count_of, doubts
from genlab.training.ranks import LostProcessError, Ranks
from genlab.training.records import Progress, Window
from genlab.training.samples import save_sample
from genlab.training.schedule import learning_rate_at
from genlab.training.state import State
from genlab.training.stopping import WORDS
from genlab.training.turns import Moment, Turns

if TYPE_CHECKING:
    from genlab.datasets import Dataset

_MESSAGE_SECONDS = 5.0


class Session:
    """One process's share of a run: from its start or its checkpoint to its end or the next stop."""

    def __init__(
        self,
        run: Run,
        model: Model,
        data: Dataset,
        config: Mapping[str, Any],
        settings: TrainSettings,
        received: list[str],
        on_progress: Callable[[Progress], object] | None,
        new_rate: float | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self._run, self._model, self._data, self._config, self._settings = run, model, data, config, settings
        self._received, self._on_progress, self._new_rate = received, on_progress, new_rate
        self._report = model.report
        self._state = State(model)
        self._ranks = ranks or Ranks()
        self._turns = Turns(model, data, settings, self._ranks)
        self._steps_per_epoch = self._turns.steps_per_epoch
        self._steps_total = None if settings.epochs is None else settings.epochs * self._steps_per_epoch
        self._versions = {**versions(), "processes": self._ranks.size}
        self._changed: list[str] = []
        self._told: set[int] = set()
        self._step = self._best_step = 0
        self._best: float | None = None
        self._seconds_before = 0.0
        self._resumed = run.checkpoint_path.exists()
        if self._resumed:
            self._load()
        self._first_step = self._step
        self._valid_values: Mapping[str, float] = {}
        self._valid_step = self._sampled_step = -1
        self._sample_pause = 0.0
        self._window = self._latest = Window()
        self._closed = False
        self._begun = time.perf_counter()
        self._done_at = dict.fromkeys(("record", "message", "checkpoint", "sample"), self._seconds_before)

    def run_to_end(self) -> None:
        """Train until there is a reason to end; the run folder then says which."""
        try:
            with torch.random.fork_rng(devices=[]):
                self._begin()
                self._ranks.send(self._state.shared())
                while not (end := self._reason_to_end()):
                    self._train_step()
                self._end(*end)
        except TrainingError as error:
            broken = error if isinstance(error, LostProcessError) else TrainingError(f"{error}{advice(self._model)}")
            with suppress(Exception):
                self._event("failed", str(broken))
            raise broken from (None if broken is error else error)
        except Exception as error:
            # What a watcher does after the end is no failure of the run: finished is finished.
            if not self._closed:
                # The disk that refused a checkpoint may refuse this line as well, and so may the watcher; the error on its way says more.
                with suppress(Exception):
                    self._event("failed", str(error) or type(error).__name__)
            raise
        finally:
            self._state.put_best()

    def _begin(self) -> None:
        clear_leftovers(self._run.path)
        self._model.train()
        self._run.cut_back(self._step)
        self._told = {record["step"] for record in self._run.metrics("event") if record["event"] == "learning_rate"}
        if self._resumed:
            for record in self._run.metrics("valid")[-1:]:
                self._valid_values, self._valid_step = record["values"], record["step"]
            rounding = (
                f"; its weights will agree with an unbroken run to rounding only: {', '.join(self._changed)}" if self._changed else ""
            )
            self._event("resumed", f"resumed at step {self._step}{rounding}")
            if self._new_rate is not None:
                self._change_learning_rate(self._new_rate)
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
            return "stopped", f"stopped at step {self._step} {WORDS[self._received[0]]}"
        if self._steps_total is not None and self._step >= self._steps_total:
            return "finished", f"finished {count_of(settings.epochs, 'epoch')}"
        if settings.steps is not None and self._step >= settings.steps:
            return "finished", f"finished {count_of(settings.steps, 'step')}"
        if settings.minutes is not None and self._seconds >= 60 * settings.minutes:
            return "finished", f"finished {count_of(settings.minutes, 'minute')}"
        if settings.patience is not None and self._best is not None and epochs_since_best >= settings.patience:
            return "finished", f"finished early: no better validation for {count_of(epochs_since_best, 'epoch')}"
        return None

    def _train_step(self) -> None:
        """One step, and whatever is due before and after it."""
        if (rate := take_learning_rate(self._run)) is not None:
            self._change_learning_rate(rate)
        self._tell_learning_rate()
        self._take_turns()
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

    def _take_turns(self) -> None:
        """One step of the run: every player in turn, as often as it moves."""
        begun = time.perf_counter()
        epoch, index = divmod(self._step, self._steps_per_epoch)
        examples = 0
        rate = learning_rate_at(self._step, self._settings, self._steps_total)
        movers = self._state.movers
        for turn, mover in enumerate(movers):
            prefix = "" if len(movers) == 1 else f"{mover.player.name}/"
            for move in range(mover.player.moves):
                at = Moment(epoch, index, turn, move)
                self._ranks.call(at)
                figures, examples = self._turns.take(at, mover.parameters)
                norm = mover.move(figures["loss"], rate, self._settings.clip_norm, when=f"at step {self._step + 1}")
                self._ranks.send(mover.parameters)
                mover.average(self._settings.ema_decay)
                self._window.add_move(prefix, figures, norm, examples)
        self._turns.settle()
        self._state.average_buffers(self._step, self._settings.ema_decay)
        self._step += 1
        self._window.add_step(rate, examples, time.perf_counter() - begun)

    def _record(self) -> None:
        """The steps since the last record as one record, and a word to whoever watches."""
        window, self._window = self._window, Window()
        self._latest = window
        record = {
            "seconds": round(self._seconds, 3),
            "values": self._report.figures(window.values, self._model.domain),
            "learning_rate": window.learning_rate,
            "images_per_second": round(window.images_per_second, 1),
        }
        self._append("train", record)
        self._report_progress(with_message=self._due("message", _MESSAGE_SECONDS))

    def _validate(self) -> None:
        """Score the validation images with the averaged weights, and keep those if they are the best so far."""
        settings, split = self._settings, self._data.valid
        with self._state.averaged(), torch.no_grad():
            count = min(len(split), settings.valid_images)
            found = split_figures(self._model, split, count, seed=settings.seed, backend=settings.backend)
        means = {name: float(values.mean()) for name, values in found.items()}
        value = means[self._report.key]
        if not all(map(math.isfinite, means.values())):
            raise TrainingError(f"the validation's loss is not finite any more at step {self._step}; the checkpoint before is kept")
        better = self._report.is_better(value, self._best)
        if better:
            self._best, self._best_step = value, self._step
            self._state.keep_as_best()
        self._valid_values, self._valid_step = self._report.figures(means, self._model.domain), self._step
        self._append("valid", {"seconds": round(self._seconds, 3), "values": self._valid_values, "best": better})
        self._report_progress(with_message=False)

    def _save_checkpoint(self) -> None:
        if self._best is None:
            self._state.keep_as_best()
        self._state.check_finite(self._step)
        header = {
            "model": self._model.config,
            "step": self._step,
            "epoch": self._epoch,
            "seconds": self._seconds,
            "best": self._best,
            "best_step": self._best_step,
            "moves": {mover.player.name: mover.count for mover in self._state.movers},
            "versions": self._versions,
        }
        save_tensors(self._run.checkpoint_path, self._state.tensors(2), header)

    def _load(self) -> None:
        """The checkpoint's tensors and numbers, checked as a whole before anything is touched."""
        path = self._run.checkpoint_path
        layout = read_header(path)["format"]
        tensors, header = read_tensors(path, self._state.tensors(layout))
        movers = self._state.movers
        try:
            self._step, self._best_step = _whole(header["step"]), _whole(header["best_step"])
            self._seconds_before = _number(header["seconds"])
            self._best = None if header["best"] is None else _number(header["best"])
            moves = [_whole(header["moves"][mover.player.name]) if layout > 1 else self._step for mover in movers]
            recorded = {"processes": 1, **header["versions"]}
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path} has a header that lacks a number to go on with: {error}") from None
        self._state.load(tensors, layout)
        for mover, count in zip(movers, moves, strict=True):
            mover.set_count(count)
        self._changed = [f"{name} {recorded.get(name)} → {value}" for name, value in self._versions.items() if recorded.get(name) != value]

    def _save_sample(self) -> None:
        begun = time.perf_counter()
        with self._state.averaged(), torch.no_grad():
            file = save_sample(self._run.path, self._step, self._model, self._settings.backend, self._data.valid.images)
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
            best = self._report.figures({} if self._best is None else {self._report.key: self._best}, self._model.domain)
            message += f": best validation {self._report.headline(best)} at step {self._best_step}{doubts(self._model, best)}"
        self._save_checkpoint()
        self._event(event, message, closing=True)

    def _event(self, event: str, message: str, *, closing: bool = False) -> None:
        self._append("event", {"event": event, "message": message, "time": time.time()})
        self._closed = closing
        self._run.append_log(message)
        self._tell(replace(self._progress(), message=message))

    def _append(self, kind: str, record: Mapping[str, Any]) -> None:
        self._run.append_metrics({"kind": kind, "step": self._step, "epoch": self._epoch, **record})

    def _report_progress(self, *, with_message: bool) -> None:
        progress = self._progress()
        if with_message:
            progress = replace(progress, message=str(progress))
            self._run.append_log(progress.message)
        self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        if self._on_progress:
            try:
                self._on_progress(progress)
            except BrokenPipeError:
                # Whoever read along has left, such as `head`; the run is none the worse for it.
                self._on_progress = None
                self._run.append_log("nobody reads along any more; the training goes on")

    def _progress(self) -> Progress:
        return Progress(
            epoch=self._epoch,
            step=self._step,
            steps_total=self._steps_total,
            report=self._report,
            values=self._report.figures(self._latest.values, self._model.domain),
            valid_values=self._valid_values,
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
        since = (self._first_step, self._seconds_before)
        return self._settings.seconds_left(self._step, self._seconds, len(self._data.train), since=since)

    def _due(self, what: str, seconds: float) -> bool:
        """Whether `seconds` have passed since it was last due."""
        now = self._seconds
        due = now - self._done_at[what] >= seconds
        if due:
            self._done_at[what] = now
        return due


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise TypeError(f"{str(value)[:60]!r} is no count")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{str(value)[:60]!r} is no number")
    return float(value)
