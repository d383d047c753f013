"""One run folder: read at any time, appended to by the process that holds its lock."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from genlab.domain import Domain
from genlab.errors import RunError
from genlab.models.contract import NATS, Report
from genlab.runs.files import write_aside
from genlab.runs.lock import holder, locked
from genlab.runs.reader import FORMAT, read_config, read_label, read_metrics, step_of

State = Literal["running", "finished", "stopped", "failed", "interrupted"]

_ENDS: dict[str, State] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}


@dataclass(frozen=True)
class Run:
    """A run folder. Reading is safe at any time, also while another process trains into it, and whoever made the folder.

    Whatever a file holds that it must not is a `RunError`, one sentence that names the file.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def label(self) -> str:
        """What people call it: the label somebody gave it, else the folder's name. Plain text of one line, never to be taken for markup."""
        return read_label(self.path / "label.txt") or self.name

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for: ``{"format", "model", "data", "training", "seed", "versions"}``, in format 2 ``"report"`` and more.

        Raises:
            RunError: `config.json` is missing, not JSON, of another format, or holds what it must not.
        """
        return read_config(self.path / "config.json")

    @property
    def report(self) -> Report:
        """What "better" means for the run's model. Format 1 knew the exact likelihood alone."""
        stored = self.config.get("report")
        return NATS if stored is None else Report(stored["key"], stored["kind"], stored["words"], stored["lower_is_better"])

    @property
    def abilities(self) -> frozenset[str]:
        """What the run's model can do, names in `genlab.models.contract.ABILITIES`; no model is built for it."""
        return frozenset(self.config.get("abilities", ("likelihood", "causal")))

    @property
    def domain(self) -> Domain:
        """What the run's model is a distribution over.

        Raises:
            RunError: The config doesn't say.
        """
        config = self.config
        if "domain" in config:
            return Domain(tuple(config["domain"]["shape"]), config["domain"]["levels"])
        record = config["data"].get("record", {})
        if not {"image_shape", "levels"} <= record.keys():
            raise RunError(f"{self.path / 'config.json'} holds no data.record.image_shape")
        return Domain(tuple(record["image_shape"]), record["levels"])

    @property
    def checkpoint_path(self) -> Path:
        """Where the weights and the optimiser's state are."""
        return self.path / "checkpoint.safetensors"

    @property
    def sample_files(self) -> list[Path]:
        """The sample grids, in the order of their steps."""
        return [file for file in self._samples() if file.suffix == ".png"]

    @property
    def holder(self) -> int | None:
        """The id of the process that trains into the folder right now, or None; 0 if it hasn't said its id yet."""
        return holder(self.path)

    def metrics(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The records of `metrics.jsonl`, oldest first, in the shape of format 2 whatever the run's; ARCHITECTURE.md lists their keys.

        A record's figures are in its ``values``, and each under its own name beside the other keys too: ``record["nats"]``.

        Args:
            kind: Only records of this kind: ``"train"``, ``"valid"``, ``"sample"`` or ``"event"``.

        Raises:
            RunError: A line is no record. The last one may be torn (its process was killed while writing) and is left out then.
        """
        return read_metrics(self.path / "metrics.jsonl", kind)

    def best(self) -> dict[str, Any] | None:
        """The record of the best validation so far, or None before the first."""
        best = [record for record in self.metrics("valid") if record["best"]]
        return best[-1] if best else None

    def best_value(self) -> float | None:
        """What the run's report says at its best validation, or None before the first."""
        best = self.best()
        return None if best is None else best["values"].get(self.report.key)

    def state(self) -> State:
        """What became of the run: ``"running"``, ``"finished"``, ``"stopped"``, ``"failed"`` or ``"interrupted"``."""
        if self.holder is not None:
            return "running"
        events = self.metrics("event")
        return _ENDS.get(events[-1]["event"], "interrupted") if events else "interrupted"

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder for writing; the kernel lets go of it when the process ends, however it ends.

        Raises:
            RunError: Another process holds it, or its lock cannot be opened.
        """
        return locked(self.path)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        self._append("metrics.jsonl", json.dumps(record))

    def append_log(self, line: str) -> None:
        """Append one line, with the time of day, to `log.txt`."""
        self._append("log.txt", f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}")

    def cut_back(self, step: int) -> None:
        """Drop records and samples later than `step`, and a torn last line: what a resumed run will write anew."""
        kept = [_stored(record) for record in self.metrics() if record["step"] <= step]
        write_aside(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in kept).encode())
        for file in self._samples():
            if (step_of(file) or 0) > step:
                file.unlink()

    def _samples(self) -> list[Path]:
        try:
            return sorted(file for file in (self.path / "samples").glob("step-*") if step_of(file) is not None and file.is_file())
        except OSError as error:
            raise RunError(f"{self.path / 'samples'} could not be read: {error.strerror}") from None

    def _append(self, name: str, line: str) -> None:
        """Append a whole line or nothing."""
        content = (line + "\n").encode(errors="surrogateescape")
        reason = "the disk is full"
        try:
            with (self.path / name).open("ab", buffering=0) as file:
                end = file.tell()
                try:
                    if file.write(content) == len(content):
                        return
                except OSError as error:
                    reason = str(error.strerror)
                file.truncate(end)
        except OSError as error:
            reason = str(error.strerror)
        raise RunError(f"{self.path / name} could not be written: {reason}")


def is_run(path: Path | str) -> bool:
    """Whether `path` is a run folder, sound or not."""
    try:
        return os.path.isfile(Path(path) / "config.json")  # noqa: PTH113 - never raises, whatever the rights
    except ValueError:
        return False


def write_config(run: Run, config: Mapping[str, Any]) -> None:
    """Write `config.json`, aside first and then renamed; one that names no report is of format 1."""
    stored = {"format": FORMAT if "report" in config else 1, **config}
    write_aside(run.path / "config.json", (json.dumps(stored, indent=2) + "\n").encode())


def _stored(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it stands in the file: its figures in ``values`` alone."""
    return {name: value for name, value in record.items() if name not in record.get("values", {})}
